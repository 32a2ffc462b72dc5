"""push results, predictions, leaderboard: every push is read back through the Hub's public client, on a double."""

import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from forgery import change_record, forge_record
from hub_double import Blob, HubDouble
from huggingface_hub import HfApi, ModelCard, SpaceCard, metadata_load, parse_eval_result_entries, snapshot_download
from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index
from toy_runs import toy_answers, toy_run

from llm4mat_bench import load_model
from llm4mat_bench.dataset_builder.catalogue import get_source, get_task
from llm4mat_bench.dataset_builder.dataset_folder.card_sections import begin_mark
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.export.sample import build_sample
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.hub import HubError, check_dataset_folder, model_push, push_folder
from llm4mat_bench.hub.errors import explain, redact
from llm4mat_bench.hub.front_matter import put_keys, split_card
from llm4mat_bench.hub.model_card import SECTION, _use
from llm4mat_bench.hub.model_push import ModelPush, push_results
from llm4mat_bench.hub.patience import may_pass
from llm4mat_bench.hub.predictions_push import push_predictions
from llm4mat_bench.hub.result_entries import merged_entries, merged_index
from llm4mat_bench.hub.space_push import push_leaderboard
from llm4mat_bench.hub.staging import staging_folder
from llm4mat_bench.metrics.leaderboard import write_leaderboard
from llm4mat_bench.metrics.leaderboard.entries import entries_of, sound_runs
from llm4mat_bench.metrics.results.places import Truths
from llm4mat_bench.metrics.results.record import read_record
from llm4mat_bench.metrics.results.verify import verify_results

TOKEN = "hf_aVerySecretTokenThatNobodyMaySee"
DATA, MODEL = "org/llm4mat-bench", "org/model"
ENTRIES = ".eval_results/llm4mat-bench.yaml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 400 synthetic rows of mp, in their published form."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from synthetic import write_published

    folder = tmp_path_factory.mktemp("data")
    write_published(folder / "published" / "mp", 400)
    build_source(get_source("mp"), folder / "published", folder / "built", BuildOptions(allow_partial=True))
    return folder / "built"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """Results of one model on mp, two tasks, one of them with three seeds."""
    results = tmp_path_factory.mktemp("runs") / "results"
    for seed in (0, 1, 2):
        toy_run(results, "mp/band_gap", data=built, seed=seed)
    toy_run(results, "mp/is_stable", data=built)
    return results


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """Results of a single run."""
    results = tmp_path_factory.mktemp("one") / "results"
    toy_run(results, "mp/band_gap", data=built)
    return results


