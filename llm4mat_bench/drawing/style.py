"""How every figure looks and is written: no window, no state shared with pyplot, the same bytes for the same data."""

import functools
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..errors import UsageError
from ..files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, LINE = "#334155", "#64748b", "#9aa4b2"
MARK, SECOND, THIRD = "#2563eb", "#d97706", "#059669"
SERIES = (MARK, SECOND, THIRD, "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#be185d")
FORMATS = ("png", "svg")
MOST_VECTORS = 500
"""Points up to which each is a mark of its own in an SVG; more become one picture inside it."""

_DARK = {INK: "#cbd5e1", SOFT: "#94a3b8", LINE: "#64748b", MARK: "#7db1ff", SECOND: "#fbbf24", THIRD: "#34d399"}
_SETTINGS = {
    "svg.hashsalt": "llm4mat-bench",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "hatch.color": LINE,
    "hatch.linewidth": 0.5,
}
_DPI = 150
_inside = False
_P = ParamSpec("_P")
_T = TypeVar("_T")


def available() -> bool:
    """Whether there is matplotlib; without it the page has no plots."""
    return find_spec("matplotlib") is not None


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user's settings say; put back on leaving.

    Blocks inside another cost nothing: to set all and put it back takes as long as to draw a small figure.
    """
    global _inside  # noqa: PLW0603 - matplotlib's settings are global, too
    if _inside:
        yield
        return
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        _inside = True
        try:
            yield
        finally:
            _inside = False


def styled(draw: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function draw in the house style."""

    @functools.wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with house_style():
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, *, measured: bool = True) -> "Figure":
    """An empty figure.

    Args:
        width: In inches.
        height: In inches.
        measured: Let matplotlib find margins that hold all text, which takes as long as drawing all of it twice.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained" if measured else None)


def figure_bytes(figure: "Figure", form: str, *, transparent: bool = False, dpi: int = _DPI) -> bytes:
    """The figure as a file; no dates and no names of programs in it.

    Args:
        figure: The figure.
        form: ``png`` or ``svg``.
        transparent: Leave the ground out.
        dpi: Dots to the inch.
    """
    buffer = io.BytesIO()
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with house_style(), warnings.catch_warnings():
        # Names in other scripts: an SVG keeps them as text, which the reader's fonts draw.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format=form, dpi=dpi, transparent=transparent, metadata=metadata)
    return buffer.getvalue()


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure whole; the format follows from the name.

    Raises:
        UsageError: The name ends in neither ``.png`` nor ``.svg``.
    """
    form = path.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise UsageError(f"{path}: figures are written as .png or .svg")
    with replace_file(path) as temporary:
        temporary.write_bytes(figure_bytes(figure, form))


def svg_for_page(figure: "Figure", title: str, *, cells_per_inch: int | None = None) -> str:
    """The figure as the file of a picture for a page in light or dark: its colours follow the reader's.

    Args:
        figure: The figure.
        title: What it shows.
        cells_per_inch: Of a picture in it that is made of squares, how many stand in an inch: each has one dot, and is
            shown as a square however large.
    """
    from html import escape

    text = _scalable(figure, 'role="img"', dpi=cells_per_inch or _DPI)
    rules = f"{dark_rules()}image{{image-rendering:pixelated}}" if cells_per_inch else dark_rules()
    inner = text.index(">", text.index("<svg")) + 1
    return f"{text[:inner]}<title>{escape(title)}</title><style>{rules}</style>{text[inner:]}"


def inline_svg(figure: "Figure", title: str) -> str:
    """The figure as SVG that stands in a page of HTML, whose style sheet has :func:`dark_rules`."""
    from html import escape

    text = _scalable(figure, f'role="img" aria-label="{escape(title)}"')
    text = text[text.index("<svg") :].replace("xlink:href", "href")
    text = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", text, count=2)  # HTML knows what an svg is
    return re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", text, flags=re.DOTALL)


def dark_rules() -> str:
    """Rules of a style sheet that give figures the colours of dark where the reader prefers it."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark} !important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def _scalable(figure: "Figure", attributes: str, dpi: int = _DPI) -> str:
    """A transparent SVG whose size is the page's: in points it would be fixed, the view box alone lets it fit."""
    text = figure_bytes(figure, "svg", transparent=True, dpi=dpi).decode()
    start = text.index("<svg")
    end = text.index(">", start)
    opening = re.sub(r' (?:width|height)="[^"]*"', "", text[start:end])
    return f"{text[:start]}{opening} {attributes}{text[end:]}"
