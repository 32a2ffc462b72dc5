"""Figures: what they show is what is in the data, whatever the data is; the same bytes each time; the command."""

import base64
import io
import json
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from toy_runs import toy_run

pytest.importorskip("matplotlib")

from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from llm4mat_bench import get_task
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.drawing.paper import ticks
from llm4mat_bench.drawing.style import figure_bytes, svg_for_page
from llm4mat_bench.metrics.figures.answers import Answers, parity, residuals
from llm4mat_bench.metrics.figures.calibration import mean_calibration, reliability, spread_calibration
from llm4mat_bench.metrics.figures.classes import class_scores, roc, roc_points
from llm4mat_bench.metrics.figures.curves import learning_curves
from llm4mat_bench.metrics.figures.elements import PLACES, SYMBOLS, element_means, periodic_table
from llm4mat_bench.metrics.figures.names import run_name
from llm4mat_bench.metrics.figures.runs import Share, Size, coverage, learning
from llm4mat_bench.metrics.figures.sheets import BINS_PER_INCH, SIDE, Panel, limits, sheet, sketch
from llm4mat_bench.metrics.results.record import read_record
from llm4mat_bench.metrics.results.verify import verify_results

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.normal(2, 1, 300)
ANSWERS = TRUE + RANDOM.normal(0, 0.3, 300)


def texts(svg: bytes) -> str:
    return " ".join(part.text or "" for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("text"))


def test_points_of_parity_are_the_answers_and_axes_have_units() -> None:
    answers = ANSWERS.copy()
    answers[:7] = np.nan
    answers[7] = 1e12
    figure = parity([Answers("a $x$ < b", TRUE, answers)], "eV")
    diagonal, points = (np.asarray(line.get_xydata()) for line in figure.findobj(Line2D))
    assert len(points) == 293
    np.testing.assert_allclose(points[1:], np.stack([TRUE, answers], axis=1)[8:])
    assert points[0, 1] == diagonal[1, 1] < 10, "one absurd answer presses the others flat"
    shown = texts(figure_bytes(figure, "svg"))
    for text in ("true value (eV)", "predicted (eV)", "7 without an answer", "1 beyond the axis", "a $x$ < b"):
        assert text in shown


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (-0.4, 4.2, ["0", "1", "2", "3", "4"]),
        (-0.02, 1.02, ["0.0", "0.5", "1.0"]),
        (-3.1, -1.2, ["−3.0", "−2.5", "−2.0", "−1.5"]),
        (0.0, 2.1e-5, ["0", "5e−06", "1.0e−05", "1.5e−05", "2.0e−05"]),
        (-1e30, 1e30, ["−1.0e+30", "−5e+29", "0", "5e+29", "1.0e+30"]),
    ],
)
def test_ticks_are_round_and_written_to_their_last_digit(low: float, high: float, written: list[str]) -> None:
    found = ticks(low, high)
    assert all(low <= value <= high for value, _ in found)
    assert [float(text.replace("−", "-")) for _, text in found] == pytest.approx([value for value, _ in found])
    assert [float(text.replace("−", "-")) for text in written] == [float(t.replace("−", "-")) for _, t in found]
    if "e" not in written[-1]:
        assert [text for _, text in found] == written


def test_many_points_become_a_map() -> None:
    many = np.repeat(TRUE, 100)
    svg = figure_bytes(parity([Answers("many", many, many)], None), "svg")
    assert len(svg) < 100_000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "answers",
    [
        np.full(20, 1e308),
        np.where(np.arange(20) > 9, 1e308, -1e308),
        np.full(20, np.nan),
        np.full(20, 5e-324),
        np.full(20, 0.5),
        np.where(np.arange(20) > 1, np.nan, 1.0),
    ],
)
def test_no_answers_stop_a_figure(answers: np.ndarray) -> None:
    targets = np.linspace(0, 1, 20)
    run, classes = Answers("x", targets, answers), Answers("x", (targets > 0.5) * 1.0, answers)
    figures = [parity([run], "eV"), residuals(run, "eV"), roc([classes]), class_scores(classes, ("no", "yes"))]
    if not np.isnan(answers).all():
        figures += [mean_calibration(run, "eV"), reliability(Answers("x", targets, np.clip(answers, 0, 1)))]
    for figure in figures:
        ElementTree.fromstring(figure_bytes(figure, "svg"))


