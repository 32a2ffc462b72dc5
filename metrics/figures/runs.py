"""Many runs in one figure: how much they answered, and what more training rows bring."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...drawing.fitting import fitted, headed_figure, key_below, leading
from ...drawing.style import LINE, MARK, SECOND, SERIES, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BARS = 40
_BAR, _LEARNING = 0.24, 6.4
"""Inches from bar to bar, and the width of learning curves."""
_MOST_LINES = len(SERIES)


class Share(NamedTuple):
    """What one run made of its test rows: its name, and how many were answered, unreadable and missing."""

    name: str
    answered: int
    invalid: int
    missing: int


class Size(NamedTuple):
    """A score at a number of training rows, with its interval where there is one."""

    rows: int
    score: float
    low: float | None
    high: float | None


@styled
def coverage(shares: Sequence[Share], title: str) -> "Figure":
    """Shares of the test set that were answered, unreadable or missing, a bar a run.

    Args:
        shares: The runs; of more than forty those with the least coverage are drawn.
        title: Over the figure.
    """
    everyone = sorted(shares, key=lambda one: (one.answered / _total(one), one.name))
    ordered, left_out = everyone[:_MOST_BARS], everyone[_MOST_BARS:]
    names = [fitted(f"{one.name}  {_percent(one)}", 4.2, 9) for one in ordered]
    # A name of several lines takes up as much more.
    heights = np.array([_BAR + leading(9) * (len(lines) - 1) for lines in names])
    places = np.cumsum(heights) - heights / 2
    notes = []
    if left_out:
        much = "every test row" if left_out[0].answered == _total(left_out[0]) else f"{_percent(left_out[0])} or more"
        notes.append(f"{len(left_out):,} more runs, which answered {much}, are not drawn")
    figure = headed_figure(7.6, 0.85 + float(heights.sum()), title, notes)
    axes = figure.subplots()
    left = np.zeros(len(ordered))
    for field, name, colour in (
        ("answered", "answered", MARK),
        ("invalid", "unreadable", SECOND),
        ("missing", "missing", LINE),
    ):
        width = np.array([100 * getattr(one, field) / _total(one) for one in ordered])
        axes.barh(places, width, left=left, height=0.7 * _BAR, color=colour, label=name)
        left += width
    axes.set_yticks(places, ["\n".join(lines) for lines in names])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_xlim(0, 100)
    axes.set_ylim(float(heights.sum()), 0)
    axes.set_xlabel("share of the test set (%)")
    figure.legend(loc="outside lower right", ncols=3)
    return figure


@styled
def learning(
    curves: Mapping[str, Sequence[Size]], score: str, guide: float, title: str, notes: Sequence[str] = ()
) -> "Figure":
    """Scores against the number of training rows, a line a model.

    Args:
        curves: Points of each line by its name; of more than eight lines those that reach highest are drawn.
        score: What the scores are.
        guide: The score of a model that knows nothing.
        title: Over the figure.
        notes: What else is to be known.
    """
    best = sorted(curves, key=lambda name: (-max(one.score for one in curves[name]), name))[:_MOST_LINES]
    if more := len(curves) - len(best):
        notes = [*notes, f"{more} more models, which reach no higher, are not drawn"]
    labels = ["\n".join(fitted(name, _LEARNING - 0.6, 8)) for name in best]
    lines = 1 + sum(label.count("\n") + 1 for label in labels)
    figure = headed_figure(_LEARNING, 3.7 + lines * leading(8.5), title, notes)
    axes = figure.subplots()
    handles: list[Any] = [axes.axhline(guide, color=LINE, linestyle="--", linewidth=1)]
    for name, colour in zip(best, SERIES, strict=False):
        points = sorted(curves[name])
        x, y = [one.rows for one in points], np.array([one.score for one in points])
        low = np.array([one.score if one.low is None else one.low for one in points])
        high = np.array([one.score if one.high is None else one.high for one in points])
        bars = np.maximum(np.stack([y - low, high - y]), 0)
        handles.append(axes.errorbar(x, y, yerr=bars, fmt="o-", color=colour, markersize=4, capsize=2))
    axes.set_xscale("log")
    sizes = sorted({one.rows for name in best for one in curves[name]})
    ticks = [rows for place, rows in enumerate(sizes) if place == 0 or rows > 1.25 * sizes[place - 1]]
    axes.set_xticks(ticks, [f"{rows:,}" for rows in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("training rows")
    axes.set_ylabel(score)
    key_below(figure, handles, ["knows nothing", *labels])
    return figure


def _total(share: Share) -> int:
    return max(share.answered + share.invalid + share.missing, 1)


def _percent(share: Share) -> str:
    """Rounded down: 100.0 % are all."""
    return f"{1000 * share.answered // _total(share) / 10:.1f} %"
