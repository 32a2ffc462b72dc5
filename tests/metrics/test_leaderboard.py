"""The leaderboard: averages as published, seeds, hard labels, tampered runs, and the page in a real browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forgery import forge_record

from llm4mat_bench import get_task
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.files import file_sha256
from llm4mat_bench.metrics.leaderboard import write_leaderboard
from llm4mat_bench.metrics.leaderboard.entries import entries_of, sound_runs, weighted_mean
from llm4mat_bench.metrics.leaderboard.plots import forest_plot, parity_plot, roc_plot
from llm4mat_bench.metrics.results.verify import verify_results

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "published_results.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def board(trained: Path, tmp_path: Path) -> Path:
    return write_leaderboard(trained, tmp_path / "board").page.parent


def test_the_page_shows_the_recomputed_scores(board: Path, trained: Path) -> None:
    page = (board / "index.html").read_text()
    for one in verify_results(trained):
        assert one.record is not None
        whole = one.record.metrics.whole
        score = whole.mad_mae if one.record.metrics.kind == "regression" else whole.roc_auc
        assert f"{score.value:.3f}" in page
        assert one.record.run_id in page
        assert one.record.predictions.sha256[:16] in page


def test_the_page_needs_nothing_from_elsewhere(board: Path) -> None:
    found: list[str] = []

    class Loaded(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag in ("img", "script", "link", "iframe"):
                found.extend(str(values[name]) for name in ("src", "href") if name in values)

    Loaded().feed((board / "index.html").read_text())
    assert len(found) == 4
    assert all((board / name).is_file() for name in found)


def test_the_same_results_give_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_leaderboard(trained, tmp_path / name)
    hashes = [
        {
            path.relative_to(tmp_path / name): file_sha256(path)
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 6


def test_a_tampered_run_is_named_and_left_out(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    results = Path(shutil.copytree(trained, tmp_path / "results"))
    record = next(results.glob("sample/band_gap/*/composition_gbm-*")) / "result.json"
    stated = json.loads(record.read_text())
    stated["metrics"]["whole"]["mad_mae"]["value"] = 1234.5
    record.write_text(json.dumps(stated))
    called = call("leaderboard", results, "--out", tmp_path / "board")
    assert called.status == 1
    assert "left out" in called.err
    page = (tmp_path / "board" / "index.html").read_text()
    assert "1 run left out" in page
    assert "1234" not in re.sub(r"the record says [\d.]+", "", page)


def test_foreign_text_is_escaped(trained: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(trained, tmp_path / "results"))
    folder = next(results.glob("sample/band_gap/*/dummy-*"))
    forge_record(folder, lambda record: record["model"].update(id="<script>alert(1)</script>"))
    page = write_leaderboard(results, tmp_path / "board").page.read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def seeds(tmp_path: Path, model: str) -> Path:
    baseline = get_baseline(model)
    settings = read_settings(baseline, {"n_estimators": "20"} if model == "composition_gbm" else {})
    for seed in (0, 1, 2):
        train_baseline(baseline, get_task("sample/band_gap"), "composition", tmp_path, settings=settings, seed=seed)
    return tmp_path


def test_seeds_become_a_mean_and_a_deviation(tmp_path: Path) -> None:
    found = verify_results(seeds(tmp_path, "composition_gbm"))
    values = [one.record.metrics.whole.mad_mae.value for one in found if one.record]
    (entry,) = entries_of(get_source("sample"), sound_runs(found, get_source("sample")))
    cell = entry.cells["sample/band_gap"]
    assert cell.value == pytest.approx(np.mean(values))
    assert cell.interval == f"± {np.std(values, ddof=1):.3f} over 3 seeds"
    assert len(cell.runs) == 3


def test_no_mean_over_seeds_with_identical_predictions(tmp_path: Path) -> None:
    found = verify_results(seeds(tmp_path, "dummy"))
    (entry,) = entries_of(get_source("sample"), sound_runs(found, get_source("sample")))
    cell = entry.cells["sample/band_gap"]
    assert "identical predictions" in (cell.note or "")
    assert "±" not in cell.interval


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published tables are not beside the repository")
def test_the_weighted_mean_reproduces_the_published_averages() -> None:
    """All but two of the published averages follow from the published tables by our weighting."""
    published = json.loads(PUBLISHED.read_text())
    checked, off = 0, 0
    for position, column in enumerate(published["aggregate"]["columns"]):
        name, kind = column.split("/")
        table = published["per_task"][name]
        of_kind = [prop.kind == kind for prop in get_source(name).properties]
        kinds = {prop.published_label: prop.kind for prop in get_source(name).properties}
        samples = {prop.published_label: prop.samples for prop in get_source(name).properties}
        assert len(of_kind) == len(table["tasks"])
        for row in published["aggregate"]["rows"]:
            mate = next(r for r in table["rows"] if (r["input"], r["model"]) == (row["input"], row["model"]))
            pairs = [(v, samples[t]) for v, t in zip(mate["values"], table["tasks"], strict=True) if kinds[t] == kind]
            stated = row["values"][position]
            if stated is None or any(value is None for value, _ in pairs):
                continue
            checked += 1
            off += abs(weighted_mean(*zip(*pairs, strict=True)) - stated) > 0.0101
    assert checked > 100
    assert off <= 2


def test_plots_are_well_formed_and_complete() -> None:
    from xml.etree import ElementTree

    random = np.random.default_rng(0)
    true = random.normal(size=300)
    answers = true + random.normal(size=300)
    answers[:7] = np.nan
    few = ElementTree.fromstring(parity_plot(true, answers, "eV", "a < b"))
    assert sum(part.tag.endswith("circle") for part in few.iter()) == 293
    assert any("7 without an answer" in (part.text or "") for part in few.iter())
    many = parity_plot(np.repeat(true, 100), np.repeat(true, 100), None, "many")
    assert len(many) < 100_000
    ElementTree.fromstring(many)
    ElementTree.fromstring(parity_plot(np.ones(5), np.ones(5), "eV", "constant"))
    ElementTree.fromstring(roc_plot((true > 0).astype(float), answers, "roc"))
    ElementTree.fromstring(forest_plot([("a & b", 2.0, 1.5, 2.5), ("c", 1.0, None, None)], 1.0, "MAD:MAE", "forest"))


@pytest.mark.filterwarnings("error")
def test_values_at_the_ends_of_the_range_stop_no_plot() -> None:
    from xml.etree import ElementTree

    targets = np.linspace(0, 1, 20)
    absurd = [np.full(20, 1e308), np.where(targets > 0.5, 1e308, -1e308), np.full(20, np.nan), np.full(20, 5e-324)]
    for answers in absurd:
        for drawing in (parity_plot(targets, answers, "eV", "x"), roc_plot((targets > 0.5) * 1.0, answers, "x")):
            ElementTree.fromstring(drawing)
            assert "nan" not in drawing and "inf" not in drawing.replace("infinite", "")
    ElementTree.fromstring(forest_plot([("a", 1e308, -1e308, None), ("b", 1.0, 0.5, 1e308)], 1.0, "MAD:MAE", "x"))


def test_the_roc_curve_encloses_the_auc() -> None:
    import sklearn.metrics

    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 400).astype(float)
    scores = np.round(labels + random.normal(size=400), 1)
    points = re.search(r'points="([^"]+)"', roc_plot(labels, scores, "roc"))
    assert points is not None
    x, y = np.array([point.split(",") for point in points[1].split()], dtype=float).T
    area = np.trapezoid((y[0] - y) / (y[0] - y[-1]), (x - x[0]) / (x[-1] - x[0]))
    assert area == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=2e-3)


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_sorts_and_filters_in_a_browser(board: Path, tmp_path: Path) -> None:
    """Click a heading and a filter in headless Chromium and read the page back."""
    page = board / "index.html"
    probe = (
        "<script>window.addEventListener('load', () => {"
        "const name = () => document.querySelector('tbody tr th').dataset.sort;"
        "const heads = [...document.querySelectorAll('thead th')];"
        "const head = heads.find(h => h.textContent.includes('gap'));"
        "const before = name(); head.querySelector('button').click(); const down = name();"
        "head.querySelector('button').click(); const up = name(); const order = head.ariaSort;"
        "document.querySelector('.filters button[data-modality=cif]').click();"
        "const hidden = [...document.querySelectorAll('tbody tr')].every(r => r.hidden);"
        "const wide = document.documentElement.scrollWidth <= window.innerWidth;"
        "const images = [...document.querySelectorAll('details[open] img')].every(i => i.complete && i.naturalWidth);"
        "document.title = JSON.stringify({before, down, up, order, hidden, wide, images});});</script></body>"
    )
    copy = page.with_name("probe.html")
    copy.write_text(page.read_text().replace("</body>", probe))
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,844", "--dump-dom", copy.as_uri()),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    title = re.search(r"<title>(\{.*?\})</title>", dom)
    assert title is not None
    seen = json.loads(title[1].replace("&quot;", '"'))
    assert seen["down"].startswith("composition_gbm")
    assert seen["up"].startswith("dummy")
    assert seen["order"] == "ascending"
    assert seen["hidden"]
    assert seen["images"]
    assert seen["wide"], "the page is wider than a phone"
