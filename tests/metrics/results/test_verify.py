"""Verification: sound runs pass, every way of tampering fails."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import sklearn.metrics
from forgery import change_record, forge_record, forge_scores
from toy_runs import toy_answers, toy_run

from llm4mat_bench.files import file_sha256
from llm4mat_bench.metrics.results.record import read_record, result_schema
from llm4mat_bench.metrics.results.verify import find_runs, verify_results, verify_run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of one regression run."""
    folder = next((trained / "sample" / "band_gap" / "composition").glob("composition_gbm-*"))
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def change_predictions(folder: Path, *, mend_hash: bool) -> None:
    path = folder / "predictions.parquet"
    table = pq.read_table(path)
    values = table["prediction"].to_numpy().copy()
    values[0] += 0.5
    column = table.column_names.index("prediction")
    pq.write_table(table.set_column(column, "prediction", [values]), path)
    if mend_hash:
        size, sha256 = path.stat().st_size, file_sha256(path)
        change_record(folder, lambda record: record["predictions"].update(size_bytes=size, sha256=sha256))


def test_what_was_trained_verifies(trained: Path) -> None:
    found = verify_results(trained)
    assert len(found) == 4
    assert all(not one.faults and one.data_checked for one in found)
    for one in found:
        assert one.record is not None and one.report is one.record.metrics
        assert one.report.published is one.report.whole, "one copy is held, not four"
        as_it_lies = json.loads((one.folder / "result.json").read_text())
        assert one.record.model_dump(mode="json", exclude_unset=True) == as_it_lies


def test_metrics_are_those_of_scikit_learn(trained: Path) -> None:
    for folder in find_runs(trained):
        record = read_record(folder / "result.json")
        table = pq.read_table(folder / "predictions.parquet")
        target = table["target"].to_numpy()
        if record.metrics.kind == "regression":
            prediction = table["prediction"].to_numpy()
            mae = sklearn.metrics.mean_absolute_error(target, prediction)
            mad = sklearn.metrics.mean_absolute_error(target, np.full_like(target, target.mean()))
            assert record.metrics.whole.mae.value == pytest.approx(mae, rel=1e-12)
            assert record.metrics.whole.mad_mae.value == pytest.approx(mad / mae, rel=1e-12)
        else:
            auc = sklearn.metrics.roc_auc_score(target, table["score"].to_numpy())
            assert record.metrics.whole.roc_auc.value == pytest.approx(auc, rel=1e-12)


def test_a_changed_prediction_fails(run: Path) -> None:
    assert not verify_run(run).faults
    change_predictions(run, mend_hash=False)
    assert any("SHA-256 or size differs" in fault for fault in verify_run(run).faults)


def test_a_changed_prediction_fails_even_with_its_hash_mended(run: Path) -> None:
    change_predictions(run, mend_hash=True)
    faults = verify_run(run).faults
    assert any("metrics.whole.mad_mae.value" in fault for fault in faults)
    assert not any("SHA-256 or size" in fault for fault in faults)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda r: r["metrics"]["whole"]["mad_mae"].update(value=99.0), "metrics.whole.mad_mae.value"),
        (lambda r: r["metrics"]["whole"]["mad_mae"]["interval"].update(low=98.0), "metrics.whole.mad_mae.interval.low"),
        (lambda r: r["counts"].update(n_scored=1), "counts differ"),
        (lambda r: r["data"].update(test_ids_sha256="0" * 64), "ids are not those in the record"),
        (lambda r: r["data"].update(training_mean=0.0), "training mean"),
        (lambda r: r["data"].update(sha256="0" * 64), "made from other data"),
        (lambda r: r.update(unit="meV"), "the catalogue says eV"),
        (lambda r: r.update(task="sample/bulk_modulus"), "test ids are missing"),
        (lambda r: r.update(surprise=1), "surprise is not known here"),
        (lambda r: r.pop("model"), "model is missing"),
        (lambda r: r["predictions"].update(file="../predictions.parquet"), "must lie beside the record"),
    ],
)
def test_a_changed_record_fails(run: Path, change: Callable[[dict[str, Any]], None], fault: str) -> None:
    change_record(run, change)
    assert any(fault in line for line in verify_run(run).faults)


