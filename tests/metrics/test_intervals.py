"""Intervals against SciPy's bootstrap, definitions written out, brute force, and simulated coverage."""

import math

import numpy as np
import pytest
import scipy.stats

from llm4mat_bench.metrics import intervals, scores
from llm4mat_bench.metrics.confusion import Confusion, confusion, rates
from llm4mat_bench.metrics.errors import ScoreError

STATISTICS = ("mad", "mae", "rmse", "mad_mae", "r2")


def run_like(n: int, seed: int = 0, shape: str = "gamma") -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = {
        "gamma": random.gamma(2.0, size=n),
        "offset": random.normal(size=n) * 1e-3 - 1e5,
        "three values": random.integers(-1, 2, size=n).astype(float),
        "mostly zero": random.gamma(2.0, size=n) * (random.random(n) < 0.3),
        "sorted": np.sort(random.normal(size=n)),
    }[shape]
    return targets, targets + random.laplace(size=n) * 0.3 * targets.std()


def test_plain_bootstrap_agrees_with_scipy() -> None:
    targets, predictions = run_like(60)
    with np.errstate(all="ignore"):
        ours = intervals.regression_intervals(targets, predictions, n_resamples=6000)
        functions = {
            "mad": lambda t, p: np.abs(t - t.mean()).mean(),
            "mae": lambda t, p: np.abs(t - p).mean(),
            "rmse": lambda t, p: np.sqrt(np.square(t - p).mean()),
            "mad_mae": lambda t, p: np.abs(t - t.mean()).mean() / np.abs(t - p).mean(),
            "r2": lambda t, p: 1 - np.square(t - p).sum() / np.square(t - t.mean()).sum(),
        }
        for name in STATISTICS:
            theirs = scipy.stats.bootstrap(
                (targets, predictions), functions[name], paired=True, vectorized=False, method="percentile",
                n_resamples=6000, rng=np.random.default_rng(1),
            ).confidence_interval  # fmt: skip
            width = theirs.high - theirs.low
            assert ours[name].low == pytest.approx(theirs.low, abs=0.06 * width), name
            assert ours[name].high == pytest.approx(theirs.high, abs=0.06 * width), name
            assert ours[name].level == 0.95
            assert ours[name].method == "bootstrap-percentile"


@pytest.mark.parametrize("shape", ["gamma", "offset", "three values", "mostly zero", "sorted"])
def test_blocks_give_the_intervals_of_the_plain_bootstrap(shape: str) -> None:
    targets, predictions = run_like(30_000, 3, shape)
    plain = intervals.regression_intervals(targets, predictions, n_resamples=2000, plain_limit=30_000)
    blocks = intervals.regression_intervals(targets, predictions, n_resamples=2000)
    assert {interval.method for interval in plain.values()} == {"bootstrap-percentile"}
    assert {interval.method for interval in blocks.values()} == {"block-bootstrap-percentile"}
    for name in STATISTICS:
        width = plain[name].high - plain[name].low
        assert blocks[name].high - blocks[name].low == pytest.approx(width, rel=0.1), name
        assert blocks[name].low == pytest.approx(plain[name].low, abs=0.08 * width), name
        assert blocks[name].high == pytest.approx(plain[name].high, abs=0.08 * width), name


@pytest.mark.parametrize("shape", ["gamma", "three values", "mostly zero"])
def test_sums_of_blocks_give_each_resample_s_own_statistics(shape: str) -> None:
    """The same blocks are drawn again, and every statistic is computed from the materials themselves."""
    n, n_resamples = 21_007, 40
    targets, predictions = run_like(n, 7, shape)
    deviations, errors = targets - targets.mean(), predictions - targets
    drawn = intervals._draw_blocks(deviations, errors, n_resamples, np.random.default_rng(11))
    random = np.random.default_rng(11)
    starts = np.arange(intervals.N_BLOCKS) * n // intervals.N_BLOCKS
    blocks = np.split(random.permutation(n), starts[1:])
    assert {block.size for block in blocks} == {5, 6}
    exact_mad = np.empty(n_resamples)
    for row in range(n_resamples):
        chosen = np.concatenate([blocks[i] for i in random.integers(intervals.N_BLOCKS, size=intervals.N_BLOCKS)])
        exact_mad[row] = np.abs(deviations[chosen] - deviations[chosen].mean()).mean()
        assert drawn.variance[row] == pytest.approx(deviations[chosen].var(), rel=1e-9)
        assert drawn.absolute_error[row] == pytest.approx(np.abs(errors[chosen]).mean(), rel=1e-12)
        assert drawn.squared_error[row] == pytest.approx(np.square(errors[chosen]).mean(), rel=1e-12)
    # interpolated: off by no more than a hundredth of the spread that the interval measures
    assert np.abs(drawn.mad - exact_mad).max() < 0.01 * exact_mad.std() + 1e-12 * exact_mad.mean()


