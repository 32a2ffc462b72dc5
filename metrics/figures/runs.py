"""Many runs in one figure: how much they answered, and what more training rows bring."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...drawing.style import LINE, MARK, SECOND, SERIES, SOFT, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BARS = 40
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
    ordered = sorted(shares, key=lambda one: (one.answered / _total(one), one.name))[:_MOST_BARS]
    figure = new_figure(7.6, 1.3 + 0.24 * len(ordered))
    axes = figure.subplots()
    places = np.arange(len(ordered))
    left = np.zeros(len(ordered))
    for field, name, colour in (
        ("answered", "answered", MARK),
        ("invalid", "unreadable", SECOND),
        ("missing", "missing", LINE),
    ):
        width = np.array([100 * getattr(one, field) / _total(one) for one in ordered])
        axes.barh(places, width, left=left, height=0.7, color=colour, label=name)
        left += width
    axes.set_yticks(places, [f"{one.name}  {100 * one.answered / _total(one):.1f} %" for one in ordered])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.set_xlabel("share of the test set (%)")
    more = len(shares) - len(ordered)
    axes.set_title(f"{title}{f' ({more} runs with more coverage are not drawn)' if more else ''}", parse_math=False)
    figure.legend(loc="outside lower right", ncols=3)
    return figure


@styled
def learning(curves: dict[str, Sequence[Size]], score: str, guide: float, title: str) -> "Figure":
    """Scores against the number of training rows, a line a model.

    Args:
        curves: Points of each line by its name; of more than eight lines those that reach highest are drawn.
        score: What the scores are.
        guide: The score of a model that knows nothing.
        title: Over the figure.
    """
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    best = sorted(curves, key=lambda name: (-max(one.score for one in curves[name]), name))[:_MOST_LINES]
    axes.axhline(guide, color=LINE, linestyle="--", linewidth=1)
    axes.annotate(
        "knows nothing", (0.99, guide), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=SOFT
    )
    for name, colour in zip(best, SERIES, strict=False):
        points = sorted(curves[name])
        x, y = [one.rows for one in points], np.array([one.score for one in points])
        low = np.array([one.score if one.low is None else one.low for one in points])
        high = np.array([one.score if one.high is None else one.high for one in points])
        bars = np.maximum(np.stack([y - low, high - y]), 0)
        label = name.replace("$", r"\$")
        axes.errorbar(x, y, yerr=bars, fmt="o-", color=colour, markersize=4, capsize=2, label=label)
    axes.set_xscale("log")
    sizes = sorted({one.rows for name in best for one in curves[name]})
    ticks = [rows for place, rows in enumerate(sizes) if place == 0 or rows > 1.25 * sizes[place - 1]]
    axes.set_xticks(ticks, [f"{rows:,}" for rows in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("training rows")
    axes.set_ylabel(score)
    more = len(curves) - len(best)
    axes.set_title(f"{title}{f' ({more} more models are not drawn)' if more else ''}", parse_math=False)
    axes.legend()
    return figure


def _total(share: Share) -> int:
    return max(share.answered + share.invalid + share.missing, 1)