def test_another_numpy_may_draw_other_resamples_but_not_far_ones(run: Path) -> None:
    def widen(record: dict[str, Any], share: float) -> None:
        interval = record["metrics"]["whole"]["mad_mae"]["interval"]
        interval["low"] -= share * (interval["high"] - interval["low"])
        record["provenance"]["libraries"]["numpy"] = "1.0.0"

    forge_record(run, lambda record: widen(record, 0.05))
    forge_record(run, lambda record: record["metrics"]["published"].update(record["metrics"]["whole"]))
    assert not verify_run(run).faults
    forge_record(run, lambda record: widen(record, 0.5))
    assert any("interval.low" in fault for fault in verify_run(run).faults)


def test_targets_are_compared_with_the_data(run: Path) -> None:
    path = run / "predictions.parquet"
    table = pq.read_table(path)
    targets = table["target"].to_numpy().copy()
    targets[3] *= 2
    pq.write_table(table.set_column(table.column_names.index("target"), "target", [targets]), path)
    assert any("column 'target': 1 values differ from the data" in fault for fault in verify_run(run).faults)


def test_the_program_fails_on_a_tampered_run(run: Path, call: Callable[..., Any]) -> None:
    assert call("verify", run.parent).status == 0
    change_predictions(run, mend_hash=True)
    called = call("verify", run.parent)
    assert called.status == 1
    assert "mad_mae" in called.err
    answer = json.loads(call("verify", run.parent, "--json").out)
    assert [one["sound"] for one in answer] == [False]


def test_no_runs_is_an_error(tmp_path: Path, call: Callable[..., Any]) -> None:
    called = call("verify", tmp_path)
    assert called.status == 1
    assert "no result.json" in called.err


def test_the_schema_in_the_docs_is_that_of_the_record() -> None:
    assert (ROOT / "docs" / "result.schema.json").read_text() == result_schema()


def test_seeds_with_the_same_predictions_are_named(tmp_path: Path, call: Callable[..., Any]) -> None:
    first, second = (toy_run(tmp_path, answers=toy_answers(), seed=seed) for seed in (0, 1))
    toy_run(tmp_path, seed=2)
    called = call("verify", tmp_path)
    assert called.status == 0
    assert f"no two seeds: {second} has the very answers of {first}, another seed; they count once" in called.err
    answer = json.loads(call("verify", tmp_path, "--json").out)
    assert [pair for one in answer for pair in one["copies"]] == [{"of": "seeds", "exact": True, "folder": str(first)}]
    # The same answers, rows turned round: another file.
    path = second / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(len(table))[::-1]), path)
    forge_scores(second)
    assert f"no two seeds: {second} has the very answers of {first}" in call("verify", tmp_path).err


def test_two_models_with_the_same_answers_are_named(tmp_path: Path, call: Callable[..., Any]) -> None:
    first, second = (toy_run(tmp_path, answers=toy_answers(), model=model) for model in ("a", "b"))
    toy_run(tmp_path, answers=toy_answers(), model="b", settings={"depth": 4})
    called = call("verify", tmp_path)
    assert called.status == 0
    assert f"no two models: {second} has the very answers of {first}, another model" in called.err
    assert "no two seeds" not in called.err
    answer = json.loads(call("verify", tmp_path, "--json").out)
    pairs = [pair for one in answer for pair in one["copies"]]
    assert pairs.count({"of": "models", "exact": True, "folder": str(first)}) == 2


