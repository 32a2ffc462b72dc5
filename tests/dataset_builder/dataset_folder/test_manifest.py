"""The tables of a split against ``splits.json``."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import with_sizes, write_published

from llm4mat_bench.dataset_builder.dataset_folder.manifest import check_split
from llm4mat_bench.dataset_builder.dataset_folder.reading import SourceFiles, open_dataset_folder
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.errors import DataError


@pytest.fixture
def built(tmp_path: Path) -> Path:
    source = with_sizes(write_published(tmp_path / "published"), (8, 2, 3))
    build_source(source, tmp_path / "published", tmp_path / "built", BuildOptions(allow_partial=True))
    return tmp_path / "built"


def files(folder: Path) -> SourceFiles:
    return open_dataset_folder(folder).sources["mp"]


def test_what_was_built_agrees(built: Path) -> None:
    for split in ("train", "validation", "test"):
        check_split(files(built), split)


def test_other_ids_are_found(built: Path) -> None:
    (built / "build_report.json").unlink()  # which would find them by its own means
    shard = next((built / "data" / "mp").glob("test-*.parquet"))
    table = pq.read_table(shard)
    ids = ["id-0", *table["material_id"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("material_id"), "material_id", pa.array(ids)), shard)
    with pytest.raises(DataError, match="hold other ids in split test"):
        check_split(files(built))


def test_a_damaged_manifest_is_one_line(built: Path) -> None:
    check_split(files(built))
    path = built / "splits.json"
    value = json.loads(path.read_text())
    del value["mp"]["test"]
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"splits.json: the test split of mp is not in it"):
        check_split(files(built))


def test_without_a_manifest_nothing_is_compared(built: Path) -> None:
    (built / "splits.json").unlink()
    check_split(files(built))
