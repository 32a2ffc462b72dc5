"""Confidence intervals of the scores, from seconds to a few seconds for millions of predictions.

Errors and deviations (MAD, MAE, RMSE, MAD:MAE, R2): percentile bootstrap over materials, all five on the same
resamples, the MAD taken around each resample's own mean. Above 20,000 materials, random blocks of them are drawn in
their place, see :func:`regression_intervals`. AUC: DeLong's variance on the logit scale. Spearman: Bonett and Wright's
formula.

Everything is deterministic: the same values, seed and library versions give the same bytes. No sum goes through a BLAS,
whose order of summation depends on the number of threads.
"""

import math
from statistics import NormalDist
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from .arrays import Floats, centred, differences, finite_pair, is_constant
from .confusion import Confusion, Rate, rates
from .errors import ScoreError
from .scores import area, labelled_scores, ranks, spearman

Method = Literal["bootstrap-percentile", "block-bootstrap-percentile", "delong-logit", "bonett-wright"]
RegressionStatistic = Literal["mad", "mae", "rmse", "mad_mae", "r2"]

CONFIDENCE = 0.95
N_RESAMPLES = 1000
PLAIN_LIMIT = 20_000
"""Up to so many materials each one is resampled; above, blocks of them."""
N_BLOCKS = 4096
N_KNOTS = 33
"""In how many places the MAD of a block is computed exactly, between which it is interpolated."""
_ROWS = 128  # resamples handled at once, which bounds memory


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


class _Resamples(NamedTuple):
    """Statistics of each resample, shape ``(n_resamples,)``: of scaled deviations and errors."""

    mad: Floats
    variance: Floats
    absolute_error: Floats
    squared_error: Floats


def regression_intervals(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    plain_limit: int = PLAIN_LIMIT,
) -> dict[RegressionStatistic, Interval]:
    """Return bootstrap intervals of MAD, MAE, RMSE, MAD:MAE and R2.

    Up to ``plain_limit`` materials this is the textbook percentile bootstrap (Efron & Tibshirani 1993, chapter 13).
    Above it, the materials are shuffled once and dealt to 4096 equal blocks (within one), and blocks are drawn with
    replacement. The blocks being random, the variance of a mean over resamples of blocks has the same expectation as
    over resamples of materials but for a factor 1 - 1/4096; which materials meet in a block moves the width of the
    interval by a relative standard deviation of about 1/sqrt(2 * 4096), 1.1 % (more where a few materials carry most
    of the error, as they do in any bootstrap), less than the 4 % that 1,000 resamples leave
    in either end whatever is drawn. From each block only sums are kept; the sum of ``|t - m|``, m being the resample's
    mean, is computed at 33 values of m that span the resamples' means and interpolated, which is exact but for targets
    that lie within 0.2 standard errors of m.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``.
        confidence: level of the intervals.
        seed: of the resampling.
        n_resamples: number of resamples.
        plain_limit: number of materials above which blocks are drawn.

    Returns:
        Interval by name of the statistic. ``mad_mae`` and ``r2`` are left out for a constant target, and ``mad_mae``
        where all predictions are exact. Resamples in which a statistic is 0/0 are left out of its percentiles.

    Raises:
        ScoreError: the input is not two vectors of finite numbers of one length, or a setting is out of range.
    """
    true, predicted = finite_pair(targets, predictions)
    _require_settings(confidence, n_resamples)
    random = np.random.default_rng(seed)
    constant = is_constant(true)
    deviations, deviation_exponent = centred(true)
    if constant:
        deviations = np.zeros_like(true)
    errors, error_exponent = differences(true, predicted)
    plain = true.size <= max(plain_limit, 1)
    draw = _draw_materials if plain else _draw_blocks
    drawn = draw(deviations, errors, n_resamples, random)
    method: Method = "bootstrap-percentile" if plain else "block-bootstrap-percentile"

    shift = deviation_exponent - error_exponent
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        samples: dict[RegressionStatistic, Floats] = {
            "mad": np.ldexp(drawn.mad, deviation_exponent),
            "mae": np.ldexp(drawn.absolute_error, error_exponent),
            "rmse": np.ldexp(np.sqrt(drawn.squared_error), error_exponent),
        }
        if not constant:
            if errors.any():
                samples["mad_mae"] = np.ldexp(drawn.mad / drawn.absolute_error, shift)
            samples["r2"] = 1.0 - np.ldexp(drawn.squared_error / drawn.variance, -2 * shift)
    return {name: _percentile_interval(values, confidence, method) for name, values in samples.items()}


