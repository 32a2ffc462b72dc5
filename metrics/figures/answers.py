"""Answers to a regression against the truth: parity and residuals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...drawing.fitting import headed_figure, with_unit
from ...drawing.mosaic import SQUARE, STEPS, mosaic, shades_of
from ...drawing.paper import Paper
from ...drawing.style import LINE, MARK, MOST_VECTORS, SECOND, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

_MOST_POINTS = 2000
_BINS = 64
"""Squares of a map each way."""
_OVERLAP = 1.16
_FARTHEST = 1e30
"""What lies beyond is drawn there: no quantity of a crystal comes near it, and squares stay finite."""

PANEL_HEAD = 3.5
"""Inches that the title over a panel may take up: it stands over the middle of the axes, others beside it."""

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
    paper = Paper(4.0 * len(runs), 3.7)
    for number, run in enumerate(runs):
        _draw_parity(paper, (4.0 * number + 0.65, 0.55, 3.15, 3.15), run, unit)
    paper.finish()
    return paper.figure


@styled
def residuals(run: Answers, unit: str | None) -> "Figure":
    """Errors against true values, and how often errors of which size occur.

    Args:
        run: The run.
        unit: Unit of all axes.
    """
    answered = ~np.isnan(run.answers)
    true, errors = _bounded(run.targets[answered]), _bounded(run.answers[answered]) - _bounded(run.targets[answered])
    reach = _reach(errors) if len(errors) else 1.0
    notes = [f"mean absolute error {np.abs(errors).mean():.3g} {unit or ''}".rstrip()] if len(errors) else []
    if beyond := int((np.abs(errors) > reach).sum()):
        notes.append(_beyond(beyond))
    if missing := int((~answered).sum()):
        notes.append(_unanswered(missing, len(answered)))
    figure = headed_figure(7.6, 3.4, run.name, notes)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    left.set_xlabel(with_unit("true value", unit), parse_math=False)
    left.set_ylabel(with_unit("predicted − true", unit), parse_math=False)
    right.set_xlabel("materials")
    for axes in (left, right):
        axes.axhline(0, color=LINE, linestyle="--", linewidth=1)
    if not len(errors):
        return figure
    shown = np.clip(errors, -reach, reach)
    low, high = widened(float(true.min()), float(true.max()))
    _points(left, true, shown, (low, high, -1.05 * reach, 1.05 * reach))
    right.hist(shown, bins=np.linspace(-reach, reach, 41).tolist(), orientation="horizontal", color=MARK)
    right.axhline(float(np.median(errors)), color=SECOND, linewidth=1.2, label="median")
    right.legend(loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _beyond(count: int) -> str:
    return f"{count:,} beyond the axis, drawn at its end"


def _unanswered(missing: int, of: int) -> str:
    return f"none of {of:,} answered" if missing == of else f"{missing:,} without an answer"


def _draw_parity(paper: Paper, box: tuple[float, float, float, float], run: Answers, unit: str | None) -> None:
    from matplotlib.lines import Line2D

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
    ends = low, high = widened(low, high)
    shown = np.clip(predicted, low, high)
    labels = (with_unit("true value", unit), with_unit("predicted", unit))
    place = paper.panel(box, ends, ends, labels=labels)
    paper.add(Line2D(ends, ends, color=LINE, linestyle="--", linewidth=1, zorder=1, transform=place), placed=True)
    notes = []
    if missing := int((~answered).sum()):
        notes.append(_unanswered(missing, len(answered)))
    if beyond := int((shown != predicted).sum()):
        notes.append(_beyond(beyond))
    if len(true) <= _MOST_POINTS:
        points = Line2D(
            true,
            shown,
            linestyle="",
            marker="o",
            markersize=3.5,
            markeredgewidth=0,
            color=MARK,
            alpha=0.45,
            zorder=2,
            rasterized=len(true) > MOST_VECTORS,
            transform=place,
        )
        paper.add(points, placed=True)
    else:
        most = _draw_map(paper, place, ends, true, shown)
        notes.append(f"darkest: {most:,} materials")
    paper.head(box[0] + box[2] / 2, PANEL_HEAD, run.name, notes)


def _draw_map(paper: Paper, place: "Transform", ends: tuple[float, float], x: Floats, y: Floats) -> int:
    """Draw how many points lie where; returns how many in the fullest square."""
    from matplotlib import colormaps

    counts, edges, _ = np.histogram2d(x, y, bins=_BINS, range=(ends, ends))
    filled = np.argwhere(counts > 0)
    most = int(counts.max())
    # A little over one another: between two that only touch, browsers let the ground shine through.
    squares = edges[0] + (edges[1] - edges[0]) * (filled[:, None] + 0.5 + _OVERLAP * (SQUARE - 0.5))
    shades = shades_of(np.log(counts[counts > 0]) / np.log(max(most, 2)))
    palette = colormaps["viridis_r"](np.linspace(0, 1, STEPS))
    drawn = mosaic(squares, shades, palette)
    drawn.set(transform=place, zorder=2)
    paper.add(drawn, placed=True)
    return most


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
