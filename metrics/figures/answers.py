"""Answers to a regression against the truth: parity and residuals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .style import LINE, MARK, MOST_VECTORS, SECOND, corner_note, new_figure, square_panels, styled, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 2000
_FARTHEST = 1e30
"""What lies beyond is drawn there: no quantity of a crystal comes near it, and squares stay finite."""

Floats = NDArray[np.float64]


class Answers(NamedTuple):
    """What is drawn of one run: its name, targets and answers of shape ``(n,)``, NaN where there is no answer."""

    name: str
    targets: Floats
    answers: Floats


@styled
def parity(runs: Sequence[Answers], unit: str | None) -> "Figure":
    """Predicted against true values, one panel a run; above 2,000 points as a map of how many lie where.

    Answers far beyond all true values are drawn at the edge and counted.

    Args:
        runs: At least one.
        unit: Unit of both axes.
    """
    # The map of many points has a bar beside it.
    figure, panels = square_panels(len(runs), measured=any(len(run.targets) > _MOST_POINTS for run in runs))
    for axes, run in zip(panels, runs, strict=True):
        _draw_parity(axes, run, unit)
    return figure


@styled
def residuals(run: Answers, unit: str | None) -> "Figure":
    """Errors against true values, and how often errors of which size occur.

    Args:
        run: The run.
        unit: Unit of all axes.
    """
    figure = new_figure(7.6, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    answered = ~np.isnan(run.answers)
    true, errors = _bounded(run.targets[answered]), _bounded(run.answers[answered]) - _bounded(run.targets[answered])
    left.set_title(run.name, parse_math=False)
    left.set_xlabel(with_unit("true value", unit))
    left.set_ylabel(with_unit("predicted − true", unit))
    right.set_xlabel("materials")
    for axes in (left, right):
        axes.axhline(0, color=LINE, linestyle="--", linewidth=1)
    if not len(errors):
        corner_note(left, f"none of {len(run.answers):,} answered")
        return figure
    reach = _reach(errors)
    shown = np.clip(errors, -reach, reach)
    low, high = widened(float(true.min()), float(true.max()))
    _points(left, true, shown, (low, high, -1.05 * reach, 1.05 * reach))
    right.hist(shown, bins=np.linspace(-reach, reach, 41).tolist(), orientation="horizontal", color=MARK)
    right.axhline(float(np.median(errors)), color=SECOND, linewidth=1.2, label="median")
    right.legend(loc="upper right")
    notes = [f"mean absolute error {np.abs(errors).mean():.3g} {unit or ''}".rstrip()]
    if beyond := int((np.abs(errors) > reach).sum()):
        notes.append(f"{beyond:,} beyond the axis, drawn at its end")
    if missing := int((~answered).sum()):
        notes.append(f"{missing:,} without an answer")
    corner_note(left, "\n".join(notes))
    return figure


def _draw_parity(axes: "Axes", run: Answers, unit: str | None) -> None:
    answered = ~np.isnan(run.answers)
    targets = _bounded(run.targets)
    true, predicted = targets[answered], _bounded(run.answers[answered])
    low, high = float(targets.min()), float(targets.max())
    if len(predicted):
        # A few absurd answers would press all others into a point.
        span = (high - low) or abs(high) or 1.0
        inside = predicted[(predicted >= low - span / 2) & (predicted <= high + span / 2)]
        if len(inside):
            low, high = min(low, float(inside.min())), max(high, float(inside.max()))
    low, high = widened(low, high)
    shown = np.clip(predicted, low, high)
    axes.plot([low, high], [low, high], color=LINE, linestyle="--", linewidth=1, zorder=1)
    _points(axes, true, shown, (low, high, low, high))
    axes.set_aspect("equal")
    axes.set_title(run.name, parse_math=False)
    axes.set_xlabel(with_unit("true value", unit))
    axes.set_ylabel(with_unit("predicted", unit))
    notes = []
    if missing := int((~answered).sum()):
        notes.append(f"{missing:,} without an answer")
    if beyond := int((shown != predicted).sum()):
        notes.append(f"{beyond:,} beyond the axis, drawn at its end")
    if notes:
        corner_note(axes, "\n".join(notes))


def _points(axes: "Axes", x: Floats, y: Floats, extent: tuple[float, float, float, float]) -> None:
    """Points, or where there are many a map of how many lie where."""
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    if len(x) <= _MOST_POINTS:
        rasterised: dict[str, Any] = {"rasterized": len(x) > MOST_VECTORS}
        axes.scatter(x, y, s=12, color=MARK, alpha=0.45, linewidths=0, zorder=2, **rasterised)
        return
    drawn = axes.hexbin(
        x, y, gridsize=48, bins="log", extent=extent, cmap="viridis_r", mincnt=1, linewidths=0, rasterized=True
    )
    axes.figure.colorbar(drawn, ax=axes, label="materials", shrink=0.8)


def _bounded(values: Floats) -> Floats:
    return np.clip(values, -_FARTHEST, _FARTHEST)


def widened(low: float, high: float) -> tuple[float, float]:
    """Both ends of an axis that holds these values, with a margin."""
    margin = 0.04 * (high - low)
    if margin <= 1e-9 * max(abs(low), abs(high)):  # all alike, or as good as
        margin = 0.5 * max(abs(low), abs(high)) or 0.5
    return low - margin, high + margin


def _reach(errors: Floats) -> float:
    """Where the axis of errors ends: at the largest, but not where a few would press all others flat."""
    sizes = np.abs(errors)
    usual = float(np.quantile(sizes, 0.98))
    largest = float(sizes.max())
    return (largest if largest <= 3 * usual else 1.5 * usual) or largest or 1.0
