"""Names of any length in figures of a certain width: broken into lines, never cut at an edge.

Widths are those of the letters one by one. An SVG's reader may have other fonts, of which this one is among the widest.
"""

import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .style import INK, SOFT, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILY = "DejaVu Sans"
_TITLE, _NOTE = 10, 8
"""Sizes in points."""
_LEADING = 1.25
"""From line to line, for a size of one."""
_MARGIN = 0.08
"""Inches around titles and notes."""
_DOT = " · "


class Head(NamedTuple):
    """What stands over a figure or a panel: lines of its title and small notes below them."""

    title: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def height(self) -> float:
        """In inches, with the space around it."""
        notes = leading(_NOTE) * len(self.notes) + (_MARGIN / 2 if self.notes else 0)
        return leading(_TITLE) * len(self.title) + notes + 2 * _MARGIN

    def draw(self, figure: "Figure", x: float, y: float) -> None:
        """Draw it.

        Args:
            figure: Where.
            x: Its middle in inches.
            y: Its upper end in inches.
        """
        # Line by line: a text of several gives each the height of its own letters.
        y -= _MARGIN
        for lines, size, colour in ((self.title, _TITLE, INK), (self.notes, _NOTE, SOFT)):
            for line in lines:
                y -= leading(size)
                figure.text(
                    x,
                    y + 0.3 * leading(size),
                    line,
                    fontsize=size,
                    color=colour,
                    ha="center",
                    va="baseline",
                    parse_math=False,
                    transform=figure.dpi_scale_trans,
                )
            y -= _MARGIN / 2


def head(title: str, notes: Sequence[str], width: float) -> Head:
    """Break title and notes to a width in inches."""
    inside = width - 2 * _MARGIN
    return Head(
        tuple(fitted(title, inside, _TITLE)), tuple(line for one in notes for line in fitted(one, inside, _NOTE))
    )


def headed_figure(width: float, height: float, title: str, notes: Sequence[str] = ()) -> "Figure":
    """An empty figure under its title and notes, which it is made higher for.

    Args:
        width: In inches.
        height: Of what stands below title and notes, in inches.
        title: Its title.
        notes: What is to be known of what is shown; they would lie over the data inside.
    """
    over = head(title, notes, width)
    figure = new_figure(width, height + over.height)
    engine = figure.get_layout_engine()
    assert engine is not None  # noqa: S101 - a measured figure has one
    engine.set(rect=(0, 0, 1, height / (height + over.height)))  # type: ignore[call-arg]
    over.draw(figure, width / 2, height + over.height)
    return figure


def key_below(figure: "Figure", handles: Sequence[Any], names: Sequence[str], *, ncols: int = 1) -> None:
    """Say outside the axes, at the bottom, what is what; whatever is in a name is shown.

    Args:
        figure: The figure.
        handles: What is named.
        names: Their names, in lines that fit.
        ncols: Names beside each other.
    """
    # Given at once, names that begin with "_" would be left out, and signs in others read as formulas.
    legend = figure.legend(handles, [" "] * len(names), loc="outside lower left", ncols=ncols)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def leading(size: float) -> float:
    """Inches from line to line of a size in points."""
    return _LEADING * size / 72


def fitted(text: str, inches: float, size: float) -> list[str]:
    """Break a text into lines: where it has a dot between parts, else between words, else anywhere.

    Args:
        text: The text; its own line ends stay.
        inches: Width of a line.
        size: Of the letters, in points.
    """
    most = inches * 72 / size
    return [line for paragraph in text.split("\n") for line in _lines(paragraph, most)]


def shortened(text: str, longest: int) -> str:
    """Leave out the middle of a text of more than so many characters: names mostly differ at an end."""
    if len(text) <= longest:
        return text
    end = longest // 2
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def squeezed(text: str, inches: float, size: float) -> str:
    """Leave out as much of a text's middle as lets it fit in one line of a width."""
    longest = len(text)
    while longest > 1 and _width(shortened(text, longest)) > inches * 72 / size:
        longest -= 1
    return shortened(text, longest)


def with_unit(name: str, unit: str | None, inches: float = 3.1) -> str:
    """The label of an axis of some length; a unit of one's own may be too long for it."""
    return f"{name} ({squeezed(unit, inches - _width(f'{name} ()') * 9 / 72, 9)})" if unit else name


def _lines(text: str, most: float) -> Iterator[str]:
    line: str | None = None
    for part in text.split(_DOT):
        joined = part if line is None else f"{line}{_DOT}{part}"
        if _width(joined) <= most:
            line = joined
            continue
        if line is not None:
            yield line
        *whole, line = _words(part, most)
        yield from whole
    yield line or ""


def _words(text: str, most: float) -> list[str]:
    """As many words to the line as there is space for; a word longer than a line is broken at a sign or at its end."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(joined) <= most:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and _width(lines[-1] + character) > most:
                cut = 1 + max(lines[-1].rfind(sign) for sign in "-/_.")
                cut = cut if cut > len(lines[-1]) / 2 else len(lines[-1])
                lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
            lines[-1] += character
    return lines


def _width(text: str) -> float:
    return sum(map(_letter, text))


@cache
def text_width(text: str) -> float:
    """Width of a text of size one."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FAMILY, size=100)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a box is drawn for it, or what the reader's fonts have
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width) / 100


def _letter(character: str) -> float:
    """Width of a letter of size one; one that the font lacks may be wider in the reader's."""
    return max(text_width(character), 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.0)
