"""Many short texts as one artist: texts of their own, each laid out by itself, take half a millisecond apiece."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.transforms import Transform

from .fitting import FAMILY, text_width
from .paper import Letters

_CAPITALS = 0.73
"""Height of a capital and of a figure, for a size of one."""


class Lettering(Artist):
    """Texts of one size and colour.

    Args:
        letters: The texts.
        size: In points.
        colour: Of all.
        inches: Takes inches to where the renderer draws.
    """

    def __init__(self, letters: Sequence[Letters], size: float, colour: str, inches: Transform) -> None:
        super().__init__()
        self.letters, self.size, self._colour, self._inches = letters, size, to_rgba(colour), inches
        self.set_zorder(4)

    def draw(self, renderer: Any) -> None:  # noqa: ANN401 - each backend has its own
        """Draw them."""
        gc = renderer.new_gc()
        gc.set_foreground(self._colour, isRGBA=True)
        _, height = renderer.get_canvas_width_height()
        # A renderer of SVG asks the text itself where it is anchored.
        anchor = Text(fontproperties=FontProperties(family=FAMILY, size=self.size), transform=self._inches)
        font = anchor.get_fontproperties()
        shares = {"left": 0.0, "center": 0.5, "right": 1.0, "bottom": 0.0, "top": 1.0}
        for text, x, y, across, up in self.letters:
            base = y - shares[up] * _CAPITALS * self.size / 72
            anchor.set_position((x, base))
            anchor.set_horizontalalignment(across)
            left, bottom = self._inches.transform((x - shares[across] * text_width(text) * self.size / 72, base))
            renderer.draw_text(gc, left, height - bottom, text, font, 0, mtext=anchor)
        gc.restore()
