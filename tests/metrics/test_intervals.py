"""Intervals against SciPy's bootstrap, definitions written out, brute force, and simulated coverage."""

import math

import numpy as np
import pytest
import scipy.stats

from llm4mat_bench.metrics import intervals, protocols, scores, studentised
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


def weighted(name: str, weights: np.ndarray, t: np.ndarray, p: np.ndarray) -> np.ndarray:
    """An error-like score of materials with weights (rows) that sum to 1."""
    mean = (weights * t).sum(-1)
    mad = (weights * np.abs(t - mean[..., None])).sum(-1)
    mae = (weights * np.abs(t - p)).sum(-1)
    square = (weights * np.square(t - p)).sum(-1)
    variance = (weights * np.square(t - mean[..., None])).sum(-1)
    return {"mad": mad, "mae": mae, "mae_mad": mae / mad, "rmse": np.sqrt(square), "residual": square / variance}[name]


def bootstrap_t(name: str, t: np.ndarray, p: np.ndarray, draws: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Score, standard error of its logarithm and studentised resamples, by the infinitesimal jackknife."""
    n, step = t.size, 1e-6

    def log_and_error(t: np.ndarray, p: np.ndarray) -> tuple[float, float]:
        size = t.size
        even = np.full(size, 1 / size)
        tilted = (1 - step) * even + step * np.eye(size)
        log = math.log(weighted(name, even, t, p))
        influence = (np.log(weighted(name, tilted, t, p)) - log) / step
        return log, math.sqrt(np.square(influence).mean() / size)

    log, error = log_and_error(t, p)
    size = draws.shape[1]
    found = []
    for chosen in draws:
        resampled, own = log_and_error(t[chosen], p[chosen])
        found.append((resampled - log) / max(own, 0.1 * error * math.sqrt(n / size)))
    return math.exp(log), error, np.array(found)


def test_the_bootstrap_t_is_that_of_its_definition() -> None:
    """The same resamples are drawn again, and studentised by perturbing one material at a time."""
    targets, predictions = run_like(60, 5)
    n, n_resamples, seed = 60, 400, 12
    ours = intervals.regression_intervals(targets, predictions, seed=seed, n_resamples=n_resamples)
    random = np.random.default_rng(seed)
    draws = {"means": np.stack([random.integers(n, size=n) for _ in range(n_resamples)])}
    draws["squares"] = random.integers(n, size=(n_resamples, round(n**0.55)))
    student = scipy.stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1))
    for name, tail in (("mad", 0.01), ("mae", 0.01), ("mae_mad", 0.01), ("rmse", 0.005), ("residual", 0.005)):
        which = "squares" if name in ("rmse", "residual") else "means"
        value, error, t = bootstrap_t(name, targets, predictions, draws[which])
        worse = np.quantile(t, tail)
        if name == "residual":
            worse = min(worse, np.quantile(bootstrap_t("rmse", targets, predictions, draws[which])[2], tail))
        low = value * math.exp(min(-student, -np.quantile(t, 0.975)) * error)
        high = value * math.exp(max(student, -worse) * error)
        expected = {"mae_mad": (1 / high, 1 / low), "residual": (1 - high, 1 - low)}.get(name, (low, high))
        found = ours[{"mae_mad": "mad_mae", "residual": "r2"}.get(name, name)]
        # The MAD of a resample is studentised around the mean of all materials: the same to first order.
        slack = 0.12 if name.endswith("mad") else 1e-3
        width = expected[1] - expected[0]
        assert [found.low, found.high] == pytest.approx(expected, abs=slack * width), name
        assert found.level == 0.95
        assert found.method == ("subsample-bootstrap-t" if which == "squares" else "bootstrap-t")


@pytest.mark.parametrize("shape", ["gamma", "offset", "three values", "mostly zero", "sorted"])
def test_blocks_give_the_intervals_of_the_plain_bootstrap(shape: str) -> None:
    targets, predictions = run_like(30_000, 3, shape)
    plain = intervals.regression_intervals(targets, predictions, n_resamples=2000, plain_limit=30_000)
    blocks = intervals.regression_intervals(targets, predictions, n_resamples=2000)
    assert {interval.method for interval in plain.values()} == {"bootstrap-t", "subsample-bootstrap-t"}
    assert {interval.method for interval in blocks.values()} == {"block-bootstrap-t", "subsample-bootstrap-t"}
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
    drawn = studentised.draw_means(deviations, errors, n_resamples, np.random.default_rng(11), plain=False)
    random = np.random.default_rng(11)
    starts = np.arange(studentised.N_BLOCKS) * n // studentised.N_BLOCKS
    blocks = np.split(random.permutation(n), starts[1:])
    assert {block.size for block in blocks} == {5, 6}
    exact_mad = np.empty(n_resamples)
    for row in range(n_resamples):
        chosen = np.concatenate([blocks[i] for i in random.integers(studentised.N_BLOCKS, size=studentised.N_BLOCKS)])
        exact_mad[row] = np.abs(deviations[chosen] - deviations[chosen].mean()).mean()
        means = studentised.Means(*(values[row] for values in drawn.means))
        assert means.d_squared - means.d**2 == pytest.approx(deviations[chosen].var(), rel=1e-9)
        assert means.e_absolute == pytest.approx(np.abs(errors[chosen]).mean(), rel=1e-12)
        assert means.e_squared == pytest.approx(np.square(errors[chosen]).mean(), rel=1e-12)
        assert means.both_absolute == pytest.approx(np.abs(deviations[chosen] * errors[chosen]).mean(), rel=1e-12)
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
        assert 0.925 <= count / replicates <= 0.998, (name, count / replicates)


def test_heavy_tails_do_not_flatter() -> None:
    """30 materials, errors of Student's t (2.5); one MAE in eight would lie above a percentile interval."""
    random = np.random.default_rng(5)
    truth = 4 * math.sqrt(2.5) * math.gamma(1.75) / (3 * math.sqrt(math.pi) * math.gamma(1.25))
    flattered = 0
    for replicate in range(400):
        targets = np.where(random.random(30) < 0.6, 0.0, random.gamma(2.0, size=30))
        found = intervals.regression_intervals(
            targets, targets + random.standard_t(2.5, size=30), n_resamples=300, seed=replicate
        )
        flattered += found["mae"].high < truth
    assert flattered / 400 < 0.065


def test_auc_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    for separation in (0.5, 1.5):
        truth = scipy.stats.norm.cdf(separation / math.sqrt(2))
        labels = np.arange(120) < 50
        hits = 0
        for _ in range(600):
            found = intervals.auc_interval(labels, random.normal(size=labels.size) + separation * labels)
            hits += found.low <= truth <= found.high
        assert 0.93 <= hits / 600 <= 0.99


def test_a_small_class_makes_the_interval_of_an_auc_wider() -> None:
    """Eight positives of eighty, separated well: DeLong's variance alone is too small, and missing at times."""
    random = np.random.default_rng(13)
    labels = np.arange(80) < 8
    truth, hits = scipy.stats.norm.cdf(2.5 / math.sqrt(2)), 0
    for _ in range(400):
        found = intervals.auc_interval(labels, random.normal(size=80) + 2.5 * labels)
        hits += found.low <= truth <= found.high
    assert hits / 400 >= 0.93


def test_newcombe_s_interval_solves_its_equation() -> None:
    z = scipy.stats.norm.ppf(0.975)
    for auc, first, second in ((0.8, 10, 30), (0.55, 5, 5), (1.0, 8, 12), (0.0, 3, 40)):
        for end, limit in zip(intervals._newcombe_ends(auc, (first, second), z), (0.0, 1.0), strict=True):
            if end == auc:
                assert auc == limit
                continue
            # Newcombe 2006, method 5: both classes count as (m + n) / 2 in the variance of exponential distributions
            half = (first + second) / 2
            variance = end * (1 - end) * (1 + (half - 1) * ((1 - end) / (2 - end) + end / (1 + end))) / (first * second)
            assert abs(auc - end) == pytest.approx(z * math.sqrt(variance), rel=1e-9)


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
        labels, values = np.tile(labels, 20), np.tile(values, 20)  # classes that are not small
        by_definition = intervals.delong_variance(labels, values, scores.ranks(values))
        kernel = np.tile(kernel, (20, 20))
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


def test_intervals_of_shares_are_wilson_s() -> None:
    table = Confusion(40, 10, 20, 130)
    found = intervals.rate_intervals(table, confidence=0.9)

    def wilson(hits: int, total: int) -> tuple[float, float]:
        ends = scipy.stats.binomtest(hits, total).proportion_ci(0.9, method="wilson")
        return ends.low, ends.high

    for name, hits, total in (("accuracy", 170, 200), ("precision", 40, 50), ("recall", 40, 60)):
        assert (found[name].low, found[name].high) == pytest.approx(wilson(hits, total), rel=1e-12)
    # F1 = 2 * 40 / (2 * 40 + 10 + 20); J = 40 / 70 of those positive or answered so
    assert [found["f1"].low, found["f1"].high] == pytest.approx([2 * j / (1 + j) for j in wilson(40, 70)], rel=1e-12)
    (a, b), (c, d) = wilson(40, 60), wilson(130, 140)
    centre = (40 / 60 + 130 / 140) / 2
    expected = centre - math.hypot(40 / 60 - a, 130 / 140 - c) / 2, centre + math.hypot(b - 40 / 60, d - 130 / 140) / 2
    assert (found["balanced_accuracy"].low, found["balanced_accuracy"].high) == pytest.approx(expected, rel=1e-12)
    assert "precision" not in intervals.rate_intervals(Confusion(0, 0, 5, 20))
    perfect = intervals.rate_intervals(Confusion(10, 0, 0, 20))
    assert all(ends.high == 1.0 and 0.6 < ends.low < 0.95 for ends in perfect.values())


def test_intervals_of_rates_are_close_to_a_bootstrap_over_materials() -> None:
    random = np.random.default_rng(9)
    labels = random.random(800) < 0.25
    answers = labels ^ (random.random(800) < 0.2)
    found = intervals.rate_intervals(confusion(labels, answers))
    resampled: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(2000):
        chosen = random.integers(800, size=800)
        for name, value in rates(confusion(labels[chosen], answers[chosen])).items():
            resampled[name].append(float(value))
    for name, values in resampled.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert [found[name].low, found[name].high] == pytest.approx([low, high], abs=0.1 * (high - low)), name


def test_an_end_that_resamples_push_to_infinity_is_open() -> None:
    found = intervals.regression_intervals([1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 4.0])
    assert found["mad_mae"].high is None and 0 < found["mad_mae"].low < 1
    assert found["mae"].low is not None and found["mae"].high is not None
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


@pytest.mark.parametrize("n", [5, 500])
def test_a_perfect_ranking_is_no_certainty(n: int) -> None:
    found = intervals.auc_interval(np.arange(2 * n) >= n, np.arange(2 * n))
    assert found.high == 1.0 and found.low == pytest.approx({5: 0.6427, 500: 0.99614}[n], abs=1e-4)
    mirrored = intervals.auc_interval(np.arange(2 * n) < n, np.arange(2 * n))
    assert (mirrored.low, mirrored.high) == pytest.approx((0.0, 1 - found.low), abs=1e-12)


def test_a_single_material_has_no_interval() -> None:
    assert intervals.regression_intervals([1.0], [2.0]) == {}


def test_lucky_resamples_do_not_stretch_an_interval_without_bound() -> None:
    """29 errors that are nearly alike and one that is not: a third of the resamples hardly vary at all."""
    random = np.random.default_rng(0)
    targets = random.gamma(2.0, size=30)
    errors = np.where(np.arange(30) == 7, 100.0, 1 + 1e-9 * random.normal(size=30))
    found = intervals.regression_intervals(targets, targets + errors)
    assert found["mae"].low < 4.3 < found["mae"].high < 1e9


def test_a_constant_model_has_an_interval_of_no_width() -> None:
    found = intervals.auc_interval([0, 1, 0, 1, 1], [0.3] * 5)
    assert found.low == found.high == 0.5


@pytest.mark.parametrize("n", [2, 30, 400, 20_050])
def test_kept_draws_change_no_bit(n: int) -> None:
    """What `verify` keeps from run to run gives the same reports as drawing anew."""
    random = np.random.default_rng(n)
    targets = random.gamma(2.0, size=n)
    runs = [targets + random.normal(size=n) for _ in range(3)]
    runs[1][0] = np.nan  # the published protocol scores one row less
    others = random.permutation(targets)

    def reports() -> list[protocols.RegressionReport]:
        pairs = [(true, run) for true in (targets, others, targets) for run in runs]
        return [protocols.score_regression(true, run, train_mean=2.0) for true, run in pairs]

    anew = reports()
    with studentised.keeping_draws():
        assert reports() == anew
    assert reports() == anew
