"""Does an answer mean what it says: probabilities against shares, predictions against means, spreads against errors."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...drawing.fitting import headed_figure, with_unit
from ...drawing.style import LINE, MARK, styled
from .answers import Answers, Floats, widened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10
_WIDTH, _HEIGHT = 4.4, 3.8
_Z = 1.959963984540054  # of a two-sided 95 % interval


@styled
def reliability(run: Answers) -> "Figure":
    """Share of the positive class against the probability that was said, in ten bins of as many materials each.

    Args:
        run: Answers are probabilities; bars are Wilson's 95 % intervals of the shares.
    """
    answered = ~np.isnan(run.answers)
    said, true = run.answers[answered], run.targets[answered]
    bins = _bins(said)
    x = np.array([said[one].mean() for one in bins])
    share = np.array([true[one].mean() for one in bins])
    n = np.array([len(one) for one in bins], dtype=np.float64)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    low, high = np.maximum(share - (middle - half), 0), np.maximum(middle + half - share, 0)
    off = float(np.sum(n * np.abs(x - share)) / n.sum()) if len(n) else float("nan")
    notes = [f"expected calibration error {off:.3f}", "bars: 95 % intervals", *_unanswered(answered)]
    figure = headed_figure(_WIDTH, _HEIGHT, run.name, notes)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=LINE, linestyle="--", linewidth=1)
    axes.errorbar(x, share, yerr=np.stack([low, high]), fmt="o-", color=MARK, markersize=4, capsize=2)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel("probability said")
    axes.set_ylabel("share of the positive class")
    return figure


@styled
def mean_calibration(run: Answers, unit: str | None) -> "Figure":
    """Mean of the true values against the mean of the predictions, in ten bins of as many materials each.

    Bins whose mean lies far beyond all true values are drawn at the edge and counted.

    Args:
        run: The run; bars are 1.96 standard errors of the mean.
        unit: Unit of both axes.
    """
    answered = ~np.isnan(run.answers)
    said, true = np.clip(run.answers[answered], -1e30, 1e30), run.targets[answered]
    bins = _bins(said)
    x = np.array([said[one].mean() for one in bins])
    y = np.array([true[one].mean() for one in bins])
    error = np.array([_Z * true[one].std(ddof=1) / np.sqrt(len(one)) if len(one) > 1 else 0.0 for one in bins])
    # One absurd answer in a bin would press all others into a line.
    low, high = float(run.targets.min()), float(run.targets.max())
    span = (high - low) or abs(high) or 1.0
    near = np.clip(x, low - span / 2, high + span / 2)
    inside = x[near == x] if (near == x).any() else np.array([low, high])
    ends = widened(float(min(inside.min(), y.min())), float(max(inside.max(), y.max())))
    shown = np.clip(x, *ends)
    notes = ["bars: 95 % intervals of the means", *_beyond(shown != x), *_unanswered(answered)]
    figure = headed_figure(_WIDTH, _HEIGHT, run.name, notes)
    axes = figure.subplots()
    axes.plot(ends, ends, color=LINE, linestyle="--", linewidth=1)
    axes.errorbar(shown, y, yerr=error, fmt="o-", color=MARK, markersize=4, capsize=2)
    axes.set_xlim(*widened(*ends))
    axes.set_xlabel(with_unit("mean of the predictions", unit), parse_math=False)
    axes.set_ylabel(with_unit("mean of the true values", unit), parse_math=False)
    return figure


@styled
def spread_calibration(run: Answers, spread: Floats, unit: str | None) -> "Figure":
    """Root mean square error against the spread of a model's samples, in bins of as many materials each.

    Bins far larger than the span of all true values are drawn at the edge and counted.

    Args:
        run: The run.
        spread: Standard deviation of the samples, shape ``(n,)``, NaN where there is none.
        unit: Unit of both axes.
    """
    known = ~np.isnan(run.answers) & ~np.isnan(spread)
    said, off = np.clip(spread[known], -1e30, 1e30), np.clip(run.answers[known], -1e30, 1e30) - run.targets[known]
    bins = _bins(said)
    both = np.array([(np.sqrt(np.mean(said[one] ** 2)), np.sqrt(np.mean(off[one] ** 2))) for one in bins])
    most = 1.5 * (float(np.ptp(run.targets)) or float(np.abs(run.targets).max()) or 1.0)
    usual = both[both <= most]
    end = 1.05 * (float(usual.max()) if len(usual) and usual.max() > 0 else most)
    shown = np.minimum(both, end)
    missing = [f"{gone:,} without an answer or a spread"] if (gone := int((~known).sum())) else []
    notes = ["dashed: the spread is the error", *_beyond((shown != both).any(axis=1)), *missing]
    figure = headed_figure(_WIDTH, _HEIGHT, run.name, notes)
    axes = figure.subplots()
    axes.axline((0, 0), slope=1, color=LINE, linestyle="--", linewidth=1)
    axes.plot(shown[:, 0], shown[:, 1], "o-", color=MARK, markersize=4)
    axes.set_xlim(0, 1.03 * end)
    axes.set_ylim(0, 1.03 * end)
    axes.set_xlabel(with_unit("spread of the samples", unit), parse_math=False)
    axes.set_ylabel(with_unit("root mean square error", unit), parse_math=False)
    return figure


def _beyond(bins: NDArray[np.bool_]) -> list[str]:
    return [f"{int(bins.sum())} of {len(bins)} bins beyond the axis, drawn at its end"] if bins.any() else []


def _unanswered(answered: NDArray[np.bool_]) -> list[str]:
    return [f"{missing:,} without an answer"] if (missing := int((~answered).sum())) else []


def _bins(values: Floats) -> list[NDArray[np.intp]]:
    """Places of the values in at most ten bins of as many each; equal values share one."""
    order = np.argsort(values, kind="stable")
    cuts = {0, len(values)}
    for part in range(1, _BINS):
        cut = part * len(values) // _BINS
        while 0 < cut < len(values) and values[order[cut]] == values[order[cut - 1]]:
            cut += 1
        cuts.add(cut)
    bounds = sorted(cuts)
    return [order[start:stop] for start, stop in itertools.pairwise(bounds) if stop > start]
