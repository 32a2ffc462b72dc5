"""The plain scores against exact rational arithmetic, extended precision, scikit-learn and SciPy."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mpmath import mp

from llm4mat_bench.metrics import scores
from llm4mat_bench.metrics.errors import ScoreError

moderate = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x if abs(x) > 1e-60 else 0.0)
vectors = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=moderate), arrays(float, n, elements=moderate))
)


def exact(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """All sums in rational numbers, the last steps in 60 digits."""
    true, predicted = [Fraction(float(t)) for t in targets], [Fraction(float(p)) for p in predictions]
    n = len(true)
    mean = sum(true) / n
    mad = sum(abs(t - mean) for t in true) / n
    mae = sum(abs(p - t) for t, p in zip(true, predicted, strict=True)) / n
    squares = sum((p - t) ** 2 for t, p in zip(true, predicted, strict=True))
    with mp.workdps(60):
        rmse = float(mp.sqrt(mp.mpf((squares / n).numerator) / (squares / n).denominator))
    r2 = 1 - squares / sum((t - mean) ** 2 for t in true)
    return {
        "mean_absolute_deviation": float(mad),
        "mae": float(mae),
        "mad_mae": float(mad / mae),
        "rmse": rmse,
        "r2": float(r2),
    }


def ours(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return {
        "mean_absolute_deviation": scores.mean_absolute_deviation(targets),
        "mae": scores.mae(targets, predictions),
        "mad_mae": scores.mad_mae(targets, predictions),
        "rmse": scores.rmse(targets, predictions),
        "r2": scores.r2(targets, predictions),
    }


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6, -1e12])
def test_scores_agree_with_exact_arithmetic_at_any_offset_and_scale(offset: float, scale: float) -> None:
    if abs(offset) * scale > 1e307:
        offset = -1e6
    random = np.random.default_rng(5)
    targets = (random.normal(size=500) + offset) * scale
    predictions = targets + random.normal(size=500) * 0.3 * scale
    expected = exact(targets, predictions)
    for name, value in ours(targets, predictions).items():
        assert value == pytest.approx(expected[name], rel=2e-13, abs=0), name


@settings(max_examples=150, deadline=None)
@given(vectors)
def test_scores_agree_with_exact_arithmetic_on_anything(pair: tuple[np.ndarray, np.ndarray]) -> None:
    targets, predictions = pair
    assume(targets.min() < targets.max() and (targets != predictions).any())
    expected = exact(targets, predictions)
    for name, value in ours(targets, predictions).items():
        # 1 - x loses what x has in common with 1, whoever computes it
        assert value == pytest.approx(expected[name], rel=1e-11, abs=1e-11 if name == "r2" else 0), name


def test_two_million_values_with_a_large_offset_agree_with_extended_precision() -> None:
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("this machine's long double is no wider than double")
    random = np.random.default_rng(0)
    targets = random.normal(size=2_000_000) + 1e7
    predictions = targets + random.normal(size=targets.size)
    wide, errors = targets.astype(np.longdouble), predictions.astype(np.longdouble) - targets.astype(np.longdouble)
    deviations = wide - wide.mean()
    mad, mae = np.abs(deviations).mean(), np.abs(errors).mean()
    squares = np.square(errors).sum()
    got = ours(targets, predictions)
    assert got["mean_absolute_deviation"] == pytest.approx(float(mad), rel=1e-14, abs=0)
    assert got["mae"] == pytest.approx(float(mae), rel=1e-14, abs=0)
    assert got["mad_mae"] == pytest.approx(float(mad / mae), rel=1e-14, abs=0)
    assert got["rmse"] == pytest.approx(float(np.sqrt(squares / targets.size)), rel=1e-14, abs=0)
    assert got["r2"] == pytest.approx(float(1 - squares / np.square(deviations).sum()), rel=1e-10, abs=1e-14)


@settings(max_examples=100, deadline=None)
@given(vectors)
def test_scores_agree_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    targets, predictions = pair[0].round(3), pair[1].round(3)
    assume(targets.min() < targets.max() and predictions.min() < predictions.max())
    assert scores.mae(targets, predictions) == pytest.approx(sklearn.metrics.mean_absolute_error(targets, predictions))
    assert scores.rmse(targets, predictions) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(targets, predictions)
    )
    # scikit-learn subtracts the mean less carefully: compare where there is something to compare
    if np.ptp(targets) > 1e-6 * np.abs(targets).max():
        expected = sklearn.metrics.r2_score(targets, predictions)
        assert scores.r2(targets, predictions) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    expected = scipy.stats.spearmanr(targets, predictions).statistic
    assert scores.spearman(targets, predictions) == pytest.approx(expected, abs=1e-12)


labelled = st.integers(2, 60).flatmap(
    lambda n: st.tuples(arrays(bool, n), arrays(float, n, elements=st.integers(-5, 5).map(lambda k: k / 4)))
)


@settings(max_examples=200, deadline=None)
@given(labelled)
def test_roc_auc_averages_ties_as_scikit_learn_does(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, values = pair
    assume(0 < labels.sum() < labels.size)
    area = scores.roc_auc(labels, values)
    assert area == pytest.approx(sklearn.metrics.roc_auc_score(labels, values), abs=1e-12)
    # by the definition: pairs won, ties one half
    positive, negative = values[labels][:, None], values[~labels][None, :]
    assert area == ((positive > negative).sum() + (positive == negative).sum() / 2) / (positive.size * negative.size)


@settings(max_examples=100, deadline=None)
@given(labelled)
def test_roc_auc_depends_on_order_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, values = pair
    assume(0 < labels.sum() < labels.size)
    area = scores.roc_auc(labels, values)
    assert scores.roc_auc(labels, 1 / (1 + np.exp(-values))) == area
    assert scores.roc_auc(labels, values**3 * 1e-3 - 7) == area
    assert scores.roc_auc(labels, 1 - values) == pytest.approx(1 - area, abs=1e-15)
    assert scores.roc_auc(~labels, values) == pytest.approx(1 - area, abs=1e-15)


@settings(max_examples=100, deadline=None)
@given(vectors, st.floats(-1e3, 1e3), st.floats(0.01, 1e4), st.booleans())
def test_mad_mae_ignores_the_unit_and_the_zero(
    pair: tuple[np.ndarray, np.ndarray], shift: float, scale: float, flip: bool
) -> None:
    targets, predictions = pair[0].round(3), pair[1].round(3)
    assume(targets.min() < targets.max() and (targets != predictions).any())
    scale = -scale if flip else scale
    expected = scores.mad_mae(targets, predictions)
    assert scores.mad_mae(targets * scale, predictions * scale) == pytest.approx(expected, rel=1e-8)
    # a shift rounds away what is small beside it
    assert scores.mad_mae(targets + shift, predictions + shift) == pytest.approx(expected, rel=1e-4)
    assert scores.mad_mae(targets, predictions) == scores.mad_mae(list(targets), list(predictions))


def test_answering_the_mean_scores_one() -> None:
    targets = np.random.default_rng(1).gamma(2.0, size=10_001)
    predictions = np.full(targets.size, targets.mean())
    assert scores.mad_mae(targets, predictions) == pytest.approx(1, abs=1e-12)
    assert scores.r2(targets, predictions) == pytest.approx(0, abs=1e-12)


def test_worked_examples_by_hand() -> None:
    targets, predictions = [1, 2, 3, 6], [1, 3, 3, 4]  # mean 3; |deviations| 2 1 0 3; |errors| 0 1 0 2
    assert scores.mean_absolute_deviation(targets) == 1.5
    assert scores.mae(targets, predictions) == 0.75
    assert scores.mad_mae(targets, predictions) == 2.0
    assert scores.rmse(targets, predictions) == math.sqrt(1.25)
    assert scores.r2(targets, predictions) == pytest.approx(1 - 5 / 14)
    assert scores.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert scores.spearman([1, 2, 3], [10, 20, 30]) == 1.0
    assert scores.spearman([1, 2, 3], [3, 2, 1]) == -1.0


def test_perfect_predictions_score_infinity_and_a_constant_target_has_no_spread() -> None:
    assert scores.mad_mae([1.0, 2.0], [1.0, 2.0]) == math.inf
    assert scores.mean_absolute_deviation([0.1] * 7) == 0.0


def test_extremes_of_float64_do_not_overflow() -> None:
    huge = [1.7e308, -1.7e308]
    assert scores.mad_mae(huge, huge[::-1]) == 0.5
    assert scores.mean_absolute_deviation(huge) == 1.7e308
    tiny = [5e-324, 0.0, 1.5e-323]
    assert scores.mad_mae(tiny, [0.0, 0.0, 0.0]) == pytest.approx(float(Fraction(10, 9) / Fraction(4, 3)))
    with pytest.raises(ScoreError, match="MAE is beyond the range of float64"):
        scores.mae(huge, huge[::-1])
    with pytest.raises(ScoreError, match="R2 is beyond the range"):
        scores.r2([1.0, 2.0], [1e300, 0.0])


two_arguments = [scores.mad_mae, scores.mae, scores.rmse, scores.r2, scores.spearman]


@pytest.mark.parametrize("score", two_arguments)
@pytest.mark.parametrize(
    ("targets", "predictions", "message"),
    [
        ([], [], "targets is empty: there is nothing to score"),
        ([1.0, 2.0], [], "predictions is empty"),
        ([1.0, 2.0], [1.0], "2 targets but 1 predictions: one prediction a target is needed"),
        ([1.0, np.nan], [1.0, 2.0], "targets: 1 of 2 values is NaN, the first at position 1"),
        ([1.0, 2.0, 3.0], [np.nan, 2.0, np.nan], "predictions: 2 of 3 values are NaN, the first at position 0"),
        ([1.0, 2.0], [1.0, -np.inf], "predictions: 1 of 2 values is infinite, the first at position 1"),
        ([1.0, 2.0], ["1.0", "a lot"], "predictions must be numbers, not text such as '1.0'"),
        (["1", "2"], [1.0, 2.0], "targets must be numbers, not text such as '1'"),
        ([1.0, 2.0], [1.0, None], "predictions must be numbers: there is None at position 1"),
        ([1.0, 2.0], [1.0, 2j], "predictions must be real numbers, not complex128"),
        ([[1.0], [2.0]], [1.0, 2.0], r"targets must be one-dimensional, not of shape \(2, 1\)"),
        ([1.0, 2.0], 1.0, r"predictions must be one-dimensional, not of shape \(\)"),
        ([1.0, 2.0], [[1.0], [2.0, 3.0]], "predictions must be one-dimensional, not nested lists"),
        ([1.0, 2.0], np.ma.masked_array([1.0, 2.0], mask=[0, 1]), "predictions has masked values"),
        ([1.0, 2.0], [1, 10**400], "predictions has an integer beyond the range of float64"),
        ([1.0, 2.0], np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"), "real numbers, not datetime"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(score, targets, predictions, message) -> None:
    with pytest.raises(ScoreError, match=message) as caught:
        score(targets, predictions)
    assert "\n" not in str(caught.value)


def test_constant_input_is_named_not_divided_by() -> None:
    with pytest.raises(ScoreError, match=r"all 3 targets equal 0\.1: MAD is 0 and MAD:MAE is undefined"):
        scores.mad_mae([0.1] * 3, [1.0, 2.0, 3.0])
    with pytest.raises(ScoreError, match="the only target is 2: R2 is undefined"):
        scores.r2([2.0], [1.0])
    with pytest.raises(ScoreError, match="all 2 targets equal 4: a rank correlation is undefined"):
        scores.spearman([4, 4], [1.0, 2.0])
    with pytest.raises(ScoreError, match="all 2 predictions equal 1: a rank correlation is undefined"):
        scores.spearman([4, 5], [1.0, 1.0])


@pytest.mark.parametrize(
    ("labels", "values", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "targets: all 3 labels are 1; an AUC needs both classes"),
        ([False, False], [0.1, 0.2], "all 2 labels are 0"),
        ([0, 1, 2], [0.1, 0.2, 0.3], r"class labels must be 0 or 1, not 2 \(position 2\)"),
        ([-1, 1], [0.1, 0.2], "class labels must be 0 or 1, not -1"),
        ([0, 0.5], [0.1, 0.2], "class labels must be 0 or 1, not 0.5"),
        (["yes", "no"], [0.1, 0.2], "targets must be numbers, not text such as 'yes'"),
        ([0.0, np.nan], [0.1, 0.2], "targets: 1 of 2 values is NaN"),
        ([0, 1], [0.1, np.nan], "scores: 1 of 2 values is NaN"),
        ([0, 1], [0.1, np.inf], "scores: 1 of 2 values is infinite"),
        ([0, 1], [0.1], "2 targets but 1 scores: one score a target"),
        ([], [], "targets is empty"),
    ],
)
def test_bad_classification_input_is_refused(labels, values, message) -> None:
    with pytest.raises(ScoreError, match=message):
        scores.roc_auc(labels, values)


def test_any_array_like_of_numbers_is_read() -> None:
    import pandas
    import pyarrow

    expected = scores.mae([1, 2, 4], [1, 1, 1])
    for make in (np.float32, np.int8, np.uint64):
        assert scores.mae(np.array([1, 2, 4], dtype=make), [1, 1, 1]) == expected
    assert scores.mae(pandas.Series([1, 2, 4]), pyarrow.array([1, 1, 1])) == expected
    with pytest.raises(ScoreError, match="NaN"):
        scores.mae(pyarrow.array([1.0, None, 4.0]), [1, 1, 1])
    assert scores.roc_auc(np.array([True, False]), np.float32([0.5, 0.25])) == 1.0
