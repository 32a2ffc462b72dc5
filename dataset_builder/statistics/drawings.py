"""Figures of the page: how targets lie in each split. Their numbers stand in tables as well."""

import numpy as np

from ...drawing.paper import Letters, Paper, ticks
from ...drawing.style import LINE, MARK, SECOND, SOFT, THIRD, inline_svg, styled
from .models import ClassTarget, Histogram

_COLOURS = {"train": MARK, "validation": THIRD, "test": SECOND}
_CLASSES = ("#94a3b8", MARK, THIRD, SECOND)
_WIDTH, _HEIGHT = 3.4, 1.45
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.08, 3.32, 0.24, 1.4
_ROW = 0.3


@styled
def histogram_svg(name: str, histogram: Histogram) -> str:
    """Draw a histogram; each split in shares of its own rows, so that small ones can be seen.

    Args:
        name: Of the target.
        histogram: Its counts.
    """
    from matplotlib.patches import StepPatch
    from matplotlib.transforms import Affine2D

    paper = Paper(_WIDTH, _HEIGHT)
    edges = np.array(histogram.edges)
    low, high = float(edges[0]), float(edges[-1])
    shares = shares_of(histogram)
    top = max((share for bins in shares.values() for share in bins), default=0.0) or 1.0
    scale = Affine2D().translate(-low, 0).scale((_RIGHT - _LEFT) / (high - low), (_TOP - _BOTTOM) / top)
    place = scale.translate(_LEFT, _BOTTOM) + paper.figure.dpi_scale_trans
    for split, bins in shares.items():
        if any(bins):
            colour, filled = _COLOURS.get(split, SOFT), split == "train"
            outline = StepPatch(bins, edges, edgecolor=colour, facecolor="none", linewidth=1.1, transform=place)
            if filled:
                ground = StepPatch(bins, edges, facecolor=colour, alpha=0.3, linewidth=0, fill=True, transform=place)
                paper.add(ground, placed=True)
            paper.add(outline, placed=True)
    paper.line((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM))
    for value, text in ticks(low, high):
        across = _LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT)
        paper.line((across, _BOTTOM), (across, _BOTTOM - 0.04))
        paper.number(Letters(text, across, _BOTTOM - 0.07, up="top"))
    paper.finish()
    return inline_svg(paper.figure, f"Distribution of {name} in each split")


@styled
def classes_svg(target: ClassTarget) -> str:
    """Draw the shares of the classes, a bar a split.

    Args:
        target: The target.
    """
    from matplotlib.collections import PolyCollection

    paper = Paper(_WIDTH, _ROW * len(target.splits))
    bars: list[list[tuple[float, float]]] = []
    colours = []
    names = []
    for row, (split, counts) in enumerate(reversed(target.splits.items())):
        bottom, left = row * _ROW + 0.05, 0.78
        names.append(Letters(split, _LEFT, bottom + 0.1, across="left"))
        for number, count in enumerate(counts.values()):
            right = left + count / (sum(counts.values()) or 1) * (_RIGHT - 0.78)
            bars.append([(left, bottom), (right, bottom), (right, bottom + 0.2), (left, bottom + 0.2)])
            colours.append(_CLASSES[number % len(_CLASSES)])
            left = right
    paper.letters(names, 8)
    paper.add(PolyCollection([np.array(bar) for bar in bars], facecolors=colours, edgecolors=LINE, linewidths=0.3))
    return inline_svg(paper.figure, f"Classes of {target.name} in each split")


def shares_of(histogram: Histogram) -> dict[str, list[float]]:
    """Counts as shares of all rows of their split."""
    return {
        split: [one / max(1, sum(bins) + histogram.below[split] + histogram.above[split]) for one in bins]
        for split, bins in histogram.counts.items()
    }


def outside(histogram: Histogram) -> str:
    """What lies beyond the ends, empty where nothing does."""
    below, above = sum(histogram.below.values()), sum(histogram.above.values())
    return f"{below:,} below and {above:,} above are not drawn" if below or above else ""
