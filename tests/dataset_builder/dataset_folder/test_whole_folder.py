"""A folder that is not whole is refused by everything that reads it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench.dataset_builder.dataset_folder import (
    load_task,
    open_dataset_folder,
    read_labels,
    task_identity,
)
from llm4mat_bench.dataset_builder.export.sample import build_sample
from llm4mat_bench.errors import DataError, UsageError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "folder"
    build_sample(out)
    return out


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "folder"))


def shard(folder: Path, split: str) -> Path:
    return folder / "data" / "sample" / f"{split}-00000-of-00001.parquet"


def in_two(folder: Path, split: str, *, keep: tuple[int, ...]) -> None:
    table = pq.read_table(shard(folder, split))
    half = table.num_rows // 2
    for index, part in enumerate((table.slice(0, half), table.slice(half))):
        if index in keep:
            pq.write_table(part, shard(folder, split).with_name(f"{split}-{index:05d}-of-00002.parquet"))
    shard(folder, split).unlink()


def without_report(folder: Path) -> None:
    (folder / "build_report.json").unlink()


READERS: list[Callable[[Path], object]] = [
    lambda place: load_task("sample/band_gap", "cif", place),
    lambda place: load_task("sample/band_gap", "cif", place, streaming=True),
    lambda place: read_labels("sample/band_gap", place),
    lambda place: task_identity("sample/band_gap", "cif", place),
    open_dataset_folder,
]


@pytest.mark.parametrize("read", READERS)
def test_a_missing_shard_is_refused(folder: Path, read: Callable[[Path], object]) -> None:
    """As in the issue: only train-00000-of-00002 and test-00000-of-00002 are there."""
    in_two(folder, "train", keep=(0,))
    in_two(folder, "test", keep=(0,))
    without_report(folder)
    with pytest.raises(DataError, match=r"train lacks 1 of 2 shards, the first is number 1\. Build or download"):
        read(folder)


@pytest.mark.parametrize("read", READERS)
def test_shards_that_the_report_does_not_know_are_refused(folder: Path, read: Callable[[Path], object]) -> None:
    in_two(folder, "train", keep=(0, 1))
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet: missing, though build_report\.json lists it"):
        read(folder)


@pytest.mark.parametrize("read", READERS)
def test_a_shard_of_another_size_is_refused(folder: Path, read: Callable[[Path], object]) -> None:
    table = pq.read_table(shard(folder, "test"))
    pq.write_table(table.slice(0, 60), shard(folder, "test"))
    with pytest.raises(DataError, match=r"test-00000-of-00001\.parquet: [\d,]+ bytes, build_report\.json says"):
        read(folder)


@pytest.mark.parametrize("read", READERS)
def test_the_row_counts_of_the_report_are_enforced(folder: Path, read: Callable[[Path], object]) -> None:
    report = json.loads((folder / "build_report.json").read_text())
    report["sources"]["sample"]["splits"]["test"]["written"] += 5
    (folder / "build_report.json").write_text(json.dumps(report))
    with pytest.raises(DataError, match=r"570 rows in split test, build_report\.json says 575"):
        read(folder)


@pytest.mark.parametrize("read", READERS[:-1])
def test_a_missing_split_is_refused(folder: Path, read: Callable[[Path], object]) -> None:
    shard(folder, "validation").unlink()
    without_report(folder)
    with pytest.raises(DataError, match=r"no data/sample/validation-\*\.parquet, though other splits are there"):
        read(folder)


def test_a_source_that_the_report_does_not_list(folder: Path) -> None:
    (folder / "data" / "sample").rename(folder / "data" / "mp")
    with pytest.raises(DataError, match=r"data/mp: .*build_report\.json does not list this source"):
        open_dataset_folder(folder)
    shutil.rmtree(folder / "data" / "mp")
    with pytest.raises(DataError, match=r"data/sample is missing, though build_report\.json lists it"):
        read_labels("sample/band_gap", folder)


def test_a_damaged_report_is_refused(folder: Path) -> None:
    (folder / "build_report.json").write_text('{"schema_version": 2')
    with pytest.raises(DataError, match=r"build_report\.json: not a build report"):
        load_task("sample/band_gap", "cif", folder)


def test_an_id_that_is_missing_is_named(folder: Path) -> None:
    table = pq.read_table(shard(folder, "test"))
    ids = table["material_id"].to_pylist()
    ids[6] = None
    pq.write_table(table.set_column(0, "material_id", pa.array(ids)), shard(folder, "test"))
    without_report(folder)
    with pytest.raises(DataError, match="row 7 of split test has no material_id"):
        load_task("sample/band_gap", "cif", folder)


def test_data_and_its_old_name(built: Path) -> None:
    with pytest.warns(FutureWarning, match=r"load_task\(source=\.\.\.\) is now called data="):
        old = load_task("sample/band_gap", "composition", source=built)
    assert old["test"].to_list() == load_task("sample/band_gap", "composition", data=built)["test"].to_list()
    with pytest.raises(UsageError, match="data= and source= are the same place"):
        load_task("sample/band_gap", "composition", built, source=built)
