"""Confidence intervals of the scores, from seconds to a few seconds for millions of predictions.

Errors and deviations (MAD, MAE, RMSE, MAD:MAE, R2): bootstrap-t over materials, see :func:`regression_intervals`. AUC:
DeLong's variance on the logit scale, with Newcombe's interval where a class is small. Shares: Wilson's interval.
Spearman: Bonett and Wright's formula. How often the intervals hold the truth is in docs/scores.md, simulated by
benchmarks/coverage.py.

Everything is deterministic: the same values, seed and library versions give the same bytes. No sum that is rounded goes
through a BLAS, whose order of summation depends on the processor and the number of threads.
"""

import math
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from .arrays import Floats, centred, differences, finite_pair, is_constant
from .confusion import Confusion, Rate
from .errors import ScoreError
from .scores import area, labelled_scores, ranks, spearman
from .studentised import studentised_means, studentised_squares

Method = Literal[
    "bootstrap-t",
    "block-bootstrap-t",
    "subsample-bootstrap-t",
    "wilson",
    "wilson-mover",
    "delong-logit",
    "delong-newcombe",
    "bonett-wright",
]
RegressionStatistic = Literal["mad", "mae", "rmse", "mad_mae", "r2"]
_Ends = tuple[float, float]

CONFIDENCE = 0.95
N_RESAMPLES = 1000
PLAIN_LIMIT = 20_000
"""Up to so many materials each one is resampled; above, blocks of them."""
MEAN_TAIL, SQUARE_TAIL = 0.4, 0.2
"""Share of the nominal tail that is left beyond the end of worse scores; chosen by benchmarks/coverage.py."""
SUBSAMPLE_POWER, SMALLEST_SUBSAMPLE = 0.55, 8
"""RMSE and R2 are resampled ``n**0.55`` of ``n``, at least 8."""
SMALL_CLASS = 200
"""With fewer materials in a class, DeLong's interval of the AUC is widened to hold Newcombe's."""