def _draw_materials(deviations: Floats, errors: Floats, n_resamples: int, random: np.random.Generator) -> _Resamples:
    absolute, squared = np.abs(errors), np.square(errors)
    result = _Resamples(*np.zeros((4, n_resamples)))
    for row in range(n_resamples):
        chosen = random.integers(deviations.size, size=deviations.size)
        sample = deviations[chosen]
        if sample.min() < sample.max():  # otherwise its spread is 0, whatever rounding makes of it
            sample -= sample.mean()
            result.variance[row] = np.square(sample).mean()
            result.mad[row] = np.abs(sample, out=sample).mean()
        result.absolute_error[row] = absolute[chosen].mean()
        result.squared_error[row] = squared[chosen].mean()
    return result


def _draw_blocks(deviations: Floats, errors: Floats, n_resamples: int, random: np.random.Generator) -> _Resamples:
    n = deviations.size
    n_blocks = min(N_BLOCKS, n)
    starts = np.arange(n_blocks) * n // n_blocks
    order = random.permutation(n)
    deviations, errors = deviations[order], errors[order]
    sums = np.stack(
        [
            np.diff(starts, append=n).astype(np.float64),
            np.add.reduceat(deviations, starts),
            np.add.reduceat(np.square(deviations), starts),
            np.add.reduceat(np.abs(errors), starts),
            np.add.reduceat(np.square(errors), starts),
        ]
    )
    counts = np.empty((n_resamples, n_blocks), dtype=np.uint16)  # how often each resample draws each block
    totals = np.empty((sums.shape[0], n_resamples))
    for row in range(n_resamples):
        counts[row] = np.bincount(random.integers(n_blocks, size=n_blocks), minlength=n_blocks)
    for rows in _batches(n_resamples):
        for total, block_sums in zip(totals, sums, strict=True):
            total[rows] = (counts[rows] * block_sums).sum(axis=1)
    means = totals[1:] / totals[0]
    centre = means[0]
    knots = np.linspace(centre.min(), centre.max(), N_KNOTS)
    at_knots = np.stack([np.add.reduceat(np.abs(deviations - knot), starts) for knot in knots])
    mad = np.empty(n_resamples)
    step = knots[1] - knots[0]
    for rows in _batches(n_resamples):
        place = (centre[rows] - knots[0]) / step if step > 0 else np.zeros(centre[rows].size)
        left = np.clip(place.astype(np.intp), 0, N_KNOTS - 2)
        weight = (place - left)[:, None]
        sums_at_centre = (1 - weight) * at_knots[left] + weight * at_knots[left + 1]
        mad[rows] = (counts[rows] * sums_at_centre).sum(axis=1) / totals[0, rows]
    variance = np.maximum(means[1] - np.square(centre), 0.0)
    return _Resamples(mad, variance, means[2], means[3])


def _batches(n: int) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, n, _ROWS)]


