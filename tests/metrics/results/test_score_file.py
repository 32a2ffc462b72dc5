"""``score``: one comparison with the data, no target column needed, no option without effect."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgery import forge_scores
from toy_runs import toy_answers, toy_run

from llm4mat_bench import get_task
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import verify_run

TASK = "sample/band_gap"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    truth = read_truth(get_task(TASK))
    table = pa.table({"material_id": truth.test_ids, "target": truth.test_targets, "prediction": toy_answers()})
    path = tmp_path / "answers.parquet"
    pq.write_table(table.sort_by("prediction"), path)
    return path


def change(path: Path, name: str, compute: Callable[[np.ndarray], np.ndarray]) -> None:
    table = pq.read_table(path)
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, [compute(table[name].to_numpy())]), path)


def test_the_targets_are_the_datas(answers: Path, call: Callable[..., Any]) -> None:
    whole = json.loads(call("score", answers, "--task", TASK, "--json").out)
    pq.write_table(pq.read_table(answers).drop_columns(["target"]), answers)
    without = json.loads(call("score", answers, "--task", TASK, "--json").out)
    assert without == whole
    assert without["data"] == "embedded sample"
    called = call("score", answers, "--kind", "regression")
    assert called.status == 1
    assert "no column 'target'" in called.err


@pytest.mark.parametrize(
    ("factor", "sound"), [(1 + 1e-7, False), (1 + 1e-8, False), (1 + 1e-11, True), (1 + 1e-15, True)]
)
def test_score_and_verify_have_one_rule(
    answers: Path, tmp_path: Path, call: Callable[..., Any], factor: float, sound: bool
) -> None:
    change(answers, "target", lambda targets: targets * factor)
    called = call("score", answers, "--task", TASK, "--json")
    assert (called.status == 0) == sound
    folder = toy_run(tmp_path / "results")
    pq.write_table(pq.read_table(answers), folder / "predictions.parquet")
    forge_scores(folder)
    found = verify_run(folder)
    faults = found.faults
    assert (not faults) == sound
    if sound:  # scores are made from the data's targets, whatever the file's last bits are
        assert found.report is not None
        assert json.loads(called.out)["whole"] == found.report.whole.model_dump(mode="json")
    else:
        assert "values differ from the data" in called.err
        assert any("values differ from the data" in fault for fault in faults)


def test_a_rounded_target_column_says_what_was_compared(answers: Path, call: Callable[..., Any]) -> None:
    change(answers, "target", lambda targets: targets.round(1))
    called = call("score", answers, "--task", TASK)
    assert called.status == 1
    said = " ".join(called.err.split())
    assert "compared with the test targets of sample/band_gap in embedded sample, to a relative 1e-09" in said
    assert "leave the column out" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", TASK, "--train-mean", "1"), "embedded sample has the mean of sample/band_gap"),
        (("--task", TASK, "--score-kind", "probability"), "--score-kind is for classification"),
        (("--kind", "regression", "--score-kind", "logit"), "--score-kind is for classification"),
        (("--kind", "classification", "--train-mean", "1"), "--train-mean is for regression"),
        (("--kind", "regression", "--train-mean", "nan"), "a finite number is needed"),
        (("--kind", "regression", "--data", "./nowhere"), "no such folder"),
        (("--data", "./nowhere"), "no such folder"),
        (("--task", TASK, "--revision", "abc"), "--revision is that of a dataset repo"),
        (("--task", "mp/band_gap"), "the data of mp/band_gap is not in the package. Give --data"),
    ],
)
def test_an_option_has_an_effect_or_is_refused(
    answers: Path, call: Callable[..., Any], words: tuple[str, ...], message: str
) -> None:
    called = call("score", answers, *words)
    assert called.status == 2
    assert message in " ".join(called.err.split())
    assert called.out == ""


def test_the_training_mean_counts_where_no_data_says_it(answers: Path, call: Callable[..., Any]) -> None:
    table = pq.read_table(answers)
    values = table["prediction"].to_pylist()
    values[0] = None
    pq.write_table(table.set_column(2, "prediction", pa.array(values)), answers)
    assert "give train_mean" in call("score", answers, "--kind", "regression").err
    answer = json.loads(call("score", answers, "--kind", "regression", "--train-mean", "2.5", "--json").out)
    assert answer["train_mean"] == 2.5
    answer = json.loads(call("score", answers, "--task", TASK, "--json").out)
    assert answer["train_mean"] == pytest.approx(read_truth(get_task(TASK)).training_mean)


def test_a_file_beside_a_record_is_compared_with_the_data(tmp_path: Path, call: Callable[..., Any]) -> None:
    folder = toy_run(tmp_path, "sample/is_stable")
    answer = json.loads(call("score", folder / "predictions.parquet", "--json").out)
    assert answer["ids_checked"]
    assert answer["whole"]["roc_auc"] == json.loads((folder / "result.json").read_text())["metrics"]["whole"]["roc_auc"]


def test_hard_labels_are_told_whatever_they_are_called(tmp_path: Path, call: Callable[..., Any]) -> None:
    truth = read_truth(get_task("sample/is_stable"))
    hard = (toy_answers("sample/is_stable") > 0.5).astype(float)
    path = tmp_path / "answers.parquet"
    for name in ("score", "prediction"):
        pq.write_table(pa.table({"material_id": truth.test_ids, name: hard}), path)
        answer = json.loads(call("score", path, "--task", "sample/is_stable", "--json").out)
        assert answer["score_kind"] == "hard_label"