class Interval(BaseModel):
    """A two-sided confidence interval.

    Attributes:
        low: lower end; None where there is none (the resamples reach minus infinity).
        high: upper end; None where there is none (the resamples reach infinity: perfect predictions in MAD:MAE).
        level: the confidence, for example 0.95.
        method: how it was computed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Annotated[float, Field(allow_inf_nan=False)] | None
    high: Annotated[float, Field(allow_inf_nan=False)] | None
    level: Annotated[float, Field(gt=0, lt=1)]
    method: Method


def regression_intervals(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    plain_limit: int = PLAIN_LIMIT,
) -> dict[RegressionStatistic, Interval]:
    """Return bootstrap-t intervals of MAD, MAE, RMSE, MAD:MAE and R2.

    The intervals are those of the logarithm of each score (of ``1 - R2`` for R2), studentised in every resample (Efron
    & Tibshirani 1993, chapter 12; Hall 1992). Three things hold the coverage where errors have heavy tails, of which a
    small test set shows too little:

    - An interval is at least as wide as ``log score -+ t se`` with Student's t.
    - The end on the side of worse scores leaves a smaller tail: 2/5 of the nominal one, 1/5 for RMSE and R2. So an
      interval of 95 % is one of 96.5 or 97 % that no score flatters.
    - RMSE and R2 rest on squares, whose variance may be infinite; their resamples hold ``m = n**0.55`` materials, at
      least 8 (m out of n bootstrap, which holds for infinite variances as well: Arcones & Gine 1989).

    Up to ``plain_limit`` materials each is resampled. Above it, MAD, MAE and MAD:MAE are resampled by blocks: the
    materials are shuffled once and dealt to 4096 equal blocks (within one). The blocks being random, the variance of a
    mean over resamples of blocks has the same expectation as over resamples of materials but for a factor 1 - 1/4096;
    which materials meet in a block moves the width of the interval by a relative standard deviation of about
    1/sqrt(2 * 4096), 1.1 %, less than what 1,000 resamples leave in either end whatever is drawn. From each block only
    sums are kept; the sum of ``|t - m|``, m being the resample's mean, is computed at 33 values of m that span the
    resamples' means and interpolated, exact but for targets that lie within 0.2 standard errors of m.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``.
        confidence: level of the intervals.
        seed: of the resampling.
        n_resamples: number of resamples.
        plain_limit: number of materials above which blocks are drawn.

    Returns:
        Interval by name of the statistic; none for a single material, which shows no spread. ``mad_mae`` and ``r2`` are
        left out for a constant target, and ``mad_mae`` where all predictions are exact. The upper end of ``mad_mae`` is
        None where so few predictions are not exact that a resample can miss them all, the lower end of ``r2`` where so
        few targets differ from the others.

    Raises:
        ScoreError: the input is not two vectors of finite numbers of one length, or a setting is out of range.
    """
    true, predicted = finite_pair(targets, predictions)
    _require_settings(confidence, n_resamples)
    n = true.size
    if n < 2:
        return {}
    random = np.random.default_rng(seed)
    constant = is_constant(true)
    deviations, deviation_exponent = centred(true)
    if constant:
        deviations = np.zeros_like(true)
    errors, error_exponent = differences(true, predicted)
    plain = n <= max(plain_limit, 1)
    size = min(n, max(SMALLEST_SUBSAMPLE, round(n**SUBSAMPLE_POWER)))
    means = studentised_means(deviations, errors, n_resamples, random, plain=plain)
    squares = studentised_squares(deviations, errors, n_resamples, random, size=size)
    tail = (1 - confidence) / 2
    student = _student(n, 1 - tail)

    def ends(name: str, exponent: int) -> _Ends:
        """Lower and upper end of an error (or of the MAD), of which more is worse."""
        found = means.get(name) or squares.get(name)
        if found is None:  # it is 0
            return 0.0, 0.0
        heavy = name in squares
        low, high = -student, student
        if found.t.size:
            low = min(low, -_quantile(found.t, 1 - tail))
            # 1 - R2 inherits the tail of the squared errors, which the spread of the targets hides in small resamples
            judges = (found, squares["rmse"]) if heavy else (found,)
            worse = tail * (SQUARE_TAIL if heavy else MEAN_TAIL)
            high = max(high, *(-_quantile(judge.t, worse) for judge in judges if judge.t.size))
        return _times_power(found.value, low * found.se, exponent), _times_power(found.value, high * found.se, exponent)

    by_means: Method = "bootstrap-t" if plain else "block-bootstrap-t"
    by_squares: Method = "subsample-bootstrap-t"
    shift = error_exponent - deviation_exponent
    result: dict[RegressionStatistic, tuple[_Ends, Method]] = {
        "mad": (ends("mad", deviation_exponent), by_means),
        "mae": (ends("mae", error_exponent), by_means),
        "rmse": (ends("rmse", error_exponent), by_squares),
    }
    if not constant:
        if errors.any():
            low, high = ends("mae_mad", shift)
            can_miss = _can_miss_all(errors == 0, tail)
            result["mad_mae"] = ((_inverse(high), math.inf if can_miss else _inverse(low)), by_means)
        low, high = ends("residual", 2 * shift)
        can_miss = _can_miss_all(true == np.partition(true, n // 2)[n // 2], tail)
        result["r2"] = ((-math.inf if can_miss else 1 - high, 1 - low), by_squares)
    return {
        name: Interval(
            low=low if math.isfinite(low) else None,
            high=high if math.isfinite(high) else None,
            level=confidence,
            method=method,
        )
        for name, ((low, high), method) in result.items()
    }


def _student(n: int, probability: float) -> float:
    """Quantile of Student's t for a standard error that divides by ``n`` and not by ``n - 1``."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, probability)) * math.sqrt(n / (n - 1))


def _can_miss_all(alike: NDArray[np.bool_], tail: float) -> bool:
    """Whether more than ``tail`` of all resamples hold only materials that are alike."""
    return float(alike.mean()) ** alike.size > tail


def _times_power(value: float, log_factor: float, exponent: int) -> float:
    try:
        return math.ldexp(value * math.exp(log_factor), exponent)
    except OverflowError:
        return math.inf


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf


def rate_intervals(confusion: Confusion, *, confidence: float = CONFIDENCE) -> dict[Rate, Interval]:
    """Return intervals of the rates of a confusion table.

    Accuracy, precision and recall are shares, with Wilson's interval (1927). F1 is ``2 J / (1 + J)``, J being the share
    of true positives among all that are positive or were answered so, and is taken from Wilson's interval of J.
    Balanced accuracy is the mean of two independent shares; its interval is put together from theirs (Newcombe 1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I). None has no width where a rate is 0 or 1.

    Args:
        confusion: counts of the four outcomes.
        confidence: level of the intervals.

    Returns:
        Interval by name of the rate; rates that the table leaves undefined are left out.

    Raises:
        ScoreError: a setting is out of range.
    """
    _require_settings(confidence, 1)
    tp, fp, fn, tn = (float(count) for count in confusion)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    found: dict[Rate, _Ends] = {}
    shares_of: tuple[tuple[Rate, float, float], ...] = (
        ("accuracy", tp + tn, tp + fp + fn + tn),
        ("precision", tp, tp + fp),
        ("recall", tp, tp + fn),
        ("f1", tp, tp + fp + fn),
    )
    for name, hits, total in shares_of:
        if total:
            found[name] = _wilson(hits, total, z)
    if "f1" in found:
        low, high = found["f1"]
        found["f1"] = 2 * low / (1 + low), 2 * high / (1 + high)
    if tp + fn and tn + fp:
        shares = tp / (tp + fn), tn / (tn + fp)
        both = _wilson(tp, tp + fn, z), _wilson(tn, tn + fp, z)
        below, above = (
            math.hypot(*(share - ends[side] for share, ends in zip(shares, both, strict=True))) / 2 for side in (0, 1)
        )
        found["balanced_accuracy"] = max(sum(shares) / 2 - below, 0.0), min(sum(shares) / 2 + above, 1.0)
    return {
        name: Interval(
            low=low, high=high, level=confidence, method="wilson-mover" if name == "balanced_accuracy" else "wilson"
        )
        for name, (low, high) in found.items()
    }


def _wilson(hits: float, total: float, z: float) -> _Ends:
    centre = (hits + z**2 / 2) / (total + z**2)
    half_width = z / (total + z**2) * math.sqrt(hits * (total - hits) / total + z**2 / 4)
    return max(centre - half_width, 0.0) if hits else 0.0, min(centre + half_width, 1.0) if hits < total else 1.0


