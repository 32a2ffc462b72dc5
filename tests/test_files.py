"""Whole or not at all."""

from pathlib import Path

import pytest

from llm4mat_bench.files import whole_file, whole_folder, write_text


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with whole_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(folder) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    with whole_folder(folder) as temporary:
        (temporary / "b").write_text("new")
    assert [one.name for one in folder.iterdir()] == ["b"]
    assert [one.name for one in tmp_path.iterdir()] == ["run"]


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    dead = tmp_path / ".run.999999999.abc.tmp"
    dead.mkdir()
    with whole_folder(tmp_path / "run") as temporary:
        (temporary / "a").write_text("x")
    assert not dead.exists()