def test_copies_with_noise_are_named(tmp_path: Path, call: Callable[..., Any]) -> None:
    noise = 0.02 * np.random.default_rng(5).normal(size=len(toy_answers()))
    first, second = (toy_run(tmp_path, answers=toy_answers() + seed * noise, seed=seed) for seed in (0, 1))
    called = call("verify", tmp_path, "--strict")
    assert called.status == 1
    assert f"no two seeds: {second} has much the same answers as {first}" in called.err
    toy_run(tmp_path, answers=2 * toy_answers(), model="other")
    assert "no two models" in call("verify", tmp_path).err


def test_two_answers_of_one_run_are_named(tmp_path: Path, call: Callable[..., Any]) -> None:
    first = toy_run(tmp_path / "a", answers=toy_answers())
    second = toy_run(tmp_path / "b", answers=toy_answers(noise=7))
    called = call("verify", tmp_path, "--strict")
    assert called.status == 1
    assert f"no two runs: {second} has other answers than {first}" in called.err
    shutil.rmtree(second)
    toy_run(tmp_path / "b", answers=toy_answers())  # repeated, to the last digit
    assert call("verify", tmp_path, "--strict").err == ""


def test_results_are_compared_with_those_there_already(tmp_path: Path, call: Callable[..., Any]) -> None:
    there = toy_run(tmp_path / "there", answers=toy_answers())
    toy_run(tmp_path / "there", answers=toy_answers(), model="copied long ago")
    (tmp_path / "empty").mkdir()
    mine = toy_run(tmp_path / "mine", answers=toy_answers() * 1.001, model="mine")
    assert call("verify", tmp_path / "mine", "--strict").status == 0
    assert call("verify", tmp_path / "mine", "--strict", "--beside", tmp_path / "empty").status == 0
    called = call("verify", tmp_path / "mine", "--strict", "--beside", tmp_path / "there")
    assert called.status == 1
    assert f"no two models: {mine} has much the same answers as {there.parent}" in called.err
    assert len(called.err.splitlines()) == 1, "what is there is not judged again"
    assert "1 of 1 runs are sound" in called.out


@pytest.mark.parametrize("struck", [{"control": "shuffled"}, {"limit": 500}, {"train_rows": 100}])
def test_two_protocols_with_the_same_answers_are_named(
    struck: dict[str, Any], tmp_path: Path, call: Callable[..., Any]
) -> None:
    """What a control was is seen where it stands beside its copy without the word."""
    first, second = (toy_run(tmp_path, answers=toy_answers(), **protocol) for protocol in ({}, struck))
    earlier, later = sorted((first, second))
    called = call("verify", tmp_path)
    assert called.status == 0
    assert f"no two protocols: {later} has the very answers of {earlier}, another protocol; was a control" in called.err
    assert call("verify", tmp_path, "--strict").status == 1
    answer = json.loads(call("verify", tmp_path, "--json").out)
    assert [pair for one in answer for pair in one["copies"]] == [
        {"of": "protocols", "exact": True, "folder": str(earlier)}
    ]
    shutil.rmtree(second)
    assert call("verify", tmp_path, "--strict").status == 0


def test_a_setting_without_effect_is_told_and_no_fault(tmp_path: Path, call: Callable[..., Any]) -> None:
    for settings in ({"x": 1}, {"x": 2}):
        toy_run(tmp_path, answers=toy_answers(), settings=settings)
    called = call("verify", tmp_path, "--strict")
    assert called.status == 0
    assert "no two settings" in called.err and "with other settings" in called.err


def test_data_that_is_not_at_hand_can_be_made_a_fault(run: Path, call: Callable[..., Any]) -> None:
    assert call("verify", run, "--require-data").status == 0
    forge_record(run, lambda record: record.update(task="mp/band_gap"))
    forge_record(run, lambda record: record["data"].update(dataset="elsewhere"))
    assert call("verify", run).status == 0
    assert call("verify", run, "--require-data").status == 1
    (one,) = json.loads(call("verify", run, "--json").out)
    assert one["sound"] and not one["data_checked"]