@pytest.fixture
def logged_in(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubDouble:
    hub.add_token(TOKEN, ["org"])
    hub.use(monkeypatch, TOKEN, tmp_path / "home")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return hub


@pytest.fixture
def shared(logged_in: HubDouble, built: Path) -> HubDouble:
    """The double with the dataset on it."""
    push_folder(built, check_dataset_folder(built), DATA, "dataset", private=False)
    return logged_in


def push(results: Path, repo: str = MODEL, data: tuple[str, ...] = (DATA,), **options: Any) -> ModelPush:
    return push_results(results, repo, Truths(data), figures=False, private=options.pop("private", False), **options)


def text_of(hub: HubDouble, path: str, repo: str = MODEL, revision: str = "main") -> str:
    return hub.repo("model", repo).files(revision)[path].content.decode()


def put(hub: HubDouble, files: dict[str, str], repo: str = MODEL) -> None:
    held = hub.repos.get(("model", repo)) or hub.add_repo("model", repo)
    held.commit(
        "main", {**held.files(), **{path: Blob(text.encode(), False) for path, text in files.items()}}, "people"
    )


# ---------------------------------------------------------------------- a new repo, read back


def test_the_card_is_read_back_by_the_public_client(shared: HubDouble, runs: Path) -> None:
    push(runs, licence="apache-2.0")
    card = ModelCard.load(MODEL)
    assert card.data.license == "apache-2.0"
    assert card.data.datasets == [DATA]
    assert "llm4mat-bench" in card.data.tags
    rows = {(one.task_type, one.dataset_config): one for one in card.data.eval_results or []}
    gap = rows["tabular-regression", "mp-composition"]
    assert gap.dataset_type == DATA and gap.metric_type == "mad_mae"
    verified = [one for one in verify_results(runs, [DATA]) if one.record and one.record.task == "mp/band_gap"]
    scores = [one.report.whole.mad_mae.value for one in verified if one.report and one.report.kind == "regression"]
    assert gap.metric_value == pytest.approx(sum(scores) / 3, rel=1e-12)
    card.validate()
    for heading in (
        "Intended use",
        "Load and predict",
        "Training data and licences",
        "Results",
        "Limits",
        "Environment",
    ):
        assert f"\n## {heading}\n" in card.content
    assert "over 3 seeds" in card.content
    assert "CC BY 4.0" in card.content and "10.1063/1.4812323" in card.content


def test_entries_are_parsed_by_the_library_and_name_tasks_of_the_dataset(shared: HubDouble, runs: Path) -> None:
    push(runs)
    entries = parse_eval_result_entries(yaml.safe_load(text_of(shared, ENTRIES)))
    declared = yaml.safe_load(shared.repo("dataset", DATA).files()["eval.yaml"].content)["tasks"]
    assert {one.task_id for one in entries} == {"mp_band_gap_composition", "mp_is_stable_composition"}
    assert {one.task_id for one in entries} <= {one["id"] for one in declared}
    assert {one.dataset_id for one in entries} == {DATA}
    assert {one.dataset_revision for one in entries} == {shared.repo("dataset", DATA).branches["main"]}
    gap = next(one for one in entries if "gap" in one.task_id)
    assert gap.value > 0.3 and "MAD:MAE" in gap.notes and gap.source_url.startswith(shared.url)
    configs = {one["id"]: (one["config"], one["split"]) for one in declared}
    assert configs["mp_band_gap_composition"] == ("mp-composition", "test")


def test_the_mean_of_classes_is_an_entry_too(shared: HubDouble, built: Path, tmp_path: Path) -> None:
    classes = [task.name for task in get_source("mp").tasks if task.kind == "classification"]
    for task in classes:
        toy_run(tmp_path / "results", task, data=built)
    push(tmp_path / "results")
    found = {one.task_id: one for one in parse_eval_result_entries(yaml.safe_load(text_of(shared, ENTRIES)))}
    declared = yaml.safe_load(shared.repo("dataset", DATA).files()["eval.yaml"].content)["tasks"]
    mean = found.pop("mp_classification_composition")
    assert {"id": mean.task_id, "config": "mp-composition", "split": "test"} in declared
    assert len(found) == len(classes) == 2
    values = [one.value for one in found.values()]
    assert min(values) <= mean.value <= max(values)
    assert mean.notes is not None and mean.notes.startswith("mean ROC AUC over the source's classifications")


def test_nothing_of_which_less_is_better_becomes_metadata(shared: HubDouble, runs: Path) -> None:
    push(runs)
    index = metadata_load(Path(snapshot_download(MODEL)) / "README.md")["model-index"]
    metrics = {metric["type"] for row in index[0]["results"] for metric in row["metrics"]}
    assert metrics == {"mad_mae", "roc_auc"}
    values = [entry["value"] for entry in yaml.safe_load(text_of(shared, ENTRIES))]
    assert len(values) == 2 and all(value > 0.5 for value in values)


def test_records_and_predictions_go_along_and_verify(shared: HubDouble, runs: Path, call: Callable[..., Any]) -> None:
    push(runs)
    found = verify_results(Path(snapshot_download(MODEL)) / "results", [DATA])
    assert len(found) == 4 and all(not one.faults and one.data_checked for one in found)
    assert call("verify", MODEL, "--data", DATA, "--require-data").status == 0
    page = text_of(shared, "README.md")
    links = re.findall(r"\]\((results/[^)]+)\)", page)
    assert len(links) == 4 and set(links) <= set(shared.repo("model", MODEL).files())


def test_a_trained_model_goes_along_and_answers(shared: HubDouble, trained: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(trained / "sample" / "band_gap", tmp_path / "results" / "sample" / "band_gap"))
    push(results, model="composition_gbm")
    page = text_of(shared, "README.md")
    assert f'load_model("{MODEL}")' in page
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    here = next(results.glob("composition/composition_gbm-*"))
    assert load_model(MODEL).predict(["NaCl"]) == load_model(here).predict(["NaCl"])
    assert metadata_load(Path(snapshot_download(MODEL)) / "README.md")["library_name"] == "llm4mat-bench"
    push(results, "org/without", model="composition_gbm", weights=False)
    assert not any(path.startswith("model/") for path in shared.repo("model", "org/without").files())


def test_several_trained_models_lie_with_their_runs(shared: HubDouble, trained: Path) -> None:
    push(trained, model="composition_gbm")
    (code,) = re.findall(r"```python\n(.*?)```", text_of(shared, "README.md"), re.DOTALL)
    exec(code, {})


def test_a_model_that_was_changed_is_not_sent(shared: HubDouble, trained: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(trained, tmp_path / "results"))
    next(results.glob("sample/band_gap/*/composition_gbm-*/model/*.txt")).write_text("other")
    with pytest.raises(DataError, match="changed since the run"):
        push(results, model="composition_gbm")
    assert ("model", MODEL) not in shared.repos


def test_a_model_that_the_card_does_not_tell_of_any_more_goes(shared: HubDouble, trained: Path, tmp_path: Path) -> None:
    """The repo's name alone must not answer with the model of an earlier run."""
    one = Path(shutil.copytree(trained / "sample" / "band_gap", tmp_path / "one" / "sample" / "band_gap"))
    push(one, model="composition_gbm")
    held = shared.repo("model", MODEL)
    put(shared, {"model/notes.txt": "of people"})
    before = set(held.files())
    push(one, model="composition_gbm", weights=False, message="the same run: its model stays")
    assert set(held.files()) == before and f'load_model("{MODEL}")' in text_of(shared, "README.md")
    lines: list[str] = []
    other = trained / "sample" / "is_stable"
    push(other, model="composition_gbm", weights=False, tell=lines.append)
    assert [path for path in held.files() if path.startswith("model/")] == ["model/notes.txt"]
    assert any("of another run than the card tells of" in line for line in lines)
    assert "There are no weights here" in text_of(shared, "README.md")
    with pytest.raises(UsageError, match="no trained model in this repo"):
        load_model(MODEL)
    push(one, model="composition_gbm")
    push(trained, model="composition_gbm")
    assert "model/model.json" not in held.files(), "several lie with their runs"
    assert sum(path.endswith("/model/model.json") for path in held.files()) == 2


def test_a_branch_is_named_where_the_model_is_loaded(shared: HubDouble, trained: Path) -> None:
    for results, repo in ((trained / "sample" / "band_gap", "org/one"), (trained, "org/two")):
        push(results, repo, model="composition_gbm", revision="dev")
        (code,) = re.findall(r"```python\n(.*?)```", text_of(shared, "README.md", repo, "dev"), re.DOTALL)
        assert 'revision="dev"' in code
        exec(code, {})


def test_duplicates_are_looked_for_on_the_hub_too(shared: HubDouble, one: Path, built: Path, tmp_path: Path) -> None:
    found = []
    for place in (str(built), DATA):
        write_leaderboard(one, tmp_path / "board", [place], plots=False)
        (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
        (entry,) = source["entries"]
        found.append(entry["cells"]["mp/band_gap"]["unseen"])
    here, there = found
    assert here is not None and here == there


def test_a_revision_with_other_data_is_told(
    shared: HubDouble, one: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record names a revision of the dataset repo: its labels must be those there, and those of today."""
    first = shared.repo("dataset", DATA).branches["main"]
    results = Path(shutil.copytree(one, tmp_path / "results"))
    (folder,) = (path.parent for path in results.rglob("result.json"))

    def faults(revision: str) -> tuple[str, ...]:
        forge_record(folder, lambda record: record["data"].update(dataset=DATA, revision=revision))
        (found,) = verify_results(results, Truths([DATA]))
        assert found.data_checked
        return found.faults

    assert faults(first) == ()
    assert any("data.revision nowhere: org/llm4mat-bench" in fault for fault in faults("nowhere"))
    shutil.copytree(built, tmp_path / "other")
    for shard in (tmp_path / "other" / "data" / "mp").glob("train-*.parquet"):
        table = pq.read_table(shard)
        place = table.column_names.index("band_gap")
        changed = table.set_column(place, table.schema.field(place), [pc.add(table["band_gap"], 1.0)])
        pq.write_table(changed, shard)
    (tmp_path / "other" / "build_report.json").unlink()
    HfApi().upload_folder(repo_id=DATA, folder_path=tmp_path / "other", repo_type="dataset", delete_patterns=["*"])
    second = shared.repo("dataset", DATA).branches["main"]
    assert second != first
    assert any("data.labels_sha256: made from other data than org/llm4mat-bench" in fault for fault in faults(first))
    assert any(f"data.revision {second}: there org/llm4mat-bench holds other data" in fault for fault in faults(second))


def test_without_a_dataset_repo_there_are_no_entries(shared: HubDouble, runs: Path, built: Path) -> None:
    pushed = push(runs, data=(str(built),))
    assert ENTRIES not in shared.repo("model", MODEL).files()
    assert any("no dataset repo on the Hub among --data" in line for line in pushed.left_out)
    assert ModelCard.load(MODEL).data.eval_results


def test_the_sample_points_at_a_repo_that_holds_it(logged_in: HubDouble, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    build_sample(folder)
    push_folder(folder, check_dataset_folder(folder), "org/sample", "dataset", private=False)
    push(trained, model="composition_gbm", data=("org/sample",))
    entries = parse_eval_result_entries(yaml.safe_load(text_of(logged_in, ENTRIES)))
    assert {one.task_id for one in entries} == {"sample_band_gap_composition", "sample_is_stable_composition"}


def test_rows_of_models_with_a_base_model_are_found(shared: HubDouble, runs: Path, built: Path, tmp_path: Path) -> None:
    push(runs, "org/root")
    tuned = tmp_path / "tuned"
    base = {"model_id": "google/t5-v1_1-small", "model_revision": "e8" * 20}
    toy_run(tuned, "mp/band_gap", data=built, settings=base)
    push(tuned, "org/tuned")
    assert ModelCard.load("org/tuned").data.base_model == "google/t5-v1_1-small"
    assert "base_model" not in metadata_load(Path(snapshot_download("org/root")) / "README.md")
    found = {one.model_id for one in HfApi().get_dataset_leaderboard(DATA, base_model_only=False)}
    assert found == {"org/root", "org/tuned"}
    assert {one.model_id for one in HfApi().get_dataset_leaderboard(DATA)} == {"org/root"}, "the Hub's default"


def test_a_second_push_sends_nothing(shared: HubDouble, runs: Path) -> None:
    push(runs)
    shared.forget()
    result = push(runs).result
    assert result.plan.empty
    assert shared.writes() == []


# ---------------------------------------------------------------------- a card that is there

PEOPLE = """---
# our own words about the licence
license: mit   # as agreed
evaluation_framework: something-new
tags:
- ours
# a comment between keys

future_field: {a: [1, 2], b: "x"}
model-index:
- name: toy
  future: kept
  results:
  - task:
      type: text-generation
    dataset:
      type: cais/hle
      name: HLE
      odd: kept
    metrics:
    - type: accuracy
      value: 0.25
---
# Our model

Words of people. <b>html</b>

| a | b |
|---|---|
"""


def test_what_people_wrote_stays(shared: HubDouble, runs: Path) -> None:
    put(shared, {"README.md": PEOPLE})
    push(runs)
    page = text_of(shared, "README.md")
    removed = [line for line in difflib.ndiff(PEOPLE.splitlines(), page.splitlines()) if line.startswith("- ")]
    assert removed == []
    metadata = yaml.safe_load(split_card(page)[0])
    assert metadata["evaluation_framework"] == "something-new"
    assert metadata["license"] == "mit"
    assert metadata["future_field"] == {"a": [1, 2], "b": "x"}
    assert metadata["tags"][0] == "ours" and "llm4mat-bench" in metadata["tags"]
    (index,) = metadata["model-index"]
    assert index["future"] == "kept" and index["results"][0]["dataset"]["odd"] == "kept"
    assert len(index["results"]) == 3
    # A second time: words that people add between two pushes stay, the section is replaced, nothing grows.
    edited = page.replace("Words of people.", "Other words.") + "\nThe end.\n"
    put(shared, {"README.md": edited})
    push(runs)
    assert text_of(shared, "README.md") == edited


def test_a_card_from_windows_stays_one(shared: HubDouble, runs: Path) -> None:
    windows = "\ufeff" + PEOPLE.replace("\n", "\r\n")
    put(shared, {"README.md": windows})
    push(runs)
    page = text_of(shared, "README.md")
    assert page.count("\n") == page.count("\r\n") and page.count("\r\n---\r\n") == 1
    removed = [line for line in difflib.ndiff(windows[1:].splitlines(), page.splitlines()) if line.startswith("- ")]
    assert removed == []
    assert ModelCard.load(MODEL).data.to_dict()["evaluation_framework"] == "something-new"
    assert push(runs).result.plan.empty, "its section is found again"


def test_a_newer_result_takes_the_place_of_the_older(
    shared: HubDouble, runs: Path, built: Path, tmp_path: Path
) -> None:
    push(runs)
    put(shared, {"README.md": text_of(shared, "README.md").replace("# model", "# A model of ours")})
    later = tmp_path / "later"
    toy_run(later, "mp/band_gap", data=built, seed=7)
    push(later)
    page = text_of(shared, "README.md")
    assert "# A model of ours" in page
    assert page.count("\n## Results\n") == 1
    assert len(ModelCard.load(MODEL).data.eval_results or []) == 1
    entries = {one["dataset"]["task_id"]: one["value"] for one in yaml.safe_load(text_of(shared, ENTRIES))}
    assert len(entries) == 1, "as in the card"
    assert entries["mp_band_gap_composition"] == (ModelCard.load(MODEL).data.eval_results or [])[0].metric_value


def test_unknown_fields_of_entries_stay_and_stale_tokens_go(shared: HubDouble, runs: Path) -> None:
    ours = {"dataset": {"id": DATA, "task_id": "mp_band_gap_composition", "odd": 1}, "value": 0.1}
    theirs = {"dataset": {"id": "cais/hle", "task_id": "default"}, "value": 20.9, "evaluation_framework": "x"}
    held = [{**ours, "evaluation_framework": "llm4mat-bench", "verifyToken": "t"}, theirs]
    put(shared, {ENTRIES: yaml.safe_dump(held)})
    push(runs)
    first, second, third = yaml.safe_load(text_of(shared, ENTRIES))
    assert first["evaluation_framework"] == "llm4mat-bench" and first["dataset"]["odd"] == 1
    assert first["value"] > 0.3 and "verifyToken" not in first
    assert second == theirs
    assert third["dataset"]["task_id"] == "mp_is_stable_composition"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README.md": "---\na: [\n---\n# x\n"}, "YAML cannot be read"),
        ({"README.md": "---\n- a\n---\n# x\n"}, "no mapping"),
        ({ENTRIES: "a: 1\n"}, "a list of entries is needed"),
        (
            {
                "README.md": f"---\n{{}}\n---\n{begin_mark(SECTION, 'push')}\n",
            },
            "end",
        ),
    ],
)
def test_what_cannot_be_merged_is_left_alone(shared: HubDouble, runs: Path, files: dict[str, str], said: str) -> None:
    put(shared, files)
    before = shared.repo("model", MODEL).branches["main"]
    with pytest.raises(DataError, match=said):
        push(runs)
    assert shared.repo("model", MODEL).branches["main"] == before


CARDS = [
    "",
    "a: 1\n",
    "a: 1 # one\n# two\n\nb: 2",
    "a:\n- x\n\n# behind\nb: {c: 1}\n",
    "{a: 1, b: 2}\n",
    "a: |\n  text\n  # no comment\nb: 1\n",
]


@pytest.mark.parametrize("block", CARDS)
def test_single_keys_are_set_in_the_text(block: str) -> None:
    before = yaml.safe_load(block) or {}
    for key, value in (("a", [1, {"x": "ä"}]), ("b", "new"), ("z", None)):
        after = put_keys(block, {key: value}, "card")
        assert yaml.safe_load(after) == {**before, key: value}
        assert re.findall("#.*", after) == re.findall("#.*", block) or block.startswith("a: |") or key == "a"
    assert put_keys(block, before, "card") == (block if block.endswith("\n") or not block else block + "\n")


def test_the_index_of_another_name_is_not_renamed() -> None:
    theirs = [{"name": "other", "results": [{"task": {"type": "x"}}]}]
    merged = merged_index(theirs, "ours", [])
    assert merged == theirs
    row = EvalResult("t", "org/data", "data", "mad_mae", 1.5, source_name="LLM4Mat-Bench", source_url="https://x")
    first, second = merged_index(theirs, "ours", [row])
    assert first == theirs[0] and second["name"] == "ours" and len(second["results"]) == 1
    renamed = merged_index([{**second, "name": "Our model"}], "ours", [row])
    assert renamed == [{**second, "name": "Our model"}], "people may call it something else"
    assert merged_index(None, "ours", []) == [{"name": "ours", "results": []}]
    assert eval_results_to_model_index("x", [])[0]["results"] == []
    assert merged_entries(None, [], "x") == ""


# ---------------------------------------------------------------------- refusals


def test_a_run_that_does_not_verify_stops_it_all(shared: HubDouble, runs: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(runs, tmp_path / "results"))
    folder = next(results.glob("mp/is_stable/composition/*"))
    change_record(folder, lambda record: record["metrics"]["whole"]["roc_auc"].update(value=0.999))
    for call in (lambda: push(results), lambda: push_predictions(results, "org/preds", Truths([DATA]))):
        with pytest.raises(DataError, match="1 runs do not verify, nothing is published"):
            call()
    assert ("model", MODEL) not in shared.repos and ("dataset", "org/preds") not in shared.repos


def test_what_was_not_compared_with_its_data_is_not_shown(logged_in: HubDouble, runs: Path) -> None:
    with pytest.raises(DataError, match="data not compared"):
        push(runs, data=())


def test_trials_and_controls_are_not_among_the_results(
    shared: HubDouble, runs: Path, built: Path, tmp_path: Path
) -> None:
    results = Path(shutil.copytree(runs, tmp_path / "results"))
    toy_run(results, "mp/efermi", data=built, control="shuffled")
    pushed = push(results)
    assert "control: shuffled" in pushed.results.left_out[0]
    page = text_of(shared, "README.md")
    assert "| mp/efermi |" not in page and "Not shown: mp/efermi" in page


def test_several_models_or_settings_must_be_chosen(shared: HubDouble, runs: Path, built: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(runs, tmp_path / "results"))
    toy_run(results, "mp/band_gap", data=built, model="another")
    with pytest.raises(UsageError, match=r"several models: another, toy\."):
        push(results)
    push(results, model="another")
    toy_run(results, "mp/band_gap", data=built, settings={"depth": 9})
    with pytest.raises(UsageError, match="two settings") as refused:
        push(results, model="toy")
    row = re.search(r"--row (\w+)", str(refused.value))
    assert row is not None
    push(results, "org/one", model="toy", row=row[1])


def test_a_repo_tells_of_one_model(shared: HubDouble, one: Path, built: Path, tmp_path: Path) -> None:
    push(one)
    toy_run(tmp_path / "other", "mp/band_gap", data=built, model="another")
    with pytest.raises(DataError, match=r"org/model: its card tells of `toy`, and a card tells of one model"):
        push(tmp_path / "other")
    assert "`another`" not in text_of(shared, "README.md")


def test_a_revision_of_a_model_can_be_chosen(
    shared: HubDouble, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toy_runs

    toy_run(tmp_path, "mp/band_gap", data=built)
    identity = toy_runs.ModelIdentity
    monkeypatch.setattr(toy_runs, "ModelIdentity", lambda **said: identity(**{**said, "revision": "2"}))
    toy_run(tmp_path, "mp/is_stable", data=built)
    with pytest.raises(UsageError, match=r"several revisions: toy@1, toy@2\. .* --model NAME@REVISION"):
        push(tmp_path, model="toy")
    push(tmp_path, model="toy@1")
    assert "`toy` (revision `1`" in text_of(shared, "README.md")
    push(tmp_path, model="toy@2")
    page = text_of(shared, "README.md")
    assert "`toy` (revision `2`" in page and "`toy` (revision `1`" not in page and "| mp/is_stable |" in page


def test_a_row_is_a_setting_in_all_its_modalities(shared: HubDouble, built: Path, tmp_path: Path) -> None:
    for modality, depth in (("composition", 3), ("composition", 9), ("description", 3)):
        toy_run(tmp_path, "mp/band_gap", data=built, modality=modality, settings={"depth": depth})
    toy_run(tmp_path, "mp/is_stable", data=built, settings={"depth": 9})
    found = verify_results(tmp_path, [DATA])
    entries = entries_of(get_source("mp"), sound_runs(found, get_source("mp")))
    (row,) = (one for one in entries if one.modality == "description")
    pushed = push(tmp_path, row=row.id)
    shown = [line for line in text_of(shared, "README.md").splitlines() if line.startswith("| mp/")]
    assert [line.split(" | ")[:2] for line in shown] == [
        ["| mp/band_gap", "composition"],
        ["| mp/band_gap", "description"],
    ]
    assert {line.partition(", row")[0] for line in pushed.results.left_out} == {
        "mp/band_gap, composition",
        "mp/is_stable, composition",
    }
    assert text_of(shared, "README.md").count("- Not shown: ") == 2


def test_paths_of_the_builders_machine_stay_there(shared: HubDouble, built: Path, tmp_path: Path) -> None:
    """A checkpoint in a folder is no base model, whatever its name; of paths the card has the last part."""
    settings = {
        "model_id": "checkpoints/bert",
        "model_revision": "3f" * 32,
        "cache": "/home/somebody/secret/cache",
        "more": ["~/secret/x", r"C:\secret\y", "mean"],
        "rate": 0.1,
    }
    toy_run(tmp_path, "mp/band_gap", data=built, settings=settings, places={"model_id": "3f" * 32})
    push(tmp_path)
    page = text_of(shared, "README.md")
    assert "base_model" not in page and "secret" not in page and "checkpoints" not in page
    assert '"cache": "cache"' in page and '"model_id": "bert"' in page and '["x", "y", "mean"]' in page


def test_what_a_model_is_for_is_said_in_words() -> None:
    gap, stable, direct = (get_task(f"mp/{name}") for name in ("band_gap", "is_stable", "is_gap_direct"))
    assert _use([gap, stable]) == (
        "Predicting the band gap of crystals and telling of which ones it holds that “is on the convex hull”"
    )
    assert _use([stable, direct]).endswith("crystals it holds that “is on the convex hull” or “band gap is direct”")


def test_names_of_others_are_no_markup(shared: HubDouble, built: Path, tmp_path: Path) -> None:
    name = "a|b <script>alert(1)</script> [x](http://y) `z` \u202e"
    toy_run(tmp_path / "results", "mp/band_gap", data=built, model=name)
    push(tmp_path / "results")
    push_predictions(tmp_path / "results", "org/preds", Truths([DATA]), private=False)
    for page in (
        text_of(shared, "README.md"),
        shared.repo("dataset", "org/preds").files()["README.md"].content.decode(),
    ):
        body = split_card(page)[1]
        assert "\u202e" not in body
        table = [line for line in body.splitlines() if line.startswith("| mp/")]
        assert table and all("<script" not in line and "[x](http" not in line for line in table)


# ---------------------------------------------------------------------- dry run, pull request


def test_a_dry_run_shows_the_diff_and_writes_nothing(shared: HubDouble, runs: Path, call: Callable[..., Any]) -> None:
    put(shared, {"README.md": PEOPLE})
    shared.forget()
    called = call("push", "results", runs, "--repo", MODEL, "--data", DATA, "--dry-run", "--no-figures")
    assert called.status == 0, called.err
    assert "+## Results" in called.out and "--- Hub/README.md" in called.out
    assert not re.search(r"^-[^-]", called.out, re.MULTILINE)
    assert f"+++ new/{ENTRIES}" in called.out
    assert shared.writes() == []
    assert (
        "+## Results"
        in json.loads(call("push", "results", runs, "--repo", MODEL, "--data", DATA, "--dry-run", "--json").out)["diff"]
    )


def test_a_pull_request_leaves_main_alone(shared: HubDouble, runs: Path) -> None:
    put(shared, {"README.md": PEOPLE}, "others/model")
    main = shared.repo("model", "others/model").branches["main"]
    with pytest.raises(HubError, match="may not do this"):
        push(runs, "others/model")
    result = push(runs, "others/model", create_pr=True).result
    assert result.pull_request == f"{shared.url}/others/model/discussions/1"
    assert shared.repo("model", "others/model").branches["main"] == main
    assert "## Results" in text_of(shared, "README.md", "others/model", "refs/pr/1")
    assert "Words of people" in text_of(shared, "README.md", "others/model", "refs/pr/1")
    home = Path(snapshot_download("others/model", revision="refs/pr/1"))
    assert not any(one.faults for one in verify_results(home / "results", [DATA]))
    with pytest.raises(UsageError, match="needs a repository"):
        push(runs, "others/none", create_pr=True)


def test_one_pull_request_is_opened_whatever_happens(shared: HubDouble, one: Path) -> None:
    put(shared, {"README.md": PEOPLE}, "others/model")
    shared.fail("POST", "*/commit/*", 503)
    shared.fail("POST", "*/commit/*", 429, headers={"Retry-After": "1"})
    first = push(one, "others/model", create_pr=True).result
    assert first.pull_request == f"{shared.url}/others/model/discussions/1"
    shared.forget()
    again = push(one, "others/model", create_pr=True).result
    assert (again.pull_request, again.commit) == (first.pull_request, first.commit)
    assert again.plan.having("send") == () and shared.writes() == []
    shared.repo("model", "others/model").requests.clear()  # closed: it may be proposed anew
    shared.lose_commit_answer()
    other = push(one, "others/model", create_pr=True).result
    assert other.pull_request == f"{shared.url}/others/model/discussions/2"
    assert list(shared.repo("model", "others/model").requests) == [2]
    assert push(one, "others/model", create_pr=True, message="x").result.pull_request != other.pull_request


def test_a_card_that_was_changed_meanwhile_is_not_overwritten(
    shared: HubDouble, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(runs)
    put(shared, {"README.md": PEOPLE})
    stage = model_push.stage_model

    def stage_slowly(*arguments: Any, **options: Any) -> Any:
        put(shared, {"README.md": PEOPLE + "more\n"})
        return stage(*arguments, **options)

    monkeypatch.setattr(model_push, "stage_model", stage_slowly)
    with pytest.raises(HubError, match="somebody else changed it meanwhile"):
        push(runs)
    assert text_of(shared, "README.md") == PEOPLE + "more\n"


# ---------------------------------------------------------------------- predictions, the page


def test_predictions_are_read_back_by_name(
    shared: HubDouble, runs: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    push_predictions(runs, "org/predictions", Truths([DATA]), private=False)
    answer = json.loads(call("verify", "org/predictions", "--data", DATA, "--json").out)
    assert len(answer) == 4 and all(one["sound"] and one["data_checked"] for one in answer)
    run = next(runs.glob("mp/is_stable/*/*"))
    name = f"mp-is_stable-{run.parent.name}-{run.name}"
    code = (
        "from datasets import load_dataset as load; import json;"
        f"found = load('org/predictions', '{name}', split='test');"
        "print(json.dumps([len(found), found.column_names]))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **shared.environment(None, tmp_path / "fresh")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    record = read_record(run / "result.json")
    columns = ["material_id", "target", "prediction", "score"]
    assert json.loads(loaded.stdout.splitlines()[-1]) == [record.counts.n_total, columns]


def test_controls_are_marked_among_predictions_and_copies_count_once(
    shared: HubDouble, one: Path, built: Path, tmp_path: Path
) -> None:
    for copy in ("a", "b"):
        shutil.copytree(one, tmp_path / copy)
    toy_run(tmp_path / "c", "mp/band_gap", data=built, control="shuffled")
    toy_run(tmp_path / "c", "mp/efermi", data=built, train_rows=20)
    push_predictions(tmp_path, "org/preds", Truths([DATA]), private=False)
    page = shared.repo("dataset", "org/preds").files()["README.md"].content.decode()
    rows = [line for line in page.splitlines() if line.startswith("| mp/")]
    assert len(rows) == len(yaml.safe_load(split_card(page)[0])["configs"]) == 3
    assert sum("(**not ranked:** control: shuffled)" in row for row in rows) == 1
    assert sum("(**not ranked:** 20 training rows)" in row for row in rows) == 1


def test_two_runs_of_one_name_are_not_published_as_one(
    shared: HubDouble, one: Path, built: Path, tmp_path: Path
) -> None:
    shutil.copytree(one, tmp_path / "a")
    again = toy_run(tmp_path / "b", "mp/band_gap", data=built, answers=toy_answers("mp/band_gap", data=built, noise=9))
    assert again.name == next(one.rglob("result.json")).parent.name
    with pytest.raises(DataError, match="another run of the same name"):
        push_predictions(tmp_path, "org/preds", Truths([DATA]))
    assert ("dataset", "org/preds") not in shared.repos


def test_data_that_loads_by_itself_is_not_hidden_by_predictions(shared: HubDouble, one: Path) -> None:
    held = shared.add_repo("dataset", "org/mine")
    files = {"README.md": Blob(b"---\nlicense: mit\n---\n", False), "data/train.csv": Blob(b"a\n1\n", False)}
    held.commit("main", {**held.files(), **files}, "people")
    with pytest.raises(DataError, match=r"org/mine holds data of its own \(data/train\.csv\)"):
        push_predictions(one, "org/mine", Truths([DATA]))
    told = Blob(b"---\nconfigs:\n- config_name: default\n  data_files: data/train.csv\n---\n", False)
    held.commit("main", {**held.files(), "README.md": told}, "people")
    push_predictions(one, "org/mine", Truths([DATA]))
    names = [
        one["config_name"]
        for one in yaml.safe_load(split_card(held.files()["README.md"].content.decode())[0])["configs"]
    ]
    assert names[0] == "default" and len(names) == 2


def test_another_push_of_predictions_keeps_the_card_and_the_runs_before(shared: HubDouble, runs: Path) -> None:
    """People's words, fields that nobody here knows, and runs that are published already stay."""
    folders = sorted(path.parent for path in runs.rglob("result.json"))
    first, second = folders[0].parent, folders[-1].parent
    assert first != second
    repo = "org/two-pushes"
    push_predictions(first, repo, Truths([DATA]), private=False)
    there = shared.repo("dataset", repo)
    text = there.files()["README.md"].content.decode()
    text = text.replace("---\n# Pred", "pretty_name: Ours # really\nodd: [1]\n---\n# Pred") + "\nWritten by hand.\n"
    there.commit("main", {**there.files(), "README.md": Blob(text.encode(), large=False)}, "by hand")
    push_predictions(second, repo, Truths([DATA]), private=False, licence="mit")
    card = shared.repo("dataset", repo).files()["README.md"].content.decode()
    assert "pretty_name: Ours # really\n" in card and "odd: [1]\n" in card and "Written by hand." in card
    block, body = split_card(card)
    configs = [one["config_name"] for one in yaml.safe_load(block)["configs"]]
    ids = [folder.name for folder in (*first.iterdir(), *second.iterdir())]
    assert len(configs) == len(ids) and all(any(name.endswith(one) for name in configs) for one in ids)
    assert body.count("/result.json)") == len(ids)
    assert yaml.safe_load(block)["license"] == "mit"
    again = push_predictions(second, repo, Truths([DATA]), private=False)
    assert not again.plan.having("send"), "the same again changes nothing"


def test_the_page_is_a_static_space(logged_in: HubDouble, trained: Path, tmp_path: Path) -> None:
    page = write_leaderboard(trained, tmp_path / "board").page
    push_leaderboard(tmp_path / "board", "org/board", private=False)
    space = logged_in.repo("space", "org/board")
    assert space.sdk == "static"
    card = SpaceCard.load("org/board")
    assert (card.data.sdk, card.data.app_file) == ("static", "index.html")
    home = Path(snapshot_download("org/board", repo_type="space"))
    assert (home / "index.html").read_bytes() == page.read_bytes()
    assert (home / "leaderboard.json").is_file()
    space.commit(
        "main", {**space.files(), "README.md": Blob(b"---\nsdk: static\ntitle: Ours\n---\nWords.\n", False)}, "x"
    )
    push_leaderboard(tmp_path / "board", "org/board")
    assert space.files()["README.md"].content == b"---\nsdk: static\ntitle: Ours\napp_file: index.html\n---\nWords.\n"
    with pytest.raises(DataError, match=r"index\.html, leaderboard.json missing"):
        push_leaderboard(trained, "org/board")
    space.commit("main", {**space.files(), "README.md": Blob(b"---\ntitle: caf\xe9\n---\n", False)}, "x")
    with pytest.raises(HubError, match=r"org/board/README\.md: no UTF-8 text; mend it first"):
        push_leaderboard(tmp_path / "board", "org/board")


# ---------------------------------------------------------------------- faults


PASSING: list[tuple[str, Callable[[HubDouble], None]]] = [
    ("429", lambda hub: hub.fail("GET", "/api/models/*", 429, headers={"Retry-After": "7"})),
    ("429 commit", lambda hub: hub.fail("POST", "*/commit/*", 429, headers={"Retry-After": "7"})),
    ("500", lambda hub: hub.fail("GET", "/api/models/*", 500, times=2)),
    ("500 create", lambda hub: hub.fail("POST", "/api/repos/create", 503)),
    ("500 card", lambda hub: hub.fail("POST", "/api/validate-yaml", 500)),
    ("500 upload", lambda hub: hub.fail("PUT", "/storage/*", 500, times=2)),
    ("500 commit", lambda hub: hub.fail("POST", "*/commit/*", 502)),
    ("lost commit", lambda hub: hub.lose_commit_answer()),
    ("cut upload", lambda hub: hub.cut_uploads(2)),
    ("damaged upload", lambda hub: hub.damage_uploads(1)),
]


@pytest.mark.parametrize("fault", [case[1] for case in PASSING], ids=[case[0] for case in PASSING])
def test_what_passes_is_waited_out(shared: HubDouble, one: Path, fault: Callable[[HubDouble], None]) -> None:
    fault(shared)
    push(one)
    assert len(shared.repo("model", MODEL).history()) == 2, "one commit, after the one that made the repo"
    assert not any(run.faults for run in verify_results(Path(snapshot_download(MODEL)) / "results", [DATA]))


def test_the_hub_says_how_long_to_wait(shared: HubDouble, one: Path) -> None:
    shared.fail("POST", "*/commit/*", 429, headers={"Retry-After": "77"})
    push(one)
    assert 77.0 in shared.waits
    shared.fail("POST", "*/commit/*", 429, headers={"RateLimit": '"api";r=0;t=55', "Retry-After": "3"})
    push(one, "org/other")
    assert 56.0 in shared.waits, "the window of the rate limit, as the library's own retries"


LASTING: list[tuple[str, Callable[[HubDouble], None], str]] = [
    ("401", lambda hub: hub.fail("POST", "*/preupload/*", 401, "{authorization}", times=99), "token .401."),
    ("403", lambda hub: hub.fail("POST", "*/commit/*", 403, "{authorization}", times=99), "may not do this"),
    ("409", lambda hub: hub.fail("POST", "*/commit/*", 409, "{authorization}", times=99), "somebody else"),
    ("429", lambda hub: hub.fail("POST", "*/commit/*", 429, "{authorization}", times=99), "too many requests"),
    ("500", lambda hub: hub.fail("PUT", "/storage/*", 500, "{authorization}", times=99), "fault of its own"),
    ("cut", lambda hub: hub.cut_uploads(999), "cannot reach|broke"),
    ("damaged", lambda hub: hub.damage_uploads(999), "refused .400."),
]


@pytest.mark.parametrize(("fault", "said"), [case[1:] for case in LASTING], ids=[case[0] for case in LASTING])
def test_what_lasts_leaves_the_old_state_and_hides_the_token(
    shared: HubDouble, one: Path, built: Path, tmp_path: Path, fault: Callable[[HubDouble], None], said: str
) -> None:
    put(shared, {"README.md": PEOPLE})
    before = shared.repo("model", MODEL).branches["main"]
    fault(shared)
    with pytest.raises(HubError, match=said) as refused:
        push(one)
    text = str(refused.value)
    assert TOKEN not in text and "\n" not in text
    assert refused.value.__cause__ is None and refused.value.__context__ is None
    assert shared.repo("model", MODEL).branches["main"] == before
    shared._faults.clear()
    shared.cuts = shared._damages = 0
    push(one)  # the same call goes on
    assert "## Results" in text_of(shared, "README.md")


def test_a_content_that_the_storage_damaged_unnoticed_is_noticed(shared: HubDouble, one: Path) -> None:
    shared.damage_uploads(1, noticed=False)
    with pytest.raises(HubError, match="does not hold 1 of the files as they are here"):
        push(one)


def test_a_client_that_another_thread_closed_is_a_broken_connection() -> None:
    def failure(make: Callable[[], object]) -> RuntimeError:
        try:
            try:
                make()
            except Exception as error:
                raise RuntimeError("Error while uploading 'x' to the Hub.") from error
        except RuntimeError as wrapped:
            return wrapped
        raise AssertionError

    client = httpx2.Client()
    client.close()
    missing: Any = None
    for make in (lambda: client.get("http://127.0.0.1"), lambda: missing.request("GET", "http://127.0.0.1")):
        error = failure(make)
        assert may_pass(error)
        assert "the connection to http" in explain(error, repo="org/x", doing="uploading to")
    assert not may_pass(failure(lambda: missing.other("x")))


def test_a_password_in_the_hubs_address_is_nowhere(
    shared: HubDouble, one: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    """Some mirrors of the Hub ask for one."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", shared.url.replace("://", "://user:s3cret@"))
    monkeypatch.setattr(model_push, "hub_api", lambda: HfApi(endpoint=shared.url))
    monkeypatch.setattr("llm4mat_bench.hub.upload.hub_api", lambda: HfApi(endpoint=shared.url))
    pushed = push(one)
    assert pushed.result.url == f"{shared.url}/{MODEL}"
    assert shared.url in text_of(shared, ENTRIES)
    assert not any(b"s3cret" in blob.content for blob in shared.repo("model", MODEL).files().values())
    shared.fail("GET", "/api/models/*", 401)
    with pytest.raises(HubError, match=r"\(401\)") as refused:
        push(one)
    assert "s3cret" not in str(refused.value) and shared.url in str(refused.value)
    called = call("verify", "org/none")
    assert called.status and "s3cret" not in called.err
    assert redact("https://user:s3cret@hub.example/x") == "https://hub.example/x"


def test_what_was_put_together_goes_when_the_program_is_asked_to_end() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left, staging_folder() as folder:
        (folder / "weights").write_bytes(b"x")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert left.value.code == 143
    assert not folder.exists() and signal.getsignal(signal.SIGTERM) is before


def test_the_token_is_nowhere(shared: HubDouble, one: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    shared.fail("POST", "*/commit/*", 400, "echo of {authorization}")
    words = ["push", "results", one, "--repo", MODEL, "--data", DATA, "--public", "--no-figures"]
    for status in (1, 0):
        called = call(*words)
        assert called.status == status, called.err
        assert TOKEN not in called.out + called.err
    assert any(request.token == TOKEN for request in shared.requests), "the token did travel"
    for kind in ("model", "dataset"):
        for repo in (repo for (what, _), repo in shared.repos.items() if what == kind):
            assert not any(TOKEN.encode() in blob.content for blob in repo.files().values())
    for path in one.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
