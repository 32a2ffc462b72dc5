"""Whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.files import json_text, replace_file, replace_folder, write_json, write_text


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replace_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with replace_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), replace_folder(folder) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    with replace_folder(folder) as temporary:
        (temporary / "b").write_text("new")
    assert [one.name for one in folder.iterdir()] == ["b"]
    assert [one.name for one in tmp_path.iterdir()] == ["run"]


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    dead = tmp_path / ".run.999999999.abc.tmp"
    dead.mkdir()
    with replace_folder(tmp_path / "run") as temporary:
        (temporary / "a").write_text("x")
    assert not dead.exists()


def test_a_folder_that_was_moved_aside_comes_back(tmp_path: Path) -> None:
    """Killed between the two renames: the older folder is the only whole one."""
    retired = tmp_path / ".run.999999999.abc.old.tmp"
    retired.mkdir()
    (retired / "a").write_text("old")
    (tmp_path / ".run.999999999.abc.tmp").mkdir()
    with pytest.raises(RuntimeError), replace_folder(tmp_path / "run"):
        assert (tmp_path / "run" / "a").read_text() == "old"
        raise RuntimeError
    assert [one.name for one in tmp_path.iterdir()] == ["run"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = tmp_path / f".run.{other.pid}.abc.tmp"
        theirs.mkdir()
        with replace_folder(tmp_path / "run") as temporary:
            (temporary / "a").write_text("x")
        assert theirs.exists()
        other.communicate(b"\n")


def test_json_is_written_one_way(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": "Å", "a": [1, 0.5, None]})
    assert (
        tmp_path / "x.json"
    ).read_bytes() == '{\n  "b": "Å",\n  "a": [\n    1,\n    0.5,\n    null\n  ]\n}\n'.encode()
    assert json_text({"b": 1, "a": 2}, sort_keys=True) == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert json_text({"b": [1, 2]}, compact=True) == '{"b":[1,2]}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", float("nan"))
    assert not (tmp_path / "y.json").exists()


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for write in (replace_file, replace_folder):
        with (
            pytest.raises(UsageError, match=rf"^{tmp_path}/file/a/b cannot be written: {tmp_path}/file is a file, not"),
            write(tmp_path / "file" / "a" / "b"),
        ):
            pytest.fail("nothing can be written there")


def test_a_file_where_a_folder_is_and_a_folder_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="folder is a folder: a file is to be written there"):
        write_text(tmp_path / "folder", "x")
    with (
        pytest.raises(UsageError, match="file is a file: a folder is to be written there"),
        replace_folder(tmp_path / "file"),
    ):
        pytest.fail("a file is there")
    assert (tmp_path / "file").read_text() == "x"


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written: File name too long"):
        write_text(tmp_path / ("x" * 300), "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("by", ["python", "pyarrow"])
def test_a_disk_that_fills_up(tmp_path: Path, by: str) -> None:
    write_text(tmp_path / "x", "old")

    def fill() -> None:
        with Path("/dev/full").open("wb", buffering=0) if by == "python" else pa.OSFile("/dev/full", "wb") as sink:
            sink.write(b"x")

    said = rf"^{tmp_path}/x cannot be written: the disk is full. Make room"
    with pytest.raises(DataError, match=said) as caught, replace_file(tmp_path / "x"):
        fill()
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(DataError, match="the disk is full"), replace_folder(tmp_path / "folder"):
        fill()
    assert {one.name for one in tmp_path.iterdir()} == {"x"}
    assert (tmp_path / "x").read_text() == "old"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_errors_on_the_way_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    """An error that only shows when the file is flushed still leaves the old file."""
    write_text(tmp_path / "x", "old")

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match=f"x cannot be written: {said}"):
        write_text(tmp_path / "x", "new")
    assert [one.name for one in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_errors_of_other_files_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="input"), replace_file(tmp_path / "x"):
        (tmp_path / "input").read_text()


def test_a_disk_that_fills_up_while_a_tree_is_copied(tmp_path: Path) -> None:
    """`shutil.copytree` tells it in words, of all files at once."""
    import shutil

    with (
        pytest.raises(DataError, match="run cannot be written: the disk is full"),
        replace_folder(tmp_path / "run") as to,
    ):
        raise shutil.Error([("x", str(to / "x"), f"[Errno {errno.ENOSPC}] No space left on device: 'x'")])
    assert not list(tmp_path.iterdir())
    with pytest.raises(shutil.Error), replace_folder(tmp_path / "run"):
        raise shutil.Error([("x", "elsewhere", "[Errno 2] No such file or directory: 'x'")])