def rate_intervals(
    confusion: Confusion, *, confidence: float = CONFIDENCE, seed: int = 0, n_resamples: int = N_RESAMPLES
) -> dict[Rate, Interval]:
    """Return bootstrap intervals of the rates of a confusion table.

    Drawing n materials with replacement and counting them is one draw of a multinomial table, whatever n is, so this is
    the plain percentile bootstrap.

    Args:
        confusion: counts of the four outcomes.
        confidence: level of the intervals.
        seed: of the resampling.
        n_resamples: number of resamples.

    Returns:
        Interval by name of the rate; rates that the table leaves undefined are left out. Resamples in which a rate is
        0/0 are left out of its percentiles.

    Raises:
        ScoreError: a setting is out of range.
    """
    _require_settings(confidence, n_resamples)
    counts = np.array(confusion, dtype=np.float64)
    drawn = np.random.default_rng(seed).multinomial(int(counts.sum()), counts / counts.sum(), size=n_resamples)
    samples, values = rates(Confusion(*drawn.T.astype(np.float64))), rates(confusion)
    return {
        name: _percentile_interval(samples[name], confidence, "bootstrap-percentile")
        for name, value in values.items()
        if not np.isnan(value) and not np.isnan(samples[name]).all()
    }


def auc_interval(targets: ArrayLike, scores: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """Return DeLong's interval of the area under the ROC curve, computed on the logit scale.

    The variance is that of DeLong, DeLong & Clarke-Pearson (1988, doi:10.2307/2531595), from ranks as Sun & Xu (2014,
    doi:10.1109/LSP.2014.2337313) do, O(n log n). The interval is taken around ``logit(AUC)`` with the standard error
    ``se / (AUC * (1 - AUC))`` and mapped back (Pepe 2003, section 5.2), so that it never leaves 0 to 1.

    Args:
        targets: shape ``(n,)``, class labels 0/1.
        scores: shape ``(n,)``, higher for the positive class.
        confidence: level of the interval.

    Raises:
        ScoreError: there are fewer than two labels of a class, or the AUC is exactly 0 or 1, where the estimated
            variance is 0 and an interval from it would claim certainty; or the input has no AUC at all.
    """
    positive, values = labelled_scores(targets, scores)
    all_ranks = ranks(values)
    return delong_interval(positive, values, all_ranks, confidence=confidence)


def delong_interval(
    positive: NDArray[np.bool_], values: Floats, all_ranks: Floats, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return :func:`auc_interval` of checked input whose ranks are known; the same errors."""
    _require_settings(confidence, 1)
    auc, variance = area(positive, all_ranks), delong_variance(positive, values, all_ranks)
    if auc in (0.0, 1.0):
        raise ScoreError(f"the AUC is exactly {auc:g}: DeLong's variance is 0 there and gives no interval")
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance) / (auc * (1 - auc))
    centre = math.log(auc / (1 - auc))
    # 1 / (1 + exp(-x)) in a form that cannot overflow
    low, high = ((1 + math.tanh(end / 2)) / 2 for end in (centre - half_width, centre + half_width))
    return Interval(low=low, high=high, level=confidence, method="delong-logit")


def delong_variance(positive: NDArray[np.bool_], values: Floats, all_ranks: Floats) -> float:
    """Return DeLong's estimate of the variance of the AUC.

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
    return float(over.var(ddof=1)) / n_positive + float(under.var(ddof=1)) / n_negative


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


def _percentile_interval(values: Floats, confidence: float, method: Method) -> Interval:
    ordered = np.sort(values[~np.isnan(values)])
    tail = (1 - confidence) / 2
    low, high = (_quantile(ordered, probability) for probability in (tail, 1 - tail))
    return Interval(low=low, high=high, level=confidence, method=method)


def _quantile(ordered: Floats, probability: float) -> float | None:
    """Interpolate linearly between order statistics, as NumPy does; None where an infinite one takes part."""
    position = probability * (ordered.size - 1)
    below, weight = math.floor(position), position - math.floor(position)
    value, above = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    if weight > 0:
        value = value if value == above else (1 - weight) * value + weight * above
    return value if math.isfinite(value) else None


def _require_settings(confidence: float, n_resamples: int) -> None:
    if not 0 < confidence < 1:
        raise ScoreError(f"confidence must lie between 0 and 1, for example 0.95, not {confidence:g}")
    if n_resamples < 1:
        raise ScoreError(f"n_resamples must be at least 1, not {n_resamples}")