def auc_interval(targets: ArrayLike, scores: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """Return an interval of the area under the ROC curve.

    DeLong's (1988, doi:10.2307/2531595), its variance from ranks as Sun & Xu (2014, doi:10.1109/LSP.2014.2337313) do,
    O(n log n), around ``logit(AUC)`` with the standard error ``se / (AUC * (1 - AUC))`` and mapped back (Pepe 2003,
    section 5.2), so that it never leaves 0 to 1.

    With fewer than 200 materials in a class it takes Student's t with Welch's degrees of freedom in place of the normal
    quantile, and reaches at least as far as Newcombe's interval (2006, doi:10.1002/sim.2324, method 5), whose variance
    is that of the AUC itself and not estimated from a handful of materials. Newcombe's stands alone where the AUC is 0
    or 1 and DeLong's variance 0. A constant score has an AUC of 1/2 whatever the materials, and an interval of no
    width.

    Args:
        targets: shape ``(n,)``, class labels 0/1.
        scores: shape ``(n,)``, higher for the positive class.
        confidence: level of the interval.

    Raises:
        ScoreError: there are fewer than two labels of a class, or the input has no AUC at all.
    """
    positive, values = labelled_scores(targets, scores)
    all_ranks = ranks(values)
    return delong_interval(positive, values, all_ranks, confidence=confidence)


def delong_interval(
    positive: NDArray[np.bool_], values: Floats, all_ranks: Floats, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return :func:`auc_interval` of checked input whose ranks are known; the same errors."""
    _require_settings(confidence, 1)
    auc, variances = area(positive, all_ranks), delong_variances(positive, values, all_ranks)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n_positive = int(positive.sum())
    sizes = n_positive, positive.size - n_positive
    if (min(sizes) >= SMALL_CLASS and 0.0 < auc < 1.0) or is_constant(values):
        low, high = _logit_ends(auc, z * math.sqrt(sum(variances)))
        return Interval(low=low, high=high, level=confidence, method="delong-logit")
    low, high = _newcombe_ends(auc, sizes, z)
    if 0.0 < auc < 1.0 and (variance := sum(variances)) > 0:
        freedom = variance**2 / sum(part**2 / (size - 1) for part, size in zip(variances, sizes, strict=True))
        from scipy.special import stdtrit

        student = float(stdtrit(freedom, (1 + confidence) / 2))
        wide = _logit_ends(auc, student * math.sqrt(variance))
        low, high = min(low, wide[0]), max(high, wide[1])
    return Interval(low=low, high=high, level=confidence, method="delong-newcombe")


def _logit_ends(auc: float, half_width: float) -> _Ends:
    """Map ``logit(auc) -+ half_width / (auc * (1 - auc))`` back."""
    centre, half = math.log(auc / (1 - auc)), half_width / (auc * (1 - auc))
    # 1 / (1 + exp(-x)) in a form that cannot overflow
    low, high = ((1 + math.tanh(end / 2)) / 2 for end in (centre - half, centre + half))
    return low, high


def _newcombe_ends(auc: float, sizes: tuple[int, int], z: float) -> _Ends:
    """Solve ``|auc - x| = z * sd(x)``, sd being that of an AUC of ``x`` between exponential distributions."""
    weight = sum(sizes) / 2 - 1

    def excess(x: float) -> float:
        variance = x * (1 - x) * (1 + weight * ((1 - x) / (2 - x) + x / (1 + x))) / (sizes[0] * sizes[1])
        return abs(auc - x) - z * math.sqrt(variance)

    def solve(inner: float, outer: float) -> float:
        """Bisect between ``inner``, inside the interval, and ``outer``, not inside."""
        while abs(outer - inner) > 1e-15 and (middle := (inner + outer) / 2) not in (inner, outer):
            inner, outer = (middle, outer) if excess(middle) < 0 else (inner, middle)
        return outer

    return solve(auc, 0.0) if auc > 0 else 0.0, solve(auc, 1.0) if auc < 1 else 1.0


def delong_variance(positive: NDArray[np.bool_], values: Floats, all_ranks: Floats) -> float:
    """Return DeLong's estimate of the variance of the AUC; arguments and errors of :func:`delong_variances`."""
    return sum(delong_variances(positive, values, all_ranks))


def delong_variances(positive: NDArray[np.bool_], values: Floats, all_ranks: Floats) -> tuple[float, float]:
    """Return the two parts of DeLong's variance of the AUC: what the positives add to it, and what the negatives do.

    Args:
        positive: shape ``(n,)``, True for the positive class.
        values: shape ``(n,)``, scores.
        all_ranks: shape ``(n,)``, ranks of ``values`` with ties averaged.

    Raises:
        ScoreError: there are fewer than two labels of a class.
    """
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    if min(n_positive, n_negative) < 2:
        raise ScoreError("the variance of an AUC needs at least two materials of each class")
    # For each positive the share of negatives below it, and for each negative the share of positives above it.
    over = (all_ranks[positive] - ranks(values[positive])) / n_negative
    under = 1 - (all_ranks[~positive] - ranks(values[~positive])) / n_positive
    return float(over.var(ddof=1)) / n_positive, float(under.var(ddof=1)) / n_negative


def spearman_interval(targets: ArrayLike, predictions: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """Return Bonett & Wright's interval of Spearman's rank correlation.

    ``tanh(atanh(r) +- z * sqrt((1 + r^2 / 2) / (n - 3)))`` (Bonett & Wright 2000, doi:10.1007/BF02294183), which holds
    for correlations up to about 0.95 and n of at least 10.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``.
        confidence: level of the interval.

    Raises:
        ScoreError: n is below 4 or the correlation is exactly 1 or -1, where the formula gives no interval; or the
            input has no rank correlation at all.
    """
    correlation = spearman(targets, predictions)
    return bonett_wright_interval(correlation, len(np.asarray(targets)), confidence=confidence)


def bonett_wright_interval(correlation: float, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return :func:`spearman_interval` of a known correlation of ``n`` pairs; the same errors."""
    _require_settings(confidence, 1)
    if n < 4:
        raise ScoreError(f"the interval of a rank correlation needs at least 4 materials, not {n}")
    if abs(correlation) == 1.0:
        raise ScoreError(f"the rank correlation is exactly {correlation:g}: the formula gives no interval there")
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt((1 + correlation**2 / 2) / (n - 3))
    centre = math.atanh(correlation)
    low, high = math.tanh(centre - half_width), math.tanh(centre + half_width)
    return Interval(low=low, high=high, level=confidence, method="bonett-wright")


def _quantile(ordered: Floats, probability: float) -> float:
    """Interpolate linearly between order statistics, as NumPy does."""
    position = probability * (ordered.size - 1)
    below, weight = math.floor(position), position - math.floor(position)
    value, above = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    return value if value == above else (1 - weight) * value + weight * above


def _require_settings(confidence: float, n_resamples: int) -> None:
    if not 0 < confidence < 1:
        raise ScoreError(f"confidence must lie between 0 and 1, for example 0.95, not {confidence:g}")
    if n_resamples < 1:
        raise ScoreError(f"n_resamples must be at least 1, not {n_resamples}")
