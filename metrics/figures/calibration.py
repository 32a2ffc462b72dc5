"""Does an answer mean what it says: probabilities against shares, predictions against means, spreads against errors."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...drawing.style import LINE, MARK, corner_note, new_figure, styled, with_unit
from .answers import Answers, Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10
_Z = 1.959963984540054  # of a two-sided 95 % interval


@styled
def reliability(run: Answers) -> "Figure":
    """Share of the positive class against the probability that was said, in ten bins of as many materials each.

    Args:
        run: Answers are probabilities; bars are Wilson's 95 % intervals of the shares.
    """
    answered = ~np.isnan(run.answers)
    said, true = run.answers[answered], run.targets[answered]
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=LINE, linestyle="--", linewidth=1)
    bins = _bins(said)
    x = np.array([said[one].mean() for one in bins])
    share = np.array([true[one].mean() for one in bins])
    n = np.array([len(one) for one in bins], dtype=np.float64)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    low, high = np.maximum(share - (middle - half), 0), np.maximum(middle + half - share, 0)
    axes.errorbar(x, share, yerr=np.stack([low, high]), fmt="o-", color=MARK, markersize=4, capsize=2)
    off = float(np.sum(n * np.abs(x - share)) / n.sum()) if len(n) else float("nan")
    corner_note(axes, f"expected calibration error {off:.3f}\nbars: 95 % intervals")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_title(run.name, parse_math=False)
    axes.set_xlabel("probability said")
    axes.set_ylabel("share of the positive class")
    return figure


@styled
def mean_calibration(run: Answers, unit: str | None) -> "Figure":
    """Mean of the true values against the mean of the predictions, in ten bins of as many materials each.

    Args:
        run: The run; bars are 1.96 standard errors of the mean.
        unit: Unit of both axes.
    """
    answered = ~np.isnan(run.answers)
    said, true = np.clip(run.answers[answered], -1e30, 1e30), run.targets[answered]
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    bins = _bins(said)
    x = np.array([said[one].mean() for one in bins])
    y = np.array([true[one].mean() for one in bins])
    error = np.array([_Z * true[one].std(ddof=1) / np.sqrt(len(one)) if len(one) > 1 else 0.0 for one in bins])
    axes.axline((float(y.mean()), float(y.mean())), slope=1, color=LINE, linestyle="--", linewidth=1)
    axes.errorbar(x, y, yerr=error, fmt="o-", color=MARK, markersize=4, capsize=2)
    corner_note(axes, "bars: 95 % intervals of the means")
    axes.set_title(run.name, parse_math=False)
    axes.set_xlabel(with_unit("mean of the predictions", unit))
    axes.set_ylabel(with_unit("mean of the true values", unit))
    return figure


@styled
def spread_calibration(run: Answers, spread: Floats, unit: str | None) -> "Figure":
    """Root mean square error against the spread of a model's samples, in bins of as many materials each.

    Args:
        run: The run.
        spread: Standard deviation of the samples, shape ``(n,)``, NaN where there is none.
        unit: Unit of both axes.
    """
    known = ~np.isnan(run.answers) & ~np.isnan(spread)
    said, off = spread[known], np.clip(run.answers[known], -1e30, 1e30) - run.targets[known]
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    bins = _bins(said)
    x = np.array([np.sqrt(np.mean(said[one] ** 2)) for one in bins])
    y = np.array([np.sqrt(np.mean(off[one] ** 2)) for one in bins])
    axes.axline((0, 0), slope=1, color=LINE, linestyle="--", linewidth=1)
    axes.plot(x, y, "o-", color=MARK, markersize=4)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    corner_note(axes, "dashed: the spread is the error")
    axes.set_title(run.name, parse_math=False)
    axes.set_xlabel(with_unit("spread of the samples", unit))
    axes.set_ylabel(with_unit("root mean square error", unit))
    return figure


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
