"""The periodic table as a heat map: how large errors are for materials that hold an element.

Drawn here and not by pymatviz, whose table is one function among plotting libraries and notebooks: it would bring some
twenty packages into every installation that writes a page.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .answers import Floats
from .style import INK, LINE, SOFT, new_figure, styled

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
_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
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
def periodic_table(counts: NDArray[np.int64], means: Floats, label: str, title: str) -> "Figure":
    """Draw a value for each element.

    Args:
        counts: Materials behind each value, in the order of ``SYMBOLS``; none leaves the place empty.
        means: The values.
        label: What they are, with the unit.
        title: Over the table.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Normalize

    figure = new_figure(8.4, 4.4, measured=False)
    axes, bar = figure.add_axes((0.01, 0.01, 0.86, 0.9)), figure.add_axes((0.9, 0.2, 0.015, 0.6))
    filled, few = counts > 0, (counts > 0) & (counts < FEW)
    shown = means[filled & ~few] if (filled & ~few).any() else means[filled]
    low, high = (float(np.quantile(shown, 0.02)), float(np.quantile(shown, 0.98))) if len(shown) else (0.0, 1.0)
    scale = ScalarMappable(Normalize(low, high if high > low else low + (abs(low) or 1.0)), colormaps["YlOrRd"])
    colours = scale.to_rgba(np.where(filled, means, low))
    colours[~filled, 3] = 0.0
    # All places are two artists; 118 by themselves took two fifths of the time.
    squares = np.array([(column, row) for row, column in PLACES.values()])[:, None] + 0.94 * _CORNERS
    for chosen, hatch in ((~few, ""), (few, "////")):
        places = PolyCollection(list(squares[chosen]), facecolors=colours[chosen], edgecolors=LINE, linewidths=0.5)
        if hatch:
            places.set_hatch(hatch)
        axes.add_collection(places, autolim=False)
    dark = colours[:, :3] @ (0.299, 0.587, 0.114) < 0.5
    for index, symbol in enumerate(SYMBOLS):
        row, column = PLACES[symbol]
        text = ("white" if dark[index] else "black") if filled[index] else SOFT
        axes.text(column + 0.47, row + 0.36, symbol, ha="center", va="center", fontsize=9, color=text)
        if filled[index]:
            number = f"{counts[index]}" if counts[index] < 10_000 else f"{counts[index] // 1000}k"
            axes.text(column + 0.47, row + 0.74, number, ha="center", va="center", fontsize=5.5, color=text)
    axes.set_xlim(-0.05, 18)
    axes.set_ylim(10, -0.05)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, parse_math=False)
    axes.text(2.2, 0.75, f"small numbers: materials; hatched: fewer than {FEW}", fontsize=7, color=INK)
    figure.colorbar(scale, cax=bar, label=label, extend="both")
    return figure
