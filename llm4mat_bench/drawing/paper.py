"""Panels without matplotlib's axes: frames, ticks, numbers and points as a handful of artists of the figure itself.

Axes with ticks of their own take matplotlib some 30 ms a panel, and a text of its own half a millisecond, most of it to
find out where they go. A page of 65 tasks has hundreds of panels and tens of thousands of short texts, whose places are
known. What is drawn once a run by ``plot`` alone has axes.
"""

from collections.abc import Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .fitting import Head, head
from .style import INK, LINE, new_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.transforms import Transform

_TICK, _GAP = 0.05, 0.04
"""Length of a tick, and the space beside it, in inches."""
_MOST_TICKS = 5


class Letters(NamedTuple):
    """A short text without line ends, and where it stands in inches."""

    text: str
    x: float
    y: float
    across: Literal["left", "center", "right"] = "center"
    up: Literal["bottom", "center", "top"] = "center"


class Paper:
    """A figure whose artists are placed in inches from the lower left; lines and numbers are drawn all at once.

    Args:
        width: In inches.
        height: Of what lies below the heads, which the figure is made higher for.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = new_figure(width, height, measured=False)
        self._size = (width, height)
        self._heads: list[tuple[float, Head]] = []
        self._lines: list[list[tuple[float, float]]] = []
        self._numbers: list[Letters] = []

    def panel(
        self,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        labels: tuple[str, str],
    ) -> "Transform":
        """Draw the frame of a panel.

        Args:
            box: Left, bottom, width and height in inches.
            x: Where its axis begins and ends.
            y: As `x`.
            labels: Of both axes.

        Returns:
            Takes values to their place, for the artists in it.
        """
        from matplotlib.transforms import Affine2D

        left, bottom, width, height = box
        self.line((left, bottom + height), (left, bottom), (left + width, bottom))
        across = Affine2D().translate(-x[0], -y[0]).scale(width / (x[1] - x[0]), height / (y[1] - y[0]))
        across.translate(left, bottom)
        for value, text in ticks(*x):
            place = left + (value - x[0]) / (x[1] - x[0]) * width
            self.line((place, bottom), (place, bottom - _TICK))
            self.number(Letters(text, place, bottom - _TICK - _GAP, up="top"))
        for value, text in ticks(*y):
            place = bottom + (value - y[0]) / (y[1] - y[0]) * height
            self.line((left - _TICK, place), (left, place))
            self.number(Letters(text, left - _TICK - _GAP, place, across="right"))
        self.text(left + width / 2, bottom - 0.28, labels[0], ha="center", va="top")
        self.text(left - 0.42, bottom + height / 2, labels[1], ha="center", va="center", rotation=90)
        return across + self.figure.dpi_scale_trans

    def line(self, *places: tuple[float, float]) -> None:
        """A thin line through places."""
        self._lines.append(list(places))

    def number(self, letters: Letters) -> None:
        """A number of an axis."""
        self._numbers.append(letters)

    def head(self, x: float, width: float, title: str, notes: Sequence[str] = ()) -> None:
        """Title and notes over all, or over a panel.

        Args:
            x: Their middle.
            width: What they may take up.
            title: The title.
            notes: Small lines below it.
        """
        self._heads.append((x, head(title, notes, width)))

    def text(self, x: float, y: float, text: str, **how: Any) -> None:  # noqa: ANN401 - as matplotlib has it
        """A text that stays text, whatever its script."""
        self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, parse_math=False, **how)

    def letters(self, letters: Sequence[Letters], size: float, colour: str = INK) -> None:
        """Draw many short texts at once.

        Args:
            letters: The texts.
            size: In points.
            colour: Of all.
        """
        from .lettering import Lettering

        if letters:
            self.add(Lettering(letters, size, colour, self.figure.dpi_scale_trans))

    def add(self, artist: "Artist", *, placed: bool = False) -> None:
        """Add an artist.

        Args:
            artist: In inches.
            placed: It has a transform of its own.
        """
        if not placed:
            artist.set_transform(self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)

    def finish(self) -> None:
        """Draw all heads, lines and numbers."""
        from matplotlib.collections import LineCollection

        if self._heads:
            width, height = self._size
            self.figure.set_size_inches(width, height + max(one.height for _, one in self._heads))
            for x, one in self._heads:
                one.draw(self.figure, x, height + one.height)
        self.add(LineCollection([np.array(line) for line in self._lines], colors=LINE, linewidths=0.8))
        self.letters(self._numbers, 9)


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round values between two ends, and how they are written."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(_MOST_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)
    step = float(found[1] - found[0]) if len(found) > 1 else 1.0
    values = [float(value) for value in found if low <= value <= high]
    largest = max(map(abs, values), default=0.0)
    last = floor(log10(step) + 1e-9)
    if largest and not -4 < log10(largest) < 5:
        digits = max(floor(log10(largest)) - last, 0)
        return [(value, f"{value:.{digits}e}".replace("-", "−") if value else "0") for value in values]
    return [(value, f"{value:.{max(-last, 0)}f}".replace("-", "−")) for value in (round(one, 12) for one in values)]
