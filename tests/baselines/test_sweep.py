"""Many runs in one call: what is finished is found, what fails is told and passed over; controls are other runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from llm4mat_bench import get_task, load_task
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.metrics.results.controls import other_crystals
from llm4mat_bench.metrics.results.verify import verify_results

TASK = "sample/band_gap"


def test_tasks_by_modalities_by_seeds(tmp_path: Path, call: Callable[..., Any]) -> None:
    words = ("train", "dummy", "sample/b*", "mp/band_gap", "-m", "composition,cif", "--seed", "0,3", "--out", tmp_path)
    first = call(*words, "--json")
    answer = json.loads(first.out)
    assert first.status == 1, "a run is missing"
    assert (answer["trained"], answer["found"], answer["failed"]) == (8, 0, 4)
    assert "is not in the package" in " ".join(first.err.split())
    assert answer["rest"].split()[:4] == ["llm4mat-bench", "train", "dummy", "mp/band_gap"]
    assert "--seed 0,3" in answer["rest"] and "--data mp=DIR" in answer["rest"]
    assert len(verify_results(tmp_path)) == 8
    assert not any(one.faults for one in verify_results(tmp_path))

    second = call(*words)
    assert second.status == 1
    assert "0 trained, 8 found, 4 failed" in second.out
    assert answer["rest"] in " ".join(second.out.split())

    third = call("train", "dummy", "sample/b*", "-m", "composition,cif", "--seed", "0,3", "--out", tmp_path)
    assert third.status == 0
    assert "0 trained, 8 found, 0 failed" in third.out
    assert "missing" not in third.out


def test_what_a_model_cannot_read_is_left_out_and_told(tmp_path: Path, call: Callable[..., Any]) -> None:
    called = call("train", "composition_gbm", TASK, "-m", "all", "--set", "n_estimators=5", "--out", tmp_path, "--json")
    assert called.status == 0
    assert json.loads(called.out)["modality"] == "composition"
    said = " ".join(called.err.split())
    assert "left out: composition_gbm reads composition, not cif" in said
    assert "not description" in said


def test_places_by_name(tmp_path: Path, call: Callable[..., Any]) -> None:
    """Each source from its own folder; a source without one is missing, not taken from another."""
    assert call("build", "sample", "--out", tmp_path / "built").status == 0
    words = ("train", "dummy", "sample/band_gap", "mp/band_gap", "--out", tmp_path / "results", "--json")
    called = call(*words, "--data", f"sample={tmp_path / 'built'}")
    answer = json.loads(called.out)
    assert [(one["task"], one["status"]) for one in answer["runs"]] == [
        ("sample/band_gap", "trained"),
        ("mp/band_gap", "failed"),
    ]
    record = json.loads((Path(answer["runs"][0]["folder"]) / "result.json").read_text())
    assert record["data"]["dataset"] == "built"


def test_the_old_name_of_data_still_works_and_warns(tmp_path: Path, call: Callable[..., Any]) -> None:
    assert call("build", "sample", "--out", tmp_path / "built").status == 0
    called = call("train", "dummy", TASK, "--source", tmp_path / "built", "--out", tmp_path / "results", "--json")
    assert called.status == 0
    assert "--source is the old name of --data" in called.err
    assert json.loads(called.out)["data"]["dataset"] == "built"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seed", "one"), "whole numbers"),
        (("--seed", "0,-1"), "not negative"),
        (("--control", "shuffle"), "there is one, shuffled"),
        (("-m", "cif,descripton"), "Did you mean description"),
        (("--train-rows", "100000"), "has 855 training rows"),
        (("--limit", "0"), "--limit"),
        (("--data", "nowhere=./nothing"), "no such folder"),
    ],
)
def test_a_wrong_call_is_one_line(
    tmp_path: Path, call: Callable[..., Any], words: tuple[str, ...], message: str
) -> None:
    called = call("train", "dummy", TASK, *words, "--out", tmp_path / "results")
    assert called.status == 2
    assert message in " ".join(called.err.split())
    assert "Traceback" not in called.err
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize("rows", [2, 3, 115, 1000])
def test_no_crystal_keeps_its_own_text(rows: int) -> None:
    places = other_crystals(rows, seed=7)
    assert sorted(places.tolist()) == list(range(rows))
    assert (places != np.arange(rows)).all()
    assert (other_crystals(rows, seed=7) == places).all()


def test_shuffled_gives_each_test_crystal_the_answer_to_another(tmp_path: Path) -> None:
    baseline, task = get_baseline("composition_gbm"), get_task(TASK)
    quick = read_settings(baseline, {"n_estimators": "40"})
    plain = train_baseline(baseline, task, "composition", tmp_path, settings=quick, seed=1)
    shuffled = train_baseline(baseline, task, "composition", tmp_path, settings=quick, seed=1, control="shuffled")
    one, two = (pq.read_table(run.folder / "predictions.parquet") for run in (plain, shuffled))
    assert one["material_id"].equals(two["material_id"]) and one["target"].equals(two["target"])
    order = other_crystals(one.num_rows, 1)
    np.testing.assert_array_equal(two["prediction"].to_numpy(), one["prediction"].to_numpy()[order])
    assert shuffled.record.protocol.control == "shuffled"
    assert shuffled.folder.name != plain.folder.name and "shuffled" in shuffled.folder.name
    assert not shuffled.record.full and plain.record.full
    whole = [run.record.metrics.whole.mad_mae.value for run in (plain, shuffled)]
    assert whole[1] < 1.2 < whole[0], "the model reads the formula"


def test_train_rows_is_another_run_on_fewer_rows(tmp_path: Path) -> None:
    baseline, task = get_baseline("dummy"), get_task(TASK)
    few = train_baseline(baseline, task, "composition", tmp_path, train_rows=10, seed=3)
    more = train_baseline(baseline, task, "composition", tmp_path, train_rows=500, seed=3)
    train = load_task(TASK, "composition")["train"]
    order = np.random.Generator(np.random.PCG64(3)).permutation(len(train))
    targets = np.asarray(train["target"][:])
    assert few.record.fitted["training_mean"] == pytest.approx(targets[order[:10]].mean(), rel=1e-12)
    assert more.record.fitted["training_mean"] == pytest.approx(targets[order[:500]].mean(), rel=1e-12)
    assert few.record.protocol.train_rows == 10
    # What a missing answer counts as is the task's own mean, not that of the rows that were used.
    assert few.record.data.training_mean == pytest.approx(targets.mean(), rel=1e-12)
    assert not few.record.full


def test_limit_answers_the_first_rows_and_says_so(tmp_path: Path) -> None:
    run = train_baseline(get_baseline("dummy"), get_task(TASK), "cif", tmp_path, limit=20)
    answers = pq.read_table(run.folder / "predictions.parquet")["prediction"]
    assert answers.is_valid().to_pylist() == [True] * 20 + [False] * (len(answers) - 20)
    assert run.record.protocol.limit == 20
    assert not run.record.full
    assert not verify_results(tmp_path)[0].faults
