"""A source of the user's own: its build report declares it; `submit`, `verify` and `leaderboard` read that."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_double import HubDouble, hub  # noqa: F401 - a fixture

from llm4mat_bench import get_task, load_task
from llm4mat_bench.dataset_builder.catalogue import Source, list_sources, list_tasks, lookup, match_tasks
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.errors import UsageError
from llm4mat_bench.hub import check_dataset_folder, push_folder
from llm4mat_bench.metrics.results import verify
from llm4mat_bench.metrics.results.places import Truths

ROOT = Path(__file__).resolve().parents[3]
TASK = "mine/hardness"
SPLITS = {"train": 32, "validation": 4, "test": 4}
CIF = """data_CsCl
_cell_length_a {size}
_cell_length_b {size}
_cell_length_c {size}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cs 0 0 0
Cl 0.5 0.5 0.5
"""


def declaration(**changes: Any) -> Source:
    """The declaration of docs/datasets.md, for forty rows."""
    text = (ROOT / "docs" / "datasets.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    declared = yaml.safe_load(text)
    declared["published"] |= {"cifs": 40, "rows": 40, "splits": SPLITS}
    return Source.model_validate(declared | changes)


def build(folder: Path, source: Source) -> Path:
    origin = folder / "MINE"
    origin.mkdir(parents=True)
    with (origin / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "cif", "hardness"])
        writer.writerows([f"crystal-{i}", CIF.format(size=4 + i / 10), 1 + i / 7] for i in range(40))
    build_source(source, origin, folder / "DATA", BuildOptions(), reader_name="cif_folder")
    return folder / "DATA"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("own"), declaration())


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a process has learnt of own sources is not for other tests."""
    yield
    lookup._own.clear()


@pytest.fixture
def results(data: Path, tmp_path: Path, call: Callable[..., Any]) -> Path:
    """The mean of the training rows, submitted."""
    table = load_task(TASK, "composition", data=data)
    mean = sum(table["train"]["target"]) / len(table["train"])
    with (tmp_path / "answers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "prediction"])
        writer.writerows([name, mean] for name in table["test"]["material_id"])
    lookup._own.clear()
    words = ["--task", TASK, "-m", "composition", "--model-id", "me", "--model-url", "https://example.org"]
    called = call("submit", tmp_path / "answers.csv", *words, "--data", data, "--out", tmp_path / "results")
    assert called.status == 0, called.err
    lookup._own.clear()
    return tmp_path / "results"


def test_submit_verify_and_leaderboard(results: Path, data: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    (one,) = json.loads(call("verify", results, "--data", data, "--require-data", "--json").out)
    assert (one["task"], one["sound"], one["data_checked"], one["data"]) == (TASK, True, True, "DATA")
    lookup._own.clear()
    called = call("leaderboard", results, "--data", f"mine={data}", "--out", tmp_path / "board", "--no-plots")
    assert called.status == 0, called.err
    (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert source["source"] == "mine"
    assert source["entries"][0]["cells"][TASK]["place"] == 1
    page = (tmp_path / "board" / "sources" / "mine.html").read_text()
    assert "hardness" in page
    # Nobody has said whether the weights had seen test materials: a mark, and rows that can be chosen by it.
    assert ">may have seen test data</span>" in page
    assert 'overlap-unknown recomputed"' in page and '<option value="overlap-unknown">' in page
    lookup._own.clear()
    called = call("score", next(results.rglob("predictions.parquet")), "--task", TASK, "--data", data)
    assert called.status == 0 and "GPa" in called.out


def test_a_repo_declares_it_too(
    results: Path,
    data: Path,
    hub: HubDouble,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.add_token("hf_own", ["org"])
    hub.use(monkeypatch, "hf_own", tmp_path / "home")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    push_folder(data, check_dataset_folder(data), "org/mine", "dataset", private=False)
    (found,) = verify.verify_results(results, ["org/mine"])
    assert (found.faults, found.data_checked, found.place) == ((), True, "org/mine")


def test_without_its_folder_nobody_knows_the_task(results: Path, call: Callable[..., Any]) -> None:
    called = call("verify", results)
    assert called.status == 1
    assert "a source of your own is known where --data names its folder" in " ".join(called.err.split())


def test_a_changed_answer_is_seen(results: Path, data: Path) -> None:
    file = next(results.rglob("result.json"))
    file.write_text(file.read_text().replace('"unit": "GPa"', '"unit": "eV"'))
    (found,) = verify.verify_results(results, [str(data)])
    assert any("the catalogue says GPa" in fault for fault in found.faults)


def test_processes_know_it_too(results: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_WORTH_WORKERS", 1)
    (found,) = verify.verify_results(results, [str(data)], workers=2)
    assert not found.faults and found.data_checked


def test_it_is_no_part_of_the_benchmark(data: Path) -> None:
    before = list_tasks()
    Truths([str(data)])
    assert get_task(TASK).unit == "GPa"
    assert list_tasks() == before
    assert match_tasks(["mine/*"]) == [get_task(TASK)]
    assert get_task(TASK) not in match_tasks(["*/*"])
    assert "mine" in [source.id for source in list_sources(include_sample=True)]


def test_the_catalogue_keeps_its_names(data: Path) -> None:
    assert lookup.declare_source(declaration(id="mp")) is None
    assert get_task("mp/band_gap").unit == "eV"


def test_two_declarations_of_one_name_are_refused(data: Path, tmp_path: Path) -> None:
    properties = [declaration().properties[0].model_dump() | {"unit": "kbar"}]
    other = build(tmp_path, declaration(properties=properties))
    with pytest.raises(UsageError, match="declare mine differently"):
        Truths([str(data), str(other)])
