"""The periodic table as a heat map: how large errors are for materials that hold an element.

Drawn here and not by pymatviz, whose table is one function among plotting libraries and notebooks: it would bring some
twenty packages into every installation that writes a page.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...drawing.fitting import with_unit
from ...drawing.mosaic import SQUARE, STEPS, mosaic, shades_of
from ...drawing.paper import Letters, Paper, ticks
from ...drawing.style import LINE, SOFT, styled
from .answers import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROWS = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba . Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
    "Fr Ra . Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og",
    "",
    ". . La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu",
    ". . Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr",
)
PLACES = {
    symbol: (row, column)
    for row, line in enumerate(_ROWS)
    for column, symbol in enumerate(line.split())
    if symbol != "."
}
"""Row and column of each element, lanthanides and actinides below."""
SYMBOLS = tuple(PLACES)
_SIDE = 0.397
_BAR = (7.5, 0.9, 0.13, 2.6)
"""Side of a place and the box of the bar in inches."""
FEW = 5
"""Materials below which a mean says little: such elements are hatched."""


def element_means(presence: NDArray[np.bool_], errors: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Number of materials that hold an element and the mean of their errors.

    Args:
        presence: Which material holds which of ``SYMBOLS``, shape ``(n, len(SYMBOLS))``.
        errors: Shape ``(n,)``; NaN (no answer) is left out.
    """
    known = ~np.isnan(errors)
    held = presence[known]
    counts = held.sum(axis=0)
    sums = np.where(held, np.clip(errors[known], -1e30, 1e30)[:, None], 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return counts.astype(np.int64), np.where(counts > 0, sums / counts, np.nan)


@styled
def periodic_table(counts: NDArray[np.int64], means: Floats, label: str, unit: str | None, title: str) -> "Figure":
    """Draw a value for each element.

    Args:
        counts: Materials behind each value, in the order of ``SYMBOLS``; none leaves the place empty.
        means: The values.
        label: What they are.
        unit: Their unit.
        title: Over the table.
    """
    from matplotlib import colormaps
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    paper = Paper(8.4, 4.1)
    filled, few = counts > 0, (counts > 0) & (counts < FEW)
    shown = means[filled & ~few] if (filled & ~few).any() else means[filled]
    low, high = (float(np.quantile(shown, 0.02)), float(np.quantile(shown, 0.98))) if len(shown) else (0.0, 1.0)
    high = high if high > low else low + (abs(low) or 1.0)
    shades = shades_of((np.where(filled, means, low) - low) / (high - low))
    palette = colormaps["YlOrRd"]((np.arange(STEPS) + 0.5) / STEPS)
    squares = _inches(np.array([(column, row) for row, column in PLACES.values()])[:, None] + 0.94 * SQUARE)
    # Each step of the bar reaches to its end, below the next: no ground shows between two.
    steps = np.linspace(0, 1, STEPS, endpoint=False)
    bar = np.array(_BAR[:2]) + SQUARE * _BAR[2:] + (1 - SQUARE[:, 1:]) * (0, _BAR[3]) * steps[:, None, None]
    paper.add(mosaic(np.concatenate([squares[filled], bar]), np.append(shades[filled], np.arange(STEPS)), palette))
    for chosen, hatch in ((~few, ""), (few, "////")):
        if chosen.any():
            frames = PathPatch(
                Path.make_compound_path_from_polys(squares[chosen]),
                facecolor="none",
                edgecolor=LINE,
                linewidth=0.5,
                hatch=hatch,
            )
            paper.add(frames)
    colours = palette[shades]
    dark = filled & (colours[:, :3] @ (0.299, 0.587, 0.114) < 0.5)
    symbols, numbers = (
        _inches(np.array([(column + 0.47, row + down) for row, column in PLACES.values()])) for down in (0.36, 0.74)
    )
    for chosen, colour in ((dark, "white"), (filled & ~dark, "black"), (~filled, SOFT)):
        which = np.flatnonzero(chosen)
        paper.letters([Letters(SYMBOLS[one], *symbols[one]) for one in which], 9, colour)
        if colour != SOFT:
            paper.letters([Letters(_short(int(counts[one])), *numbers[one]) for one in which], 5.5, colour)
    right = _BAR[0] + _BAR[2]
    for value, text in ticks(low, high):
        up = _BAR[1] + _BAR[3] * (value - low) / (high - low)
        paper.line((right, up), (right + 0.05, up))
        paper.number(Letters(text, right + 0.09, up, across="left"))
    note = f"small numbers: materials; hatched: fewer than {FEW}"
    paper.head(4.2, 8.4, title, [note])
    paper.finish()
    paper.text(right + 0.62, _BAR[1] + _BAR[3] / 2, with_unit(label, unit), ha="center", va="center", rotation=90)
    return paper.figure


def _inches(places: Floats) -> Floats:
    """Where columns and rows of the table lie on the paper."""
    found: Floats = np.array((0.12, 4.03)) + places * (_SIDE, -_SIDE)
    return found


def _short(count: int) -> str:
    return f"{count}" if count < 10_000 else f"{count // 1000}k"