def test_the_roc_curve_encloses_the_auc() -> None:
    import sklearn.metrics

    labels = RANDOM.integers(0, 2, 400).astype(float)
    scores = np.round(labels + RANDOM.normal(size=400), 1)
    false, true = roc_points(labels, scores)
    assert np.trapezoid(true, false) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-12)


def test_reliability_bins_hold_what_scikit_learn_says() -> None:
    from sklearn.calibration import calibration_curve

    said = RANDOM.uniform(size=1000)
    true = (RANDOM.uniform(size=1000) < said**2).astype(float)
    axes = reliability(Answers("x", true, said)).axes[0]
    x, y = (np.asarray(values, dtype=float) for values in axes.lines[1].get_data())
    share, mean = calibration_curve(true, said, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(x, mean, atol=2e-3)
    np.testing.assert_allclose(y, share, atol=2e-2)


def test_a_spread_that_is_the_error_lies_on_the_diagonal() -> None:
    spread = RANDOM.uniform(0.1, 1, 20_000)
    true = RANDOM.normal(size=20_000)
    axes = spread_calibration(Answers("x", true, true + spread * RANDOM.normal(size=20_000)), spread, "eV").axes[0]
    x, y = (np.asarray(values, dtype=float) for values in axes.lines[1].get_data())
    np.testing.assert_allclose(x, y, rtol=0.1)


def test_each_element_has_its_place_and_the_mean_of_its_materials() -> None:
    from pymatgen.core.periodic_table import Element

    assert len(SYMBOLS) == len(set(PLACES.values())) == 118
    for symbol, (row, column) in PLACES.items():
        element = Element(symbol)
        if element.is_lanthanoid or element.is_actinoid:
            assert row in (8, 9)
        else:
            assert (row + 1, column + 1) == (element.row, element.group)
    presence = RANDOM.uniform(size=(50, len(SYMBOLS))) < 0.2
    errors = RANDOM.uniform(size=50)
    errors[3] = np.nan
    counts, means = element_means(presence, errors)
    for index in range(0, len(SYMBOLS), 7):
        its = [e for e, held in zip(errors, presence[:, index], strict=True) if held and not np.isnan(e)]
        assert counts[index] == len(its)
        assert means[index] == pytest.approx(np.mean(its))
    svg = texts(figure_bytes(periodic_table(counts, means, "mean absolute error", "eV", "x"), "svg"))
    assert "mean absolute error (eV)" in svg and " Og " in f" {svg} "
    empty = periodic_table(np.zeros(118, np.int64), np.full(118, np.nan), "error", None, "none")
    ElementTree.fromstring(figure_bytes(empty, "svg"))


def test_a_sketch_holds_every_answer_where_it_lies() -> None:
    answers = ANSWERS.copy()
    answers[:7] = np.nan
    answers[7] = 1e12
    found = np.frombuffer(zlib.decompress(sketch("regression", TRUE, answers)), "<u2").reshape(SIDE, SIDE)
    assert found.sum() == 293
    low, high = limits(TRUE)
    edges = np.linspace(low, high, SIDE + 1)
    shown = np.clip(answers[7:], low, high)
    np.testing.assert_array_equal(found, np.histogram2d(shown, TRUE[7:], [edges, edges])[0])
    labels = (TRUE > 2).astype(float)
    import sklearn.metrics

    curve = np.frombuffer(sketch("classification", labels, ANSWERS), "<f4")
    expected = sklearn.metrics.roc_auc_score(labels, ANSWERS)
    assert np.trapezoid(curve, np.linspace(0, 1, SIDE)) == pytest.approx(expected, abs=0.03)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_a_sheet_names_all_its_panels(kind: Any) -> None:
    targets = TRUE if kind == "regression" else (TRUE > 2).astype(float)
    answers = [ANSWERS, np.full(300, np.nan), np.full(300, 1e308), *[ANSWERS] * 7]
    panels = [Panel(f"#{place} $m^\ncif", sketch(kind, targets, one)) for place, one in enumerate(answers)]
    figure = sheet(panels, kind)
    shown = texts(figure_bytes(figure, "svg"))
    assert all(f"#{place} $m^" in shown for place in range(10)) and shown.count("cif") == 10
    assert figure_bytes(figure, "png") == figure_bytes(sheet(panels, kind), "png")


def test_a_sheet_has_a_pixel_a_bin() -> None:
    from PIL import Image

    found = sketch("regression", TRUE, ANSWERS)
    text = svg_for_page(sheet([Panel("m", found)], "regression"), "t", cells_per_inch=BINS_PER_INCH)
    assert "image{image-rendering:pixelated}" in text
    image = Image.open(io.BytesIO(base64.b64decode(re.findall(r"base64,([^\"]+)", text)[0])))
    counts = np.frombuffer(zlib.decompress(found), "<u2").reshape(SIDE, SIDE)
    assert "scale(1 -1)" in text, "the picture is upside down, as matplotlib writes it"
    drawn = np.asarray(image.convert("RGBA"))[::-1][:SIDE, 4 : 4 + SIDE, 3] > 0
    np.testing.assert_array_equal(drawn, counts[::-1] > 0)


def test_coverage_and_learning_show_all_runs() -> None:
    bars = coverage([Share("a $b", 8, 1, 1), Share("c", 10, 0, 0)], "t").axes[0]
    assert [patch.get_width() for patch in bars.patches] == pytest.approx([80, 100, 10, 0, 10, 0])
    assert [label.get_text() for label in bars.get_yticklabels()] == ["a $b  80.0 %", "c  100.0 %"]
    lines = {f"m{i}": [Size(10, 1.0 + i, None, None), Size(100, 2.0 + i, 1.5, 9.0)] for i in range(12)}
    figure = learning(lines, "MAD:MAE", 1.0, "t")
    assert "4 more models, which reach no higher, are not drawn" in texts(figure_bytes(figure, "svg"))


def test_the_same_figure_has_the_same_bytes_whatever_the_users_settings() -> None:
    import matplotlib as mpl

    def draw() -> list[bytes]:
        figure = parity([Answers("x", TRUE, ANSWERS)], "eV")
        return [figure_bytes(figure, form) for form in ("png", "svg")]

    first = draw()
    with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 30, "svg.fonttype": "path"}):
        assert draw() == first
        assert mpl.rcParams["font.size"] == 30
    assert not re.search(rb"\d{4}-\d\d-\d\dT|matplotlib\.org", first[1])


