"""Both protocols: what a missing answer costs, what is refused, and that every report survives JSON."""

import json
import math

import numpy as np
import pydantic
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.metrics import protocols, scores
from llm4mat_bench.metrics.errors import ScoreError
from llm4mat_bench.metrics.protocols import (
    ClassificationReport,
    Refused,
    RegressionReport,
    Score,
    score_classification,
    score_regression,
)


def regression_run(n: int = 200, missing: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    targets = random.gamma(2.0, size=n)
    predictions = targets + random.normal(size=n) * 0.5
    predictions[random.permutation(n)[:missing]] = np.nan
    return targets, predictions


def classification_run(n: int = 200, missing: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.random(n) < 0.3
    logits = 3.0 * labels - 1.5 + random.normal(size=n) * 2
    logits[random.permutation(n)[:missing]] = np.nan
    return labels, logits


def test_whole_fills_in_the_training_mean_and_published_leaves_out() -> None:
    targets, predictions = regression_run()
    report = score_regression(targets, predictions, train_mean=1.7)
    assert (report.n_total, report.n_scored, report.n_missing, report.coverage) == (200, 170, 30, 0.85)
    valid, filled = ~np.isnan(predictions), np.where(np.isnan(predictions), 1.7, predictions)
    for found, true, predicted in (
        (report.published, targets[valid], predictions[valid]),
        (report.whole, targets, filled),
    ):
        assert found.n == true.size
        assert found.mae.value == pytest.approx(sklearn.metrics.mean_absolute_error(true, predicted))
        assert found.rmse.value == pytest.approx(sklearn.metrics.root_mean_squared_error(true, predicted))
        assert found.r2.value == pytest.approx(sklearn.metrics.r2_score(true, predicted))
        assert found.mad.value == pytest.approx(np.abs(true - true.mean()).mean())
        assert found.mad_mae.value == pytest.approx(found.mad.value / found.mae.value)
        assert found.spearman.value == scores.spearman(true, predicted)
        for name in ("mae", "rmse", "r2", "mad", "mad_mae", "spearman"):
            score = getattr(found, name)
            assert score.interval.low < score.value < score.interval.high, name


def test_answering_only_easy_cases_wins_nothing() -> None:
    random = np.random.default_rng(1)
    targets = random.normal(size=500)
    honest = targets + random.normal(size=500) * 0.5
    picky = np.where(np.abs(honest - targets) < 0.1, honest, np.nan)
    open_book, picked = (score_regression(targets, each, train_mean=0.0, confidence=None) for each in (honest, picky))
    assert float(picked.published.mad_mae) > 3 * float(open_book.published.mad_mae)
    assert float(picked.whole.mad_mae) < float(open_book.whole.mad_mae)

    labels, logits = classification_run(500, 0)
    picky = np.where((logits > 0) == labels, logits, np.nan)
    picked = score_classification(labels, picky, "logit", confidence=None)
    honest = score_classification(labels, logits, "logit", confidence=None)
    assert picked.published.accuracy.value == 1.0
    assert picked.whole.accuracy == honest.whole.accuracy


def test_a_run_without_gaps_has_one_set_of_scores_and_needs_no_training_mean() -> None:
    targets, predictions = regression_run(missing=0)
    report = score_regression(targets, predictions)
    assert report.published == report.whole
    assert report.coverage == 1.0
    with_mean = score_regression(targets, predictions, train_mean=-3.0)
    assert with_mean.whole == report.whole


def test_classification_agrees_with_scikit_learn_under_both_protocols() -> None:
    labels, logits = classification_run()
    report = score_classification(labels, logits, "logit")
    valid = ~np.isnan(logits)
    answers = logits > 0
    for found, true, ranked, answered in (
        (report.published, labels[valid], logits[valid], answers[valid]),
        (report.whole, labels, np.where(valid, logits, 0.0), np.where(valid, answers, ~labels)),
    ):
        assert (found.n, found.n_positive) == (true.size, true.sum())
        assert found.roc_auc.value == pytest.approx(sklearn.metrics.roc_auc_score(true, ranked))
        assert found.accuracy.value == pytest.approx(sklearn.metrics.accuracy_score(true, answered))
        assert found.balanced_accuracy.value == pytest.approx(sklearn.metrics.balanced_accuracy_score(true, answered))
        assert found.precision.value == pytest.approx(sklearn.metrics.precision_score(true, answered))
        assert found.recall.value == pytest.approx(sklearn.metrics.recall_score(true, answered))
        assert found.f1.value == pytest.approx(sklearn.metrics.f1_score(true, answered))
        for name in ("roc_auc", "accuracy", "balanced_accuracy", "precision", "recall", "f1"):
            score = getattr(found, name)
            assert score.interval.low < score.value < score.interval.high, name


def test_probabilities_and_their_logits_score_the_same() -> None:
    labels, logits = classification_run()
    by_logit = score_classification(labels, logits, "logit")
    by_probability = score_classification(labels, 1 / (1 + np.exp(-logits)), "probability")
    assert (by_logit.threshold, by_probability.threshold) == (0.0, 0.5)
    assert by_probability.whole == by_logit.whole
    assert by_probability.published == by_logit.published


def test_hard_labels_turn_the_auc_into_balanced_accuracy() -> None:
    labels, logits = classification_run(missing=0)
    hard = score_classification(labels, logits > 0, "hard_label").whole
    assert hard.roc_auc.value == pytest.approx(hard.balanced_accuracy.value)
    assert hard.roc_auc.value < score_classification(labels, logits, "logit").whole.roc_auc.value - 0.03


@pytest.mark.parametrize("n_valid", [0, 1, 9, 10])
def test_published_refuses_fewer_than_ten_answers(n_valid: int) -> None:
    targets, predictions = regression_run(30, 0)
    predictions[n_valid:] = np.nan
    report = score_regression(targets, predictions, train_mean=1.0)
    labels, logits = classification_run(30, 0)
    logits[n_valid:] = np.nan
    other = score_classification(labels, logits, "logit")
    for each in (report, other):
        assert each.whole.n == 30 and each.n_scored == n_valid
        if n_valid < 10:
            assert isinstance(each.published, Refused) and each.published.n == n_valid
            plural = "" if n_valid == 1 else "s"
            assert f"{n_valid} valid answer{plural}: the published protocol" in each.published.reason
            flat = each.flat("published")
            assert flat["n"] == n_valid and flat["coverage"] == n_valid / 30
            assert flat["intervals"] == {}
            assert set(flat["undefined"].values()) == {each.published.reason}
        else:
            assert each.published.n == 10
    if n_valid == 0:
        assert report.whole.mae.value == pytest.approx(np.abs(targets - 1.0).mean())
        assert report.whole.spearman.status == "undefined"
        assert other.whole.roc_auc.value == 0.5
        assert other.whole.accuracy.value == 0.0


def test_what_is_undefined_is_a_null_with_its_reason_and_the_rest_stands() -> None:
    constant_answer = score_regression(np.arange(20.0), np.full(20, 9.5)).whole
    assert constant_answer.spearman == Score(
        value=None, status="undefined", reason="all 20 predictions equal 9.5: a rank correlation is undefined"
    )
    assert constant_answer.mad_mae.value == 1.0 and constant_answer.r2.value == 0.0

    constant_target = score_regression(np.full(20, 0.1), np.arange(20.0)).whole
    assert constant_target.mad_mae.value is None
    assert constant_target.mad_mae.reason == "all 20 targets equal 0.1: MAD is 0 and MAD:MAE is undefined"
    assert constant_target.r2.status == constant_target.spearman.status == "undefined"
    assert constant_target.mad.value == 0.0 and constant_target.mae.value == pytest.approx(9.41)
    assert math.isnan(float(constant_target.r2))

    one_class = score_classification(np.zeros(20), np.linspace(0, 0.4, 20), "probability").whole
    assert one_class.roc_auc.reason == "targets: all 20 labels are 0; an AUC needs both classes"
    assert one_class.accuracy.value == 1.0
    assert one_class.balanced_accuracy.reason == one_class.recall.reason == one_class.f1.reason == "all 20 labels are 0"
    assert one_class.precision.reason == "no material was answered to be positive"

    absurd = score_regression(np.arange(20.0), np.where(np.arange(20) == 3, 1e300, 1.0)).whole
    assert absurd.mae.value == pytest.approx(5e298) and "beyond the range" in absurd.r2.reason


def test_perfect_predictions_are_infinite_and_still_json() -> None:
    report = score_regression(np.arange(20.0), np.arange(20.0))
    assert report.whole.mad_mae == Score(value=None, status="infinite", reason="every prediction is exact: MAE is 0")
    assert float(report.whole.mad_mae) == math.inf
    assert report.whole.spearman.value == 1.0
    assert report.whole.spearman.interval is None and "exactly 1" in report.whole.spearman.reason
    perfect = score_classification([0, 1] * 10, [0.1, 0.9] * 10, "probability").whole
    assert perfect.roc_auc.value == 1.0 and perfect.roc_auc.interval.high == 1.0
    assert 0.6 < perfect.roc_auc.interval.low < 0.9  # ten materials of each class are no certainty
    json.loads(report.model_dump_json(), parse_constant=pytest.fail)
    assert RegressionReport.model_validate_json(report.model_dump_json()) == report


answers = st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e9, 1e9), answers), min_size=1, max_size=40))
def test_any_regression_run_has_a_report_that_survives_json(pairs: list) -> None:
    targets, predictions = zip(*pairs, strict=True)
    report = score_regression(targets, predictions, train_mean=0.5, n_resamples=50)
    assert RegressionReport.model_validate_json(report.model_dump_json()) == report
    assert report.n_missing == sum(each is None for each in predictions)
    for protocol in ("whole", "published"):
        json.dumps(report.flat(protocol), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), answers), min_size=1, max_size=40))
