"""load_task: the same rows from the package, from a built folder and from the double of the Hub."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_double import HubDouble, hub  # noqa: F401 - a fixture

from llm4mat_bench import load_task
from llm4mat_bench.dataset_builder.dataset_folder import task_identity
from llm4mat_bench.dataset_builder.sample import read_sample
from llm4mat_bench.errors import DataError, UsageError

PRINT_HASHES = """
import sys
from llm4mat_bench.dataset_builder.dataset_folder import load_task, read_labels, task_identity
for name in ("sample/band_gap", "sample/is_stable"):
    print(task_identity(name, "description", sys.argv[1]).sha256)
splits = load_task(name, "description", sys.argv[1])
streams = load_task(name, "description", sys.argv[1], streaming=True)
for split, labels in read_labels(name, sys.argv[1]).splits.items():
    rows = splits[split].to_list()
    assert rows == list(streams[split])
    assert [row["material_id"] for row in rows] == labels.material_ids.to_pylist()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "llm4mat-bench"
    command = [sys.executable, "-m", "llm4mat_bench.cli", "build", "sample", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.parametrize("modality", ["composition", "cif", "description"])
def test_columns_and_rows_are_those_of_the_sample(modality: str) -> None:
    splits = load_task("sample/band_gap", modality)
    for split, rows in splits.items():
        assert rows.column_names == ["material_id", "text", "target"]
        table = read_sample(str(split))
        labelled = table.filter(table["band_gap"].is_valid())
        assert rows["material_id"][:] == labelled["material_id"].to_pylist()
        assert rows["text"][:] == labelled[modality].to_pylist()
        assert rows["target"][:] == labelled["band_gap"].to_pylist()


def test_classes_are_named_and_count_from_the_negative() -> None:
    target = load_task("sample/is_stable", "composition")["train"].features["target"]
    assert target.names == ["False", "True"]


@pytest.mark.parametrize("name", ["sample/band_gap", "sample/is_stable"])
def test_a_built_folder_gives_the_same_task(folder: Path, name: str) -> None:
    assert task_identity(name, "cif", folder) == task_identity(name, "cif")


@pytest.mark.slow
def test_a_repo_on_the_hub_gives_the_same_task(folder: Path, hub: HubDouble, tmp_path: Path) -> None:  # noqa: F811
    hub.add_token("hf_test", namespaces=["org"])
    environment = os.environ | hub.environment("hf_test", tmp_path / "home")
    push = [sys.executable, "-m", "llm4mat_bench.cli", "push", "dataset", str(folder), "--repo", "org/llm4mat-bench"]
    subprocess.run(push, env=environment, check=True, capture_output=True)
    command = [sys.executable, "-c", PRINT_HASHES, "org/llm4mat-bench"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr[-2000:]
    expected = [task_identity(name, "description").sha256 for name in ("sample/band_gap", "sample/is_stable")]
    assert found.stdout.split() == expected
    offline = subprocess.run(
        command, env=environment | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert offline.returncode == 0, offline.stderr[-2000:]  # all of it is in the caches
    assert offline.stdout.split() == expected


def change(folder: Path, tmp_path: Path, new: Callable[[pa.Table], pa.Table]) -> Path:
    source = folder / "data" / "sample" / "test-00000-of-00001.parquet"
    target = tmp_path / "data" / "sample" / source.name
    target.parent.mkdir(parents=True)
    for other in source.parent.iterdir():
        (target.parent / other.name).write_bytes(other.read_bytes())
    pq.write_table(new(pq.read_table(source)), target)
    return tmp_path


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (lambda t: t.drop_columns(["band_gap"]), "no column band_gap"),
        (lambda t: t.slice(0, 0), "no labelled row in split test"),
        (
            lambda t: t.set_column(t.column_names.index("band_gap"), "band_gap", [[float("inf")] * len(t)]),
            "infinite or NaN labels",
        ),
    ],
)
def test_damaged_folders_are_refused(
    folder: Path, tmp_path: Path, new: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_task("sample/band_gap", "cif", change(folder, tmp_path, new))


def test_repeated_materials_count_once_and_are_told(folder: Path, tmp_path: Path) -> None:
    """As in the published test file of mp, where 53 ids stand 8 times."""
    place = change(folder, tmp_path, lambda table: pa.concat_tables([table, table.slice(0, 40), table.slice(0, 40)]))
    test = load_task("sample/density", "cif")["test"]
    with pytest.warns(UserWarning, match="sample/density: 80 labelled rows of split test repeat a material id"):
        again = load_task("sample/density", "cif", place)["test"]
    assert again["material_id"][:] == test["material_id"][:]
    assert again["target"][:] == test["target"][:]


def test_a_truncated_shard_is_refused(folder: Path, tmp_path: Path) -> None:
    place = change(folder, tmp_path, lambda table: table)
    shard = place / "data" / "sample" / "test-00000-of-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        load_task("sample/band_gap", "cif", place)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mp/band_gap", "cif"), "is not in the package"),
        (("sample/band_gap", "cfi"), "Did you mean cif"),
        (("sample/band_gap", "cif", "./nowhere"), "no such folder"),
    ],
)
def test_wrong_calls(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_task(*arguments)


def test_a_folder_without_the_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no data/sample/train-\*\.parquet"):
        load_task("sample/band_gap", "cif", tmp_path)


UNREACHABLE = """
from llm4mat_bench import load_task
from llm4mat_bench.errors import UsageError
try:
    load_task("sample/band_gap", "cif", "org/nothing")
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize("settings", [{"HF_ENDPOINT": "http://127.0.0.1:1"}, {"HF_HUB_OFFLINE": "1"}])
def test_no_way_to_the_hub_is_one_line(tmp_path: Path, settings: dict[str, str]) -> None:
    environment = os.environ | settings | {"HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", UNREACHABLE]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert said.startswith("org/nothing: no such folder here, and the Hub cannot be reached")
    assert said.count("\n") == 1