def test_same_seed_same_bytes_and_another_seed_other_resamples() -> None:
    for n in (500, 25_000):
        targets, predictions = run_like(n)
        first, again = (intervals.regression_intervals(targets, predictions, seed=4) for _ in range(2))
        other = intervals.regression_intervals(targets, predictions, seed=5)
        dumped = [{name: one.model_dump_json() for name, one in each.items()} for each in (first, again, other)]
        assert dumped[0] == dumped[1]
        assert all(dumped[0][name] != dumped[2][name] for name in STATISTICS)


@pytest.mark.parametrize("n", [400, 30_000])
def test_intervals_scale_with_the_unit_and_hold_the_value(n: int) -> None:
    targets, predictions = run_like(n)
    here = intervals.regression_intervals(targets, predictions)
    there = intervals.regression_intervals(targets * 2.0**600, predictions * 2.0**600)
    assert there["mad_mae"] == here["mad_mae"] and there["r2"] == here["r2"]
    for name in ("mad", "mae", "rmse"):
        assert there[name].low == here[name].low * 2.0**600 and there[name].high == here[name].high * 2.0**600
    for name, value in {
        "mad": scores.mean_absolute_deviation(targets),
        "mae": scores.mae(targets, predictions),
        "rmse": scores.rmse(targets, predictions),
        "mad_mae": scores.mad_mae(targets, predictions),
        "r2": scores.r2(targets, predictions),
    }.items():
        assert here[name].low < value < here[name].high, name
        wider = intervals.regression_intervals(targets, predictions, confidence=0.99)[name]
        assert wider.low < here[name].low and here[name].high < wider.high


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    sigma, replicates = 0.5, 250
    truth = {
        "mad": math.sqrt(2 / math.pi), "mae": sigma * math.sqrt(2 / math.pi), "rmse": sigma, "mad_mae": 1 / sigma,
        "r2": 1 - sigma**2,
    }  # fmt: skip
    hits = dict.fromkeys(truth, 0)
    for replicate in range(replicates):
        targets = random.normal(size=250)
        predictions = targets + sigma * random.normal(size=250)
        found = intervals.regression_intervals(targets, predictions, n_resamples=300, seed=replicate)
        for name, value in truth.items():
            hits[name] += found[name].low <= value <= found[name].high
    for name, count in hits.items():
        assert 0.90 <= count / replicates <= 0.985, (name, count / replicates)


def test_auc_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    for separation in (0.5, 1.5):
        truth = scipy.stats.norm.cdf(separation / math.sqrt(2))
        labels = np.arange(120) < 50
        hits = 0
        for _ in range(600):
            found = intervals.auc_interval(labels, random.normal(size=labels.size) + separation * labels)
            hits += found.low <= truth <= found.high
        assert 0.925 <= hits / 600 <= 0.975


def test_rank_correlation_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(4)
    for rho in (0.3, 0.8):
        truth = 6 / math.pi * math.asin(rho / 2)
        hits = 0
        for _ in range(600):
            first, noise = random.normal(size=(2, 80))
            found = intervals.spearman_interval(first, rho * first + math.sqrt(1 - rho**2) * noise)
            hits += found.low <= truth <= found.high
        assert 0.925 <= hits / 600 <= 0.975


def test_delong_variance_is_that_of_its_definition() -> None:
    random = np.random.default_rng(6)
    for _ in range(20):
        labels = np.concatenate([[True, True, False, False], random.random(40) < 0.4])
        values = random.integers(0, 12, size=labels.size) + 2.0 * labels  # many ties
        wins = values[labels][:, None] > values[~labels][None, :]
        kernel = wins + 0.5 * (values[labels][:, None] == values[~labels][None, :])
        by_definition = kernel.mean(1).var(ddof=1) / kernel.shape[0] + kernel.mean(0).var(ddof=1) / kernel.shape[1]
        ours = intervals.delong_variance(labels, values, scores.ranks(values))
        assert ours == pytest.approx(by_definition, rel=1e-12)
        if not 0 < scores.roc_auc(labels, values) < 1:
            continue
        auc, found = kernel.mean(), intervals.auc_interval(labels, values, confidence=0.9)
        half = scipy.stats.norm.ppf(0.95) * math.sqrt(by_definition) / (auc * (1 - auc))
        assert found.low == pytest.approx(scipy.special.expit(scipy.special.logit(auc) - half), rel=1e-12)
        assert found.high == pytest.approx(scipy.special.expit(scipy.special.logit(auc) + half), rel=1e-12)
        mirrored = intervals.auc_interval(~labels, values, confidence=0.9)
        assert mirrored.low == pytest.approx(1 - found.high) and mirrored.high == pytest.approx(1 - found.low)