def test_any_classification_run_has_a_report_that_survives_json(pairs: list) -> None:
    labels, values = zip(*pairs, strict=True)
    report = score_classification(labels, values, "logit", n_resamples=50)
    assert ClassificationReport.model_validate_json(report.model_dump_json()) == report
    for protocol in ("whole", "published"):
        json.dumps(report.flat(protocol), allow_nan=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score_regression([1.0, 2.0], [1.0, None]), "1 of 2 predictions are missing: give train_mean"),
        (lambda: score_regression([1.0, 2.0], [1.0, 2.0], train_mean=math.nan), "train_mean must be a finite number"),
        (lambda: score_regression([1.0, 2.0], [1.0, math.inf]), "1 of 2 values is infinite, the first at position 1"),
        (lambda: score_regression([1.0, math.nan], [1.0, 2.0]), "targets: 1 of 2 values is NaN"),
        (lambda: score_regression([1.0, None], [1.0, 2.0]), "targets must be numbers: there is None"),
        (lambda: score_regression([], []), "targets is empty"),
        (lambda: score_regression([1.0, 2.0], [1.0]), "2 targets but 1 predictions"),
        (lambda: score_regression([1.0, 2.0], ["1", "2"]), "predictions must be numbers, not text"),
        (lambda: score_regression([1.0, 2.0], [1.0, "2"]), "predictions must be numbers, not text"),
        (lambda: score_regression([1.0, 2.0], [None, "2"]), "predictions must be numbers: there is '2' at position 1"),
        (lambda: score_regression([1.0, 2.0], [1.0, 2.0], confidence=1.0), "confidence must lie between 0 and 1"),
        (lambda: score_classification([0, 1], [0.1, 0.2], "probs"), "score_kind must be one of probability, logit,"),
        (
            lambda: score_classification([0, 1, 1], [0.1, 1.5, -2], "probability"),
            r"2 of 3 values, the first 1\.5 at position 1, are outside 0 to 1: not probabilities; score_kind='logit'",
        ),
        (
            lambda: score_classification([0, 1, 1], [0, None, 0.5], "hard_label"),
            r"1 of 3 values, the first 0\.5 at position 2, is neither 0 nor 1: not hard labels",
        ),
        (lambda: score_classification([0, 2], [0.1, 0.2], "logit"), "class labels must be 0 or 1, not 2"),
        (lambda: score_classification([0, 1], [0.1, -math.inf], "logit"), "scores: 1 of 2 values is infinite"),
        (lambda: score_classification([0, 1], [0.1], "logit"), "2 targets but 1 scores"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message) -> None:
    with pytest.raises(ScoreError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_reports_are_frozen_forbid_extra_keys_and_have_a_schema() -> None:
    report = score_regression(*regression_run(missing=0), confidence=None)
    assert all(getattr(report.whole, name).interval is None for name in ("mae", "mad_mae", "spearman"))
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        report.n_total = 3
    loaded = json.loads(report.model_dump_json())
    loaded["whole"]["extra"] = 1
    with pytest.raises(pydantic.ValidationError, match="extra"):
        RegressionReport.model_validate(loaded)
    with pytest.raises(pydantic.ValidationError, match="needs a reason"):
        Score(value=None, status="undefined")
    with pytest.raises(pydantic.ValidationError, match="has a value where"):
        Score(value=None)
    for model in (RegressionReport, ClassificationReport):
        assert model.model_json_schema()["additionalProperties"] is False


def test_same_seed_same_bytes() -> None:
    targets, predictions = regression_run()
    first, again = (score_regression(targets, predictions, train_mean=1.0, seed=3) for _ in range(2))
    assert first.model_dump_json() == again.model_dump_json()
    labels, logits = classification_run()
    first, again = (score_classification(labels, logits, "logit", seed=3) for _ in range(2))
    assert first.model_dump_json() == again.model_dump_json()


def test_flat_gives_plain_values_by_name() -> None:
    targets, predictions = regression_run()
    report = score_regression(targets, predictions, train_mean=1.0, confidence=0.9)
    flat = report.flat()
    assert set(flat) == {
        "mad_mae", "mae", "rmse", "r2", "spearman", "mad", "n", "n_total", "coverage", "protocol", "intervals"
    }  # fmt: skip
    assert flat["mad_mae"] == report.whole.mad_mae.value and flat["n"] == 200
    assert report.flat("published")["mad_mae"] == report.published.mad_mae.value
    assert flat["intervals"]["mad_mae"] == report.whole.mad_mae.interval.model_dump()
    assert flat["intervals"]["mad_mae"]["level"] == 0.9
    assert "intervals" not in score_regression(targets, predictions, train_mean=1.0, confidence=None).flat()


def test_a_score_exactly_on_the_threshold_answers_the_negative_class() -> None:
    found = score_classification([0, 1], [0.5, 0.5], "probability", confidence=None).whole
    assert found.recall.value == 0.0 and found.accuracy.value == 0.5


def test_importing_the_room_stays_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import llm4mat_bench.metrics; heavy = {'numpy', 'scipy', 'pydantic', 'evaluate', 'datasets'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); import llm4mat_bench.metrics.protocols; "
        "assert not {'scipy.stats', 'evaluate', 'datasets', 'torch', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert protocols.MINIMUM_ANSWERS == 10
