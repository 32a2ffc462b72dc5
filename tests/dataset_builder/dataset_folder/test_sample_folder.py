"""The embedded sample as a dataset folder that load_dataset reads."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.dataset_folder.features import class_names, conform, dataset_features, dataset_schema
from llm4mat_bench.dataset_builder.export.sample import SAMPLE_FOLDER, build_sample
from llm4mat_bench.dataset_builder.splits import ids_sha256
from llm4mat_bench.errors import DataError

SIZES = {"train": 8, "validation": 2, "test": 3}


def _rows(split: str, count: int) -> pa.Table:
    source = get_source("sample")
    columns: dict[str, list[object]] = {
        "material_id": [f"mp-{split}-{i}" for i in range(count)],
        "composition": ["NaN" if i == 0 else "NaCl" for i in range(count)],
        "cif": [f"data_{i}" for i in range(count)],
        "description": [None if i == 0 else f"Crystal {i} has 2.10 Å bonds." for i in range(count)],
    }
    for prop in source.properties:
        columns[prop.name] = [(i % 2 == 0) if prop.classes else (None if i == 1 else 0.5 * i) for i in range(count)]
    return pa.table(columns)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the sample's form. A double: the real ones take seconds to load forty times."""
    folder = tmp_path_factory.mktemp("sample")
    for split, count in SIZES.items():
        pq.write_table(_rows(split, count), folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def built(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    build_sample(out, sample)
    return out


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("modality", ["composition", "cif", "description", None])
def test_every_config_loads(built: Path, tmp_path: Path, modality: str | None, streaming: bool) -> None:
    from datasets import load_dataset

    name = "sample" if modality is None else f"sample-{modality}"
    data = load_dataset(str(built), name, streaming=streaming, cache_dir=str(tmp_path))
    source = get_source("sample")
    texts = ["composition", "cif", "description"] if modality is None else [modality]
    assert {split: len(list(rows)) for split, rows in data.items()} == SIZES
    assert list(data["test"].features) == ["material_id", *texts, *(prop.name for prop in source.properties)]
    first = next(iter(data["train"]))
    assert first["material_id"] == "mp-train-0"
    assert first["is_stable"] == 1
    assert data["train"].features["is_stable"].names == ["False", "True"]
    if modality == "composition":
        assert first["composition"] == "NaN"
    if modality == "description":
        assert first["description"] is None


def test_relative_name_beside_the_folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    monkeypatch.chdir(built.parent)
    data = load_dataset(built.name, "sample-cif", split="train[:2]", cache_dir=str(tmp_path))
    assert data["cif"][:] == ["data_0", "data_1"]


def test_splits_report_and_card(built: Path) -> None:
    splits = json.loads((built / "splits.json").read_text())["sample"]
    assert splits["test"] == {
        "rows": 3,
        "distinct_ids": 3,
        "ids_sha256": ids_sha256(f"mp-test-{i}" for i in range(3)),
    }
    report = json.loads((built / "build_report.json").read_text())["sources"]["sample"]
    assert report["splits"]["train"]["missing"]["description"] == 1
    card = (built / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert [config["config_name"] for config in front["configs"]] == [
        "sample-composition",
        "sample-cif",
        "sample-description",
        "sample",
    ]
    assert front["license"] == "cc-by-4.0"
    assert "10.1063/1.4812323" in card
    assert "{{ " not in card
    assert not (built / ".build").exists()


def test_card_is_one_the_hub_library_reads(built: Path) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(built / "README.md")
    assert card.data.pretty_name == "LLM4Mat-Bench"
    assert len(card.data.to_dict()["configs"]) == 4


def test_one_row_group_a_shard(built: Path) -> None:
    for path in built.glob("data/sample/*.parquet"):
        assert pq.read_metadata(path).num_row_groups == 1


def test_same_bytes_twice_and_new_version_with_new_data(built: Path, sample: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    build_sample(again, sample)
    for path in sorted(built.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(built)).read_bytes(), path
    before = (again / "README.md").read_text()
    changed = tmp_path / "changed"
    changed.mkdir()
    for split, count in SIZES.items():
        pq.write_table(_rows(split, count - 1), changed / f"{split}.parquet")
    build_sample(again, changed)
    after = (again / "README.md").read_text()
    versions = [yaml.safe_load(text.split("---\n")[1])["configs"][0]["version"] for text in (before, after)]
    assert versions[0] != versions[1], "the cache of datasets would serve the old rows"


def test_a_changed_folder_is_not_served_from_the_cache(sample: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    out = tmp_path / "folder"
    build_sample(out, sample)
    assert len(load_dataset(str(out), "sample-cif", split="test", cache_dir=str(tmp_path / "cache"))) == 3
    smaller = tmp_path / "smaller"
    smaller.mkdir()
    for split in SIZES:
        pq.write_table(_rows(split, 1), smaller / f"{split}.parquet")
    build_sample(out, smaller)
    assert len(load_dataset(str(out), "sample-cif", split="test", cache_dir=str(tmp_path / "cache"))) == 1


def test_classes_in_any_spelling() -> None:
    source = get_source("sample")
    table = _rows("train", 4)
    place = table.column_names.index("is_stable")
    spelt = table.set_column(place, "is_stable", pa.array(["False", "True", None, "True"]))
    assert conform(spelt, source)["is_stable"].to_pylist() == [0, 1, None, 1]
    wrong = table.set_column(place, "is_stable", pa.array(["False", "yes", None, "True"]))
    with pytest.raises(DataError, match=r"is_stable.*'yes'"):
        conform(wrong, source)
    with pytest.raises(DataError, match="no column cif"):
        conform(table.drop_columns(["cif"]), source)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.parquet"):
        build_sample(tmp_path / "out", tmp_path)


@pytest.mark.parametrize("name", ["mp", "snumat", "jarvis_dft", "sample"])
def test_schema_has_all_columns_with_class_names(name: str) -> None:
    source = get_source(name)
    schema = dataset_schema(source)
    assert schema.names == ["material_id", "composition", "cif", "description", *(p.name for p in source.properties)]
    for prop in source.properties:
        assert schema.field(prop.name).type == (pa.int64() if prop.classes else pa.float64())
        if prop.classes:
            assert class_names(prop)[1] == prop.classes.positive


@pytest.mark.parametrize("extra", [(), ("cif_stripped",)])
@pytest.mark.parametrize("name", ["mp", "snumat", "jarvis_dft"])
def test_schema_is_that_of_the_datasets_library(name: str, extra: tuple[str, ...]) -> None:
    theirs = dataset_features(get_source(name), extra).arrow_schema
    assert dataset_schema(get_source(name), extra).equals(theirs, check_metadata=True)


@pytest.mark.skipif(not (SAMPLE_FOLDER / "train.parquet").exists(), reason="no embedded sample in this checkout yet")
def test_the_real_sample(tmp_path: Path) -> None:
    report = build_sample(tmp_path / "out")
    for split in report.splits.values():
        assert split.read == split.written == split.expected == split.distinct_ids
