"""Every run of a task at a glance: small panels side by side, all on the same axes, many to a picture.

A figure with axes of its own takes matplotlib a tenth of a second, which 20,000 runs do not have. So what a panel shows
is sketched when the predictions are read anyway, and a sheet of panels is one image, one set of lines and their labels.
In an SVG the labels stay text, which costs a tenth of drawing their letters, and the image has a pixel a bin.
"""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...dataset_builder.catalogue import Kind
from ...drawing.fitting import squeezed
from ...drawing.paper import Letters, Paper
from ...drawing.style import LINE, MARK, styled
from .answers import Floats, widened
from .classes import roc_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 48
"""Bins of a panel each way, and points of a curve."""
COLUMNS, ROWS = 8, 6
PER_SHEET = COLUMNS * ROWS
_GAP, _LABEL = 8, 16
"""Between panels and for their names, in bins."""
BINS_PER_INCH = 44
"""Bins of panels to the inch; a picture of so many dots to the inch has one a bin."""
_LEADING, _SIZE = 0.09, 5.5
"""Inches between lines of a name, and the size of its letters in points."""


class Panel(NamedTuple):
    """One run on a sheet: what stands under its panel, and its sketch."""

    label: str
    sketch: bytes
    modality: str = ""


def sketch(kind: Kind, targets: Floats, answers: Floats) -> bytes:
    """What a panel shows of a run: where how many answers lie, or the points of its ROC curve.

    Args:
        kind: What the task asks for.
        targets: Shape ``(n,)``.
        answers: Shape ``(n,)``, NaN where there is none: such materials are left out.
    """
    if kind == "classification":
        false, true = roc_points(targets, answers)
        return np.interp(np.linspace(0, 1, SIDE), false, true).astype("<f4").tobytes()
    low, high = limits(targets)
    answered = ~np.isnan(answers)
    across, up = (
        np.clip((np.clip(one[answered], low, high) - low) / (high - low) * SIDE, 0, SIDE - 1).astype(np.intp)
        for one in (targets, answers)
    )
    counts = np.bincount(up * SIDE + across, minlength=SIDE * SIDE)
    return zlib.compress(np.minimum(counts, 65535).astype("<u2").tobytes(), 1)


def limits(targets: Floats) -> tuple[float, float]:
    """Where both axes of a regression's panels begin and end: answers beyond are drawn at the edge."""
    return widened(float(targets.min()), float(targets.max()))


@styled
def sheet(panels: Sequence[Panel], kind: Kind) -> "Figure":
    """Draw panels side by side, in the order given.

    Args:
        panels: At most ``PER_SHEET``.
        kind: What the task asks for.
    """
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import LogNorm

    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (SIDE + _GAP), rows * (SIDE + _LABEL)
    paper = Paper(width / BINS_PER_INCH, height / BINS_PER_INCH)
    corners = np.array(
        [
            (place % COLUMNS * (SIDE + _GAP) + _GAP / 2, place // COLUMNS * (SIDE + _LABEL))
            for place in range(len(panels))
        ]
    )

    def inches(places: Floats) -> Floats:
        """Bins from the upper left as inches from the lower left."""
        found: Floats = (np.array((0, height)) + places * (1, -1)) / BINS_PER_INCH
        return found

    squares = inches(corners[:, None] + SIDE * np.array([(0, 0), (1, 0), (1, 1), (0, 1)]))
    # The colours of counts are made for a white ground, that of a curve follows the reader's.
    ground = "white" if kind == "regression" else "none"
    paper.add(PolyCollection(list(squares), facecolors=ground, edgecolors=LINE, linewidths=0.5))
    diagonals = inches(corners[:, None] + SIDE * np.array([(0, 1), (1, 0)]))
    paper.add(LineCollection(list(diagonals), colors=LINE, linewidths=0.5))
    if kind == "regression":
        counts = np.zeros((height, width))
        for (left, top), panel in zip(corners.astype(int), panels, strict=True):
            found = np.frombuffer(zlib.decompress(panel.sketch), "<u2").reshape(SIDE, SIDE)
            counts[top : top + SIDE, left : left + SIDE] = found[::-1]
        colours = np.zeros((height, width, 4), np.uint8)
        there = counts > 0
        colours[there] = colormaps["viridis_r"](LogNorm(0.5, max(float(counts.max()), 2))(counts[there]), bytes=True)
        paper.figure.set_dpi(BINS_PER_INCH)
        paper.figure.figimage(colours, 0, 0, origin="upper", zorder=3)
    else:
        across = np.concatenate([[0], np.linspace(0, SIDE, SIDE)])
        curves = [
            inches(np.stack([left + across, top + SIDE * (1 - np.append(0, np.frombuffer(panel.sketch, "<f4")))], 1))
            for (left, top), panel in zip(corners, panels, strict=True)
        ]
        paper.add(LineCollection(curves, colors=MARK, linewidths=1.2))
    below = inches(corners + np.array((0, SIDE + 2)))
    labels = [
        Letters(squeezed(line, (SIDE + _GAP / 2 - 1) / BINS_PER_INCH, _SIZE), x, y - row * _LEADING, "left", "top")
        for (x, y), panel in zip(below, panels, strict=True)
        for row, line in enumerate(panel.label.split("\n"))
    ]
    paper.letters(labels, _SIZE)
    return paper.figure