def test_delong_interval_is_close_to_a_bootstrap_over_materials() -> None:
    random = np.random.default_rng(8)
    labels = random.random(1500) < 0.3
    values = random.normal(size=1500) + 1.2 * labels
    found = intervals.auc_interval(labels, values)
    areas = []
    for _ in range(1000):
        chosen = random.integers(1500, size=1500)
        areas.append(scores.roc_auc(labels[chosen], values[chosen]))
    assert [found.low, found.high] == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.004)


def test_bonett_wright_by_hand() -> None:
    # r = 0.5, n = 103: standard error sqrt(1.125 / 100) = 0.1060660; atanh(0.5) = 0.5493061; z = 1.9599640
    found = intervals.bonett_wright_interval(0.5, 103)
    assert found.low == pytest.approx(math.tanh(0.5493061 - 1.9599640 * 0.1060660), abs=1e-6)
    assert found.high == pytest.approx(math.tanh(0.5493061 + 1.9599640 * 0.1060660), abs=1e-6)


def test_rates_intervals_are_the_bootstrap_of_the_table() -> None:
    random = np.random.default_rng(9)
    labels = random.random(800) < 0.25
    answers = labels ^ (random.random(800) < 0.2)
    found = intervals.rate_intervals(confusion(labels, answers), n_resamples=4000)
    resampled: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(2000):
        chosen = random.integers(800, size=800)
        for name, value in rates(confusion(labels[chosen], answers[chosen])).items():
            resampled[name].append(float(value))
    for name, values in resampled.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert [found[name].low, found[name].high] == pytest.approx([low, high], abs=0.1 * (high - low)), name
    assert "precision" not in intervals.rate_intervals(Confusion(0, 0, 5, 20))


def test_an_end_that_resamples_push_to_infinity_is_open() -> None:
    found = intervals.regression_intervals([1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 4.0])
    assert found["mad_mae"].high is None and found["mad_mae"].low == 0.5
    # one positive target in thirty: a third of the resamples have no spread at all, and R2 no lower end
    targets = np.zeros(30)
    targets[0] = 1.0
    assert intervals.regression_intervals(targets, np.full(30, 0.1))["r2"].low is None


def test_what_is_undefined_has_no_interval() -> None:
    constant = intervals.regression_intervals([0.1] * 30, np.linspace(0, 1, 30))
    assert set(constant) == {"mad", "mae", "rmse"}
    assert (constant["mad"].low, constant["mad"].high) == (0.0, 0.0)
    perfect = intervals.regression_intervals(np.arange(30.0), np.arange(30.0))
    assert set(perfect) == {"mad", "mae", "rmse", "r2"}
    assert (perfect["r2"].low, perfect["r2"].high) == (1.0, 1.0)
    large = intervals.regression_intervals([0.1] * 25_000, np.linspace(0, 1, 25_000))
    assert set(large) == {"mad", "mae", "rmse"} and large["mad"].high == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: intervals.auc_interval([0, 0, 1], [1.0, 2.0, 3.0]), "at least two materials of each class"),
        (lambda: intervals.auc_interval([0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0]), "the AUC is exactly 1"),
        (lambda: intervals.auc_interval([1, 1], [1.0, 2.0]), "an AUC needs both classes"),
        (lambda: intervals.spearman_interval([1, 2, 3], [1, 3, 2]), "at least 4 materials, not 3"),
        (lambda: intervals.spearman_interval([1, 2, 3, 4], [4, 3, 2, 1]), "the rank correlation is exactly -1"),
        (lambda: intervals.regression_intervals([1, 2], [1, 2], confidence=95), "confidence must lie between 0 and 1"),
        (lambda: intervals.regression_intervals([1, 2], [1, 2], n_resamples=0), "n_resamples must be at least 1"),
        (lambda: intervals.regression_intervals([1, np.nan], [1, 2]), "targets: 1 of 2 values is NaN"),
    ],
)
def test_what_cannot_be_computed_is_said(call, message) -> None:
    with pytest.raises(ScoreError, match=message):
        call()


def test_a_constant_model_has_an_interval_of_no_width() -> None:
    found = intervals.auc_interval([0, 1, 0, 1, 1], [0.3] * 5)
    assert found.low == found.high == 0.5
