"""Texts in figures: whatever people call their models, no text leaves its figure or lies on the data."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from llm4mat_bench.drawing.fitting import fitted, shortened, squeezed
from llm4mat_bench.drawing.lettering import Lettering
from llm4mat_bench.metrics.figures.answers import Answers, parity, residuals
from llm4mat_bench.metrics.figures.calibration import mean_calibration, reliability, spread_calibration
from llm4mat_bench.metrics.figures.classes import class_scores, roc
from llm4mat_bench.metrics.figures.elements import SYMBOLS, periodic_table
from llm4mat_bench.metrics.figures.runs import Share, Size, coverage, learning
from llm4mat_bench.metrics.figures.sheets import Panel, sheet, sketch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 144
RANDOM = np.random.default_rng(0)
TRUE = RANDOM.normal(2, 1, 60)
LABELS = (TRUE > 2) * 1.0
SAID = np.clip(RANDOM.uniform(size=60), 0.01, 0.99)
ABSURD = np.where(np.arange(60) == 7, 5e5, np.where(np.arange(60) == 8, np.nan, TRUE + 0.1))
NAMES = {
    "wide": "W" * 100,
    "words": "an-organisation/a model with a name of many words " * 3 + "· description\nsample/band_gap · seed 0",
    "parts": " · ".join(["learning_rate 0.001"] * 12),
    "script": "晶体模型" * 25,
    "signs": "_$a_b$ \\frac{x} $" * 6,
}
FIGURES: dict[str, Callable[[str], "Figure"]] = {
    "parity": lambda name: parity([Answers(name, TRUE, ABSURD)] * 3, name),
    "residuals": lambda name: residuals(Answers(name, TRUE, ABSURD), name),
    "roc": lambda name: roc([Answers(name, LABELS, ABSURD)] * 2),
    "class_scores": lambda name: class_scores(Answers(name, LABELS, ABSURD), (name, name)),
    "reliability": lambda name: reliability(Answers(name, LABELS, SAID)),
    "mean_calibration": lambda name: mean_calibration(Answers(name, TRUE, ABSURD), name),
    "spread_calibration": lambda name: spread_calibration(Answers(name, TRUE, ABSURD), SAID, name),
    "elements": lambda name: periodic_table(np.arange(118), np.linspace(0, 1, 118), "mean absolute error", name, name),
    "coverage": lambda name: coverage([Share(f"{name} {n}", 60 - n, n, 0) for n in range(6)], name),
    "learning": lambda name: learning(
        {f"{name} {n}": [Size(10, 1.0, None, None), Size(99, 2.0, 1.5, 9.0)] for n in range(9)}, "MAD:MAE", 1.0, name
    ),
    "sheet": lambda name: sheet([Panel(f"{name}\ncif", sketch("regression", TRUE, ABSURD))] * 9, "regression"),
}


def boxes(figure: "Figure") -> Iterator[tuple[str, float, float, float, float]]:
    """Texts and where they stand, in inches from the lower left, by matplotlib's own measure."""
    figure.set_dpi(DPI)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    undrawn = {
        tick.label1
        for axes in figure.axes
        for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim())))
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
    }
    for text in figure.findobj(Text):
        if text not in undrawn and text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            yield text.get_text(), *(side / DPI for side in box.extents)
    for its in figure.findobj(Lettering):
        for letters in its.letters:
            probe = figure.text(0, 0, letters.text, fontsize=its.size, parse_math=False)
            width = probe.get_window_extent(renderer).width / DPI
            probe.remove()
            left = letters.x - width * {"left": 0, "center": 0.5, "right": 1}[letters.across]
            yield letters.text, left, letters.y, left + width, letters.y


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("kind", FIGURES)
def test_no_text_leaves_its_figure(kind: str) -> None:
    for name in NAMES.values():
        figure = FIGURES[kind](name)
        width, height = figure.get_size_inches()
        found = list(boxes(figure))
        assert len(found) > 3
        for text, left, bottom, right, top in found:
            assert left > -0.02 and bottom > -0.02 and right < width + 0.02 and top < height + 0.02, (kind, text)


@pytest.mark.parametrize(
    "kind", ["parity", "residuals", "roc", "reliability", "mean_calibration", "spread_calibration"]
)
def test_no_note_lies_on_the_data(kind: str) -> None:
    """All that is said stands above the axes, whose upper end is 0.55 + 3.15 inches high on paper."""
    figure = FIGURES[kind]("a model")
    notes = [one for one in boxes(figure) if any(word in one[0] for word in ("bars", "answer", "beyond", "error 0"))]
    ends = [axes.get_position().y1 * figure.get_size_inches()[1] for axes in figure.axes]
    assert notes
    assert all(bottom >= max(ends, default=3.7) for _, _, bottom, _, _ in notes)


def test_texts_break_at_dots_then_at_words_then_anywhere_and_nothing_is_lost() -> None:
    assert fitted("model · cif · seed 0", 10, 10) == ["model · cif · seed 0"]
    assert fitted("a-long-model-id · description · seed 0", 2.2, 10) == ["a-long-model-id · description", "seed 0"]
    assert fitted("some words that do not fit", 0.9, 10)[0] == "some words"
    pieces = fitted("x" * 200, 1, 10)
    assert "".join(pieces) == "x" * 200 and len(pieces) > 5
    assert fitted("an-encoder-fine-tuned", 0.9, 10) == ["an-encoder-", "fine-tuned"]
    assert fitted("", 1, 10) == [""]
    assert shortened("beginning-middle-end", 12) == "begin…le-end"
    assert squeezed("short", 1, 10) == "short"
    assert squeezed("m" * 50 + "end", 1, 10).endswith("end") and "…" in squeezed("m" * 50 + "end", 1, 10)


def test_the_same_elements_are_named_whatever_the_title() -> None:
    shown = [text for text, *_ in boxes(FIGURES["elements"](NAMES["wide"]))]
    assert set(SYMBOLS) <= set(shown)