def test_a_figure_for_the_page_follows_dark_and_light_and_escapes() -> None:
    svg = svg_for_page(parity([Answers("</svg><script>", TRUE, ANSWERS)], "eV"), "</title><script>alert(1)</script>")
    root = ElementTree.fromstring(svg)
    assert "width" not in root.attrib and "viewBox" in root.attrib
    assert "<script" not in svg
    assert "prefers-color-scheme:dark" in svg


@pytest.mark.parametrize("kind", ["parity", "residuals", "elements", "calibration", "coverage"])
def test_the_command_writes_png_and_svg(kind: str, trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    called = call("plot", kind, trained, "--out", tmp_path, "--json")
    assert called.status == 0, called.err
    told = json.loads(called.out)
    assert {Path(path).suffix for path in told["written"]} == {".png", ".svg"}
    assert len(told["written"]) == (4 if kind == "coverage" else 8)
    for path in map(Path, told["written"]):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") or ElementTree.fromstring(content).tag.endswith("svg")


def test_one_file_takes_one_figure(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    refused = call("plot", "parity", trained, "--out", tmp_path / "x.svg")
    assert refused.status == 2
    assert "these are 4 runs" in refused.err
    chosen = ("--task", "sample/band_gap", "--model", "composition_gbm", "-m", "composition")
    assert call("plot", "parity", trained, "--out", tmp_path / "x.svg", *chosen).status == 0
    assert "eV" in texts((tmp_path / "x.svg").read_bytes())
    assert "no run of this choice" in call("plot", "parity", trained, "--model", "nobody").err


def test_a_changed_run_is_not_drawn(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    results = Path(shutil.copytree(trained / "sample" / "band_gap", tmp_path / "results"))
    record = next(results.glob("*/dummy-*/result.json"))
    record.write_text(record.read_text().replace('"n_scored": ', '"n_scored": 1'))
    called = call("plot", "parity", results, "--out", tmp_path / "plots")
    assert called.status == 1
    assert "left out" in called.err
    assert not list((tmp_path / "plots").glob("*dummy*"))


def test_a_record_that_cannot_be_read_is_told(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    results = tmp_path / "results"
    shutil.copytree(trained, results)
    broken = next(results.rglob("result.json"))
    broken.write_bytes(b'{"\xfc": 1}')
    called = call("plot", "coverage", results, "--out", tmp_path / "plots")
    assert called.status == 1
    assert f"left out: {broken.parent}: " in called.err


def test_figures_say_which_run_they_show(tmp_path: Path) -> None:
    own, other, few = (
        read_record(toy_run(tmp_path, **protocol) / "result.json")  # type: ignore[arg-type]
        for protocol in ({}, {"control": "shuffled", "seed": 3}, {"train_rows": 100})
    )
    names = [run_name(record) for record in (own, other, few)]
    assert names[0].endswith("sample/band_gap · seed 0")
    assert names[1].endswith("seed 3 · control: shuffled")
    assert names[2].endswith("seed 0 · 100 training rows")


def test_learning_curves_join_numbers_of_rows(tmp_path: Path, call: Callable[..., Any]) -> None:
    baseline = get_baseline("composition_gbm")
    settings = read_settings(baseline, {"n_estimators": "20"})
    task = get_task("sample/band_gap")
    for rows, seed in ((100, 0), (200, 0), (200, 1), (None, 0)):
        train_baseline(baseline, task, "composition", tmp_path / "r", settings=settings, seed=seed, train_rows=rows)
    ((record, points),) = learning_curves(verify_results(tmp_path / "r"))
    assert [one.rows for one in points] == [100, 200, record.data.n_train]
    assert points[0].low is not None and points[1].low is None, "seeds have no 95 % interval"
    assert call("plot", "learning", tmp_path / "r", "--out", tmp_path / "l.png").status == 0
    one_size = call("plot", "learning", tmp_path / "r" / record.task / "composition" / record.run_id)
    assert one_size.status == 1
    assert "--train-rows" in one_size.err


def squares(figure: Any) -> list[tuple[tuple[float, ...], np.ndarray]]:
    """Of each shade in a figure its colour, and the middles of its squares."""
    return [
        (tuple(colour), path.vertices.reshape(-1, 5, 2)[:, :4].mean(axis=1))
        for drawn in figure.findobj(PathCollection)
        for colour, path in zip(drawn.get_facecolors(), drawn.get_paths(), strict=True)
    ]


def test_a_map_has_a_square_for_every_place_and_the_fullest_is_the_darkest() -> None:
    many = np.concatenate([np.repeat(1.0, 3000), np.repeat(2.0, 60), np.linspace(0, 3, 40)])
    found = squares(parity([Answers("many", many, many)], None))
    assert sum(len(middles) for _, middles in found) == len(
        np.unique(np.histogram(many, 64, (-0.12, 3.12))[0].nonzero())
    )
    darkest, middles = min(found, key=lambda one: sum(one[0][:3]))
    assert darkest[:3] == pytest.approx((0.267, 0.005, 0.329), abs=0.01), "the end of viridis"
    assert middles == pytest.approx(np.array([[1.0, 1.0]]), abs=0.06)
    assert len(found) == 3


def test_an_element_has_the_colour_of_its_mean() -> None:
    means = np.full(118, np.nan)
    counts = np.zeros(118, np.int64)
    for place, symbol in enumerate(("Li", "Fe", "O")):
        means[SYMBOLS.index(symbol)], counts[SYMBOLS.index(symbol)] = place, 9
    found = squares(periodic_table(counts, means, "error", "eV", "x"))
    assert len(found) == 32, "those of the bar"
    table = {
        tuple(np.round((middle - (0.12, 4.03)) / (0.397, -0.397) - 0.47).astype(int)): colour
        for colour, middles in found
        for middle in middles
        if middle[0] < 7.3
    }
    assert {symbol: table[column, row] for symbol, (row, column) in PLACES.items() if (column, row) in table} == {
        "Li": found[0][0],
        "Fe": found[16][0],
        "O": found[-1][0],
    }
