"""LLM4MatBuilder gives the tables that `build` writes, through the datasets library's own ways."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from published import Row, with_sizes, write_published

from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.hf_builder import LLM4MatBuilder
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.progress import silent

SIZES = (30, 4, 5)


def own_process(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test that forks in a process of its own.

    On Python 3.13 what is forked from a process in which Ray was started crashes (signal 11), and another test of the
    same worker may have done that.
    """

    @wraps(test)
    def alone(**fixtures: Any) -> None:
        if os.environ.get("LLM4MAT_OWN_PROCESS"):
            test(**fixtures)
            return
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::{test.__name__}"],
            env=os.environ | {"LLM4MAT_OWN_PROCESS": "1"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-4000:] + done.stderr[-1000:]

    return alone


def test_processes_that_cannot_be_started_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def dies(*_: Any, **__: Any) -> None:
        raise EOFError

    write_published(tmp_path / "in", sizes=SIZES)
    monkeypatch.setattr(datasets.ArrowBasedBuilder, "download_and_prepare", dies)
    with pytest.raises(DataError, match="leave num_proc out"):
        _prepare(tmp_path, "mp-cif", num_proc=2)


def _spoil(splits: dict[str, list[Row]]) -> None:
    train = splits["train"]
    train[3] = dict(train[2])
    train[4]["cif_structure"] = splits["test"][0]["cif_structure"]
    train[5]["material_id"] = ""


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.dataset_builder.readers import csv_scan

    scan = csv_scan.scan_csv
    monkeypatch.setattr(
        "llm4mat_bench.dataset_builder.readers.published_csv.scan_csv",
        lambda path, split, progress=silent: scan(path, split, progress, piece_bytes=9_000, batch_bytes=4_000),
    )


def _prepare(tmp_path: Path, name: str, num_proc: int | None = None, **settings: Any) -> Any:
    builder = LLM4MatBuilder(
        config_name=name, data_dir=str(tmp_path / "in"), cache_dir=str(tmp_path / "cache"), **settings
    )
    builder.download_and_prepare(num_proc=num_proc)
    return builder.as_dataset()


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", ["mp", "mp-description", "mp-cif-stripped"])
def test_the_same_rows_as_the_built_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, strict: bool
) -> None:
    from datasets import load_dataset

    _small(monkeypatch)
    write_published(tmp_path / "in", sizes=SIZES, change=_spoil)
    source = with_sizes(write_published(tmp_path / "in", sizes=SIZES, change=_spoil), SIZES)
    options = BuildOptions(strict=strict, allow_partial=True, cif_policy="strip-derived")
    build_source(source, tmp_path / "in", tmp_path / "out", options)
    folder = load_dataset(str(tmp_path / "out"), name, cache_dir=str(tmp_path / "loaded"))
    built = _prepare(tmp_path, name, strict=strict)
    for split in ("train", "validation", "test"):
        theirs = folder[split]
        if name == "mp":
            theirs = theirs.remove_columns("cif_stripped")
        assert built[split].features == theirs.features
        assert built[split].to_list() == theirs.to_list()


@pytest.mark.slow
@own_process
def test_two_processes_and_streaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    write_published(tmp_path / "in", sizes=SIZES)
    one = _prepare(tmp_path, "mp-cif")
    two = LLM4MatBuilder(config_name="mp-cif", data_dir=str(tmp_path / "in"), cache_dir=str(tmp_path / "other"))
    two.download_and_prepare(num_proc=2)
    assert two.as_dataset()["train"].to_list() == one["train"].to_list()
    stream = two.as_streaming_dataset(split="train")
    assert list(stream) == one["train"].to_list()
    assert stream.num_shards >= 3


@own_process
def test_two_processes_where_the_temporary_folder_has_a_long_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """multiprocess dies with a bare EOFError there: the path of a socket has at most 107 characters."""
    _small(monkeypatch)
    write_published(tmp_path / "in", sizes=SIZES)
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert _prepare(tmp_path, "mp-cif", num_proc=2)["train"].num_rows == SIZES[0]
    assert tempfile.gettempdir() == str(long)


def test_no_short_folder_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_published(tmp_path / "in", sizes=SIZES)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 25)))
    monkeypatch.setattr("llm4mat_bench.dataset_builder.hf_builder._SHORT_FOLDER", str(tmp_path / "nowhere"))
    builder = LLM4MatBuilder(config_name="mp", data_dir=str(tmp_path / "in"), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(DataError, match="set TMPDIR to a folder of at most"):
        builder.download_and_prepare(num_proc=2)


def test_the_cache_notices_changed_data(tmp_path: Path) -> None:
    write_published(tmp_path / "in", sizes=(4, 1, 1))
    assert len(_prepare(tmp_path, "mp-composition")["train"]) == 4
    write_published(tmp_path / "in", sizes=(5, 1, 1))
    assert len(_prepare(tmp_path, "mp-composition")["train"]) == 5


def test_the_cache_notices_changed_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_published(tmp_path / "in", sizes=(4, 1, 1))
    settings = {"config_name": "mp", "data_dir": str(tmp_path / "in"), "cache_dir": str(tmp_path / "cache")}
    first = LLM4MatBuilder(**settings).cache_dir
    assert LLM4MatBuilder(**settings).cache_dir == first
    module = "llm4mat_bench.dataset_builder.hf_builder.code_fingerprint"
    monkeypatch.setattr(module, lambda: "other code")
    assert LLM4MatBuilder(**settings).cache_dir != first


def test_a_raw_dump(tmp_path: Path) -> None:
    import json

    atoms = {
        "lattice_mat": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
        "coords": [[0, 0, 0]],
        "elements": ["Na"],
        "cartesian": False,
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "omdbv1.json").write_text(
        json.dumps([{"cod_id": f"c{n}", "bandgap": n, "atoms": atoms} for n in range(20)])
    )
    data = _prepare(tmp_path, "omdb-cif")
    assert {split: rows.num_rows for split, rows in data.items()} == {"train": 16, "validation": 2, "test": 2}
    ids = [one for rows in data.values() for one in rows["material_id"]]
    assert sorted(ids) == sorted(f"c{n}" for n in range(20))
    other = _prepare(tmp_path, "omdb-cif", seed=7)
    assert other["test"]["material_id"][:] != data["test"]["material_id"][:]


def test_wrong_names_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises((UsageError, ValueError), match=r"modality|mp-text"):
        LLM4MatBuilder(config_name="mp-text", data_dir=str(tmp_path), cache_dir=str(tmp_path / "c"))
    builder = LLM4MatBuilder(config_name="mp", cache_dir=str(tmp_path / "c"))
    with pytest.raises(UsageError, match="data_dir"):
        builder.download_and_prepare()


def test_a_split_without_rows(tmp_path: Path) -> None:
    write_published(tmp_path / "in", sizes=(4, 1, 1))
    path = tmp_path / "in" / "mp" / "test.csv"
    path.write_text(path.read_text().split("\n", 1)[0] + "\n")
    data = _prepare(tmp_path, "mp-cif")
    assert {split: rows.num_rows for split, rows in data.items()} == {"train": 4, "validation": 1}
