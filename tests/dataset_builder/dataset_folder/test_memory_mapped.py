"""What load_task gives is mapped, streams alike, and follows the folder when that changes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench.dataset_builder.dataset_folder import load_task, read_labels

PEAK = """
import resource, sys
import datasets, pyarrow.compute
from llm4mat_bench import load_task
from llm4mat_bench.dataset_builder.dataset_folder import read_labels, task_identity
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
splits = load_task("sample/band_gap", "description", sys.argv[1])
read_labels("sample/band_gap", sys.argv[1])
task_identity("sample/band_gap", "description", sys.argv[1])
print(splits["train"].num_rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def made_up(rows: int, start: int = 0, words: int = 3) -> dict[str, list[Any]]:
    return {
        "material_id": [f"mp-{start + n}" for n in range(rows)],
        "composition": ["NaCl"] * rows,
        "cif": [f"data_{n}" for n in range(rows)],
        "description": [None if n % 7 == 3 else f"Crystal {start + n}. " * words for n in range(rows)],
        "band_gap": [None if n % 3 == 1 else 0.25 * n for n in range(rows)],
    }


def write(folder: Path, split: str, shards: list[dict[str, list[Any]]]) -> None:
    place = folder / "data" / "sample"
    place.mkdir(parents=True, exist_ok=True)
    for index, columns in enumerate(shards):
        pq.write_table(pa.table(columns), place / f"{split}-{index:05d}-of-{len(shards):05d}.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    twice = made_up(5, start=20)
    twice["material_id"][3] = "mp-0"
    write(tmp_path, "train", [made_up(20), twice, made_up(9, start=30)])
    write(tmp_path, "validation", [made_up(6, start=50)])
    write(tmp_path, "test", [made_up(8, start=60)])
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*repeat a material id")
def test_mapped_streamed_and_read_labels_agree(folder: Path) -> None:
    splits = load_task("sample/band_gap", "description", folder)
    streams = load_task("sample/band_gap", "description", folder, streaming=True)
    labels = read_labels("sample/band_gap", folder).splits
    expected = [*zip(*made_up(20).values(), strict=True), *zip(*made_up(5, 20).values(), strict=True)]
    expected += zip(*made_up(9, 30).values(), strict=True)
    labelled = [
        {"material_id": row[0], "text": row[3], "target": row[4]}
        for number, row in enumerate(expected)
        if row[4] is not None and number != 23
    ]
    assert splits["train"].to_list() == labelled
    for split, rows in splits.items():
        assert list(streams[split]) == rows.to_list()
        assert labels[split].material_ids.to_pylist() == rows["material_id"][:]
        np.testing.assert_array_equal(labels[split].targets, rows["target"][:])
    assert streams["train"].num_shards == 3
    assert None in splits["train"]["text"][:]


@pytest.mark.filterwarnings("ignore:.*repeat a material id")
def test_texts_are_mapped_from_one_file_a_modality(folder: Path) -> None:
    first = load_task("sample/band_gap", "cif", folder)["train"].cache_files
    again = load_task("sample/band_gap", "cif", folder)["train"].cache_files
    assert len(first) == 1
    assert first == again


def test_repeats_warn_every_time(folder: Path) -> None:
    for read in (lambda: load_task("sample/band_gap", "cif", folder), lambda: read_labels("sample/band_gap", folder)):
        with pytest.warns(UserWarning, match="1 labelled rows of split train repeat a material id"):
            read()


def test_a_changed_shard_is_noticed(folder: Path) -> None:
    before = load_task("sample/band_gap", "description", folder)["test"]
    changed = made_up(8, start=60)
    changed["description"][0] = "Another text."
    changed["band_gap"][2] = 9.5
    write(folder, "test", [changed])
    after = load_task("sample/band_gap", "description", folder)["test"]
    assert after["text"][0] == "Another text."
    assert 9.5 in after["target"][:]
    assert before["text"][0] == "Crystal 60. " * 3  # who has the old one mapped keeps it
    cached = Path(after.cache_files[0]["filename"])
    assert len(list(cached.parent.glob("sample-description-test-*.arrow"))) == 1


def test_maps_are_found_again(folder: Path) -> None:
    """The fingerprint names the content, so that what a model computed from it is not computed twice."""
    one, two = (load_task("sample/band_gap", "cif", folder)["validation"] for _ in range(2))
    assert one._fingerprint == two._fingerprint
    other = load_task("sample/band_gap", "description", folder)["validation"]
    assert other._fingerprint != one._fingerprint


def test_workers_of_a_loader_can_take_it(folder: Path) -> None:
    import pickle

    train = load_task("sample/band_gap", "description", folder)["train"]
    assert pickle.loads(pickle.dumps(train)).to_list() == train.to_list()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    """160 MB of texts in the folder; a list of them, or an array, would be that and more."""
    for split, rows in (("train", 16_000), ("validation", 2_000), ("test", 2_000)):
        write(tmp_path, split, [made_up(rows, words=600)])
    found = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(found[0]) == 16_000 - len(range(1, 16_000, 3))
    assert int(found[1]) < 120, f"{found[1]} MB more"
