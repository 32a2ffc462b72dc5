"""The leaderboard: averages as published, seeds, hard labels, tampered runs, and what stands in its pages."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from boards import board as board_without_runs
from forgery import forge_record
from toy_runs import toy_answers, toy_run

from llm4mat_bench import get_task
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.dataset_builder.catalogue import get_benchmark, get_source
from llm4mat_bench.files import file_sha256
from llm4mat_bench.metrics.figures.sheets import PER_SHEET, Panel
from llm4mat_bench.metrics.leaderboard import write_leaderboard
from llm4mat_bench.metrics.leaderboard.boards import in_lines
from llm4mat_bench.metrics.leaderboard.drawings import TaskDrawing, plan
from llm4mat_bench.metrics.leaderboard.entries import entries_of, sound_runs
from llm4mat_bench.metrics.leaderboard.page import Facts, Pages
from llm4mat_bench.metrics.leaderboard.published import published_entries
from llm4mat_bench.metrics.leaderboard.ranking import compare
from llm4mat_bench.metrics.leaderboard.resampling import (
    N_RESAMPLES,
    packed,
    resampled_auc,
    resampled_mad_mae,
    unpacked,
    weights_of,
)
from llm4mat_bench.metrics.leaderboard.seen import seen_in_training
from llm4mat_bench.metrics.results.record import record_sha256
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import verify_results


@pytest.fixture(scope="module")
def board(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_leaderboard(trained, tmp_path_factory.mktemp("page") / "board").page.parent


def test_the_better_view_is_named_on_the_tasks_that_both_have(tmp_path: Path) -> None:
    """Over its own tasks description is ahead; on the one that CIF has, too, it is behind."""
    true = {task: read_truth(get_task(task)).test_targets for task in ("sample/band_gap", "sample/bulk_modulus")}
    noise = {task: np.random.default_rng(1).normal(size=len(values)) for task, values in true.items()}
    for task, modality, size in (
        ("sample/band_gap", "description", 0.01),
        ("sample/bulk_modulus", "description", 40.0),
        ("sample/bulk_modulus", "cif", 8.0),
    ):
        toy_run(tmp_path / "results", task, modality=modality, answers=true[task] + size * noise[task])
    write_leaderboard(tmp_path / "results", tmp_path / "page", plots=False)
    text = Page(next((tmp_path / "page" / "models").glob("*.html"))).text
    assert "On sample/bulk_modulus, cif is better than description: MAD:MAE differs by" in text
    low, high = map(float, re.findall(r"95 % interval ([0-9.]+) to ([0-9.]+)", text)[0])
    assert 0 < low < high


def test_hard_labels_are_not_compared_with_probabilities(tmp_path: Path) -> None:
    scores = toy_answers("sample/is_stable")
    toy_run(tmp_path / "r", "sample/is_stable", modality="cif", answers=scores)
    toy_run(tmp_path / "r", "sample/is_stable", modality="composition", answers=np.round(scores))
    write_leaderboard(tmp_path / "r", tmp_path / "page", plots=False)
    text = Page(next((tmp_path / "page" / "models").glob("*.html"))).text
    assert "On sample/is_stable, cif and composition are not compared: an AUC of hard labels is a balanced" in text
    assert "better than" not in text and "told from" not in text
    # A row with probabilities stands for a view, though one of hard labels has the higher score.
    worse = 0.4 + 0.1 * scores + 0.2 * np.random.default_rng(6).random(len(scores))
    toy_run(tmp_path / "r", "sample/is_stable", answers=worse, settings={"depth": 4})
    write_leaderboard(tmp_path / "r", tmp_path / "page", plots=False)
    text = Page(next((tmp_path / "page" / "models").glob("*.html"))).text
    assert "not compared" not in text and "ROC AUC differs by" in text


def test_why_a_row_is_not_ranked_is_said_for_all_its_tasks(tmp_path: Path) -> None:
    for task, missing in (("sample/band_gap", -20), ("sample/is_stable", -30)):
        answers = toy_answers(task)
        answers[:missing] = np.nan
        toy_run(tmp_path / "r", task, answers=answers)
    found = verify_results(tmp_path / "r")
    (entry,) = entries_of(get_source("sample"), sound_runs(found, get_source("sample")))
    assert len(entry.apart) == len(entry.cells) == 2


@pytest.mark.parametrize(("few", "many"), [(3, 40), (3, 60), (2, 48), (0, 49), (0, 0)])
def test_a_sheet_is_of_one_modality(few: int, many: int) -> None:
    """So that the page's filter can hide those of the others."""
    panels = tuple(
        Panel(f"{modality} {n}", b"x", modality)
        for modality, count in (("composition", few), ("cif", many))
        for n in range(count)
    )
    planned = plan(TaskDrawing("sample/band_gap", (), (), None, panels))
    assert [n for one in planned for n in range(one.first, one.end)] == list(range(few + many))
    for one in planned:
        assert {panel.modality for panel in panels[one.first : one.end]} == {one.modality}
        assert one.end - one.first <= PER_SHEET
    whole = [f"composition: all {few}"] if few else []
    parts = [f"cif: runs 1 to 48 of {many}", f"cif: runs 49 to {many} of {many}"]
    assert [one.title for one in planned] == whole + (parts if many > 48 else [f"cif: all {many}"] if many else [])


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("a/b", "#3 a/b"),
        ("organisation/model-of-mine", "#3 organisation/\nmodel-of-mine"),
        ("x" * 40, "#3 " + "x" * 20 + "…"),
        (f"{'o' * 40}/{'m' * 40}", "#3 " + "o" * 19 + "…/\n" + "m" * 23 + "…"),
    ],
)
def test_a_model_under_a_panel_is_told_by_its_own_name(model: str, label: str) -> None:
    assert in_lines("#3 ", model) == label


def test_a_model_page_of_several_sources_says_which_row_is_of_which() -> None:
    sources = [board_without_runs("omdb", {"m": (2.0, None)}), board_without_runs("cantor_hea", {"m": (3.0, None)})]
    entries = [(one, entry) for one in sources for entry in one.ranked]
    assert len({entry.id for _, entry in entries}) == 1, "a row is named by model, settings and place of its data"
    (text,) = Pages(get_benchmark(), sources, {}, Facts("", 2, 0, 0)).model("m", entries).values()
    ids = re.findall(r'<section id="([^"]*)"', text)
    assert len(set(ids)) == len(ids) == 2
    assert re.findall(r'href="#(?!main)([^"]*)"', text) == ids
    for one, id_ in zip(sources, ids, strict=True):
        section = text[text.index(f'<section id="{id_}"') :].partition("</section>")[0]
        assert one.source.title in section.partition("</h3>")[0]
        assert f">{one.source.title}</a>, a column a row" in text


def test_huge_errors_are_written_short(tmp_path: Path) -> None:
    answers = toy_answers()
    answers[0] = 1e300
    toy_run(tmp_path / "results", answers=answers)
    write_leaderboard(tmp_path / "results", tmp_path / "page", plots=False)
    for file in (*(tmp_path / "page").rglob("*.html"), tmp_path / "page" / "leaderboard.csv"):
        assert not re.search("[0-9]{40}", Page(file).text), file


class Page(HTMLParser):
    """What a page loads and leads to, what it would run, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.inline_scripts = 0
        self.handlers: list[str] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in values if name.startswith("on")]
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif tag in ("img", "script", "iframe", "link"):
            self.loaded += [values[name] for name in ("src", "href") if name in values]
            self.inline_scripts += tag == "script" and "src" not in values

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(board: Path) -> list[Path]:
    return sorted(board.rglob("*.html"))


def test_the_pages_show_the_recomputed_scores_and_lead_to_their_records(board: Path, trained: Path) -> None:
    first = (board / "index.html").read_text()
    for one in verify_results(trained):
        assert one.record is not None
        whole = one.record.metrics.whole
        score = whole.mad_mae if one.record.metrics.kind == "regression" else whole.roc_auc
        page = Page(board / "tasks" / f"{one.record.task}.html")
        assert f"{score.value:.3f}" in first and f"{score.value:.3f}" in page.text
        assert score.interval is not None
        assert f"[{score.interval.low:.3f}, {score.interval.high:.3f}]" in page.text
        assert one.record.predictions.sha256[:12] in page.text
        (record,) = {link for link in page.links if one.record.record_sha256[:32] in link}
        shown = json.loads((board / "tasks" / "sample" / record).read_text())
        assert shown["run_id"] == one.record.run_id
        assert record_sha256(shown) == shown["record_sha256"] == one.record.record_sha256


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(board: Path) -> None:
    found = pages(board)
    assert {path.parent.name for path in found} == {"board", "sources", "sample", "models"}
    for path in found:
        page = Page(path)
        assert not page.inline_scripts and not page.handlers
        for name in page.loaded:
            assert name == "data:," or (path.parent / name).is_file(), (path, name)
        for link in page.links:
            assert link, path
            if not link.startswith("https://doi.org/"):
                file, _, anchor = link.partition("#")
                target = (path.parent / file) if file else path
                assert target.resolve().is_file(), (path, link)
                assert target.resolve().is_relative_to(board.resolve())
                if anchor and "=" not in anchor and anchor != "main":
                    assert f'id="{anchor}"' in target.read_text()


def test_the_same_results_give_the_same_bytes_and_old_files_go(trained: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(trained, tmp_path / "results"))

    def write(name: str) -> dict[Path, str]:
        board = write_leaderboard(results, tmp_path / name).page.parent
        return {path.relative_to(board): file_sha256(path) for path in board.rglob("*") if path.is_file()}

    first = write("one")
    assert first == write("two")
    (tmp_path / "one" / "mine.txt").write_text("left alone")
    (tmp_path / "one" / "README.md").write_text("mine too")
    shutil.rmtree(results / "sample" / "is_stable")
    less = write("one")
    assert Path("tasks/sample/is_stable.html") in first and Path("tasks/sample/is_stable.html") not in less
    assert len([path for path in less if path.parts[0] == "records"]) == 2
    assert (tmp_path / "one" / "mine.txt").exists()
    assert (tmp_path / "one" / "README.md").read_text() == "mine too"


def test_every_ranked_run_has_a_panel_and_only_what_is_new_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    from llm4mat_bench.metrics.leaderboard import drawings

    asked: list[list[str]] = []
    draw = drawings.draw_task

    def counted(task: Any, planned: Any, truths: Any) -> Any:
        asked.append([one.what for one in planned])
        return draw(task, planned, truths)

    monkeypatch.setattr(drawings, "draw_task", counted)
    monkeypatch.setattr(drawings, "PER_SHEET", 2)
    for number in range(3):
        toy_run(tmp_path / "r", model=f"m{number}", answers=toy_answers(noise=number))
    toy_run(tmp_path / "r", model="m0", modality="cif", answers=toy_answers(noise=7) - 5)

    def write() -> dict[str, bytes]:
        board = write_leaderboard(tmp_path / "r", tmp_path / "board").page.parent
        return {path.name: path.read_bytes() for path in (board / "plots").iterdir()}

    first = write()
    assert asked == [["best", "best", "elements", "sheet", "sheet"]] and len(first) == 5
    page = Page(tmp_path / "board/tasks/sample/band_gap.html")
    plots = [link for link in page.links if link.startswith(("#sheet", "#best"))]
    assert plots == ["#sheet-composition-0", "#sheet-composition-0", "#sheet-composition-2", "#best-cif-1"]
    assert all(f'id="{link[1:]}"' in (tmp_path / "board/tasks/sample/band_gap.html").read_text() for link in plots)
    assert {f"../../plots/{name}" for name in first} <= set(page.loaded)
    assert write() == first and len(asked) == 1, "nothing is drawn twice"
    toy_run(tmp_path / "r", model="worst", answers=toy_answers() + 9)
    second = write()
    assert asked[1:] == [["sheet"]], "only the last sheet has a panel more"
    assert len(second) == 5 and len(first.keys() & second.keys()) == 4
    monkeypatch.setattr(drawings, "_drawn_by", lambda: "other code")
    assert not write().keys() & second.keys()


def test_a_tampered_run_is_named_and_left_out(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    results = Path(shutil.copytree(trained, tmp_path / "results"))
    record = next(results.glob("sample/band_gap/*/composition_gbm-*")) / "result.json"
    stated = json.loads(record.read_text())
    stated["metrics"]["whole"]["mad_mae"]["value"] = 1234.5
    record.write_text(json.dumps(stated))
    called = call("leaderboard", results, "--out", tmp_path / "board")
    assert called.status == 1
    assert "left out" in called.err
    for path in pages(tmp_path / "board"):
        page = Page(path).text
        assert "1234" not in re.sub(r"the record says [\d.]+", "", page)
        assert str(tmp_path) not in path.read_text(), "the builder's folders are nobody's business"
    assert "1 run left out" in (tmp_path / "board" / "index.html").read_text()


def test_foreign_text_is_escaped_in_every_file(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    for seed in (0, 1):
        toy_run(tmp_path / "r", model=evil, seed=seed, settings={evil: f"=cmd|{evil}", "rate": seed})
    refused = toy_run(tmp_path / "r", model="refused")  # named on the page with what it says
    forge_record(refused, lambda record: record["provenance"].update(started_at=evil))
    board = write_leaderboard(tmp_path / "r", tmp_path / "board").page.parent
    for path in board.rglob("*"):
        if path.suffix in (".html", ".svg", ".js"):
            assert "<script>alert" not in path.read_text(), path
    assert all(not Page(path).inline_scripts for path in pages(board))
    (row, *_) = list(csv.DictReader((board / "leaderboard.csv").open()))
    assert row["model"] == evil
    assert not any(cell.startswith(("=", "@", "+")) for cell in row.values())


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
    assert cell.spread == "seeds"
    errors = [one.record.metrics.whole.mae.value for one in found if one.record]
    assert cell.error == f"{np.mean(errors):.3f} eV" != f"{errors[0]:.3f} eV"
    assert len(cell.runs) == len(cell.proofs) == 3


def test_no_mean_over_seeds_with_identical_predictions(tmp_path: Path) -> None:
    found = verify_results(seeds(tmp_path, "dummy"))
    (entry,) = entries_of(get_source("sample"), sound_runs(found, get_source("sample")))
    cell = entry.cells["sample/band_gap"]
    assert cell.note == "seeds 1, 2 with the very answers of seed 0: counted once"
    assert "±" not in cell.interval


def cells(board: Path, task: str = "sample/band_gap") -> dict[str, dict[str, Any]]:
    (source,) = json.loads((board / "leaderboard.json").read_text())
    return {entry["model"]: entry["cells"][task] for entry in source["entries"]}


def test_places_best_and_ties(tmp_path: Path) -> None:
    """Perfect answers are first; what the test materials cannot tell from the best is marked, and nothing else."""
    true = read_truth(get_task("sample/band_gap")).test_targets
    noise = np.random.default_rng(0).normal(size=(3, len(true)))
    toy_run(tmp_path / "r", model="good", answers=true + 0.3 * noise[0])
    toy_run(tmp_path / "r", model="as good", answers=true + 0.302 * noise[1])
    toy_run(tmp_path / "r", model="poor", answers=true + 1.5 * noise[2])
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    found = cells(board)
    assert {found[name]["place"] for name in ("good", "as good")} == {1, 2}
    assert sum(cell["best"] for cell in found.values()) == 1
    assert [cell["tied"] for cell in found.values()].count(True) == 1
    assert found["poor"]["place"] == 3 and not found["poor"]["tied"]
    toy_run(tmp_path / "r", model="perfect", answers=true)
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    found = cells(board)
    assert (found["perfect"]["place"], found["perfect"]["best"], found["perfect"]["text"]) == (1, True, "∞")
    text = (board / "tasks/sample/band_gap.html").read_text()
    assert text.index(">perfect<") < text.index(">good<")
    assert "beyond the scale" in text


def test_two_settings_of_one_model_are_told_apart(tmp_path: Path) -> None:
    for depth in (3, 4):
        toy_run(tmp_path / "r", settings={"depth": depth, "rate": 0.1}, answers=toy_answers(noise=depth))
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    for name in ("index.html", "sources/sample.html", "tasks/sample/band_gap.html"):
        text = Page(board / name).text
        assert "depth 3" in text and "depth 4" in text
        assert "rate" not in text, "what is equal does not tell them apart"


def test_who_has_no_mean_of_a_source_has_no_place(tmp_path: Path) -> None:
    toy_run(tmp_path / "r", "sample/is_stable", model="whole")
    toy_run(tmp_path / "r", model="some")
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    rows = re.findall(
        r'class="rank"[^>]*>([^<]*)</td>.*?<bdi>([^<]*)</bdi>', (board / "index.html").read_text(), re.DOTALL
    )
    assert rows == [("1", "whole"), ("–", "some")]


def test_only_a_control_is_said_to_be_one(tmp_path: Path) -> None:
    for control in ("none", "shuffled"):
        toy_run(tmp_path / "r", control=control, answers=toy_answers(noise=len(control)))
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    text = Page(board / "tasks/sample/band_gap.html").text
    assert "control shuffled" in text and "control none" not in text


def test_published_rows_stand_beside_ours_and_are_not_ranked(tmp_path: Path) -> None:
    toy_run(tmp_path / "r")
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False, reported="all").page.parent
    assert len(list(board.glob("tasks/*/*.html"))) == 66
    page = Page(board / "tasks/mp/band_gap.html").text
    assert "Reported in the publication, not recomputed" in page
    for source in json.loads((board / "leaderboard.json").read_text()):
        assert all(entry["origin"] == "recomputed" for entry in source["entries"])
        assert all(cell["place"] is None for entry in source["reported"] for cell in entry["cells"].values())
    rows = list(csv.DictReader((board / "leaderboard.csv").open()))
    assert sum(row["origin"] == "published" for row in rows) == 13 * 65
    assert all(
        row["ranked"] == "False" and row["data_checked"] == "False" for row in rows if row["origin"] == "published"
    )


def test_what_the_publication_could_not_read_is_said_of_tasks_and_means() -> None:
    (row,) = [one for one in published_entries(get_source("mp")) if "5s" in one.id and one.modality == "cif"]
    unread = [cell.note for cell in row.cells.values() if cell.value is None]
    assert unread == ["reported, not recomputed; fewer than 10 answers could be read"] * 2
    note = row.means["regression"].note
    assert note == "reported, not recomputed; fewer than 10 answers could be read in 2 of its 8 tasks"
    assert all("fewer" not in (cell.note or "") for cell in row.cells.values() if cell.value is not None)


def test_a_mean_says_of_what_its_share_of_answers_is(tmp_path: Path) -> None:
    for task, missing in (("sample/band_gap", 5), ("sample/bulk_modulus", 1)):
        answers = toy_answers(task)
        answers[:missing] = np.nan
        toy_run(tmp_path / "r", task, answers=answers)
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    (entry,) = json.loads((board / "leaderboard.json").read_text())[0]["entries"]
    mean = entry["means"]["regression"]
    least = f"{100 * min(cell['coverage'] for cell in entry['cells'].values()):.1f} %"
    for name in ("index.html", "sources/sample.html"):
        text = Page(board / name).text
        assert f"{least} or more of each task answered; by the published protocol {mean['published']}" in text
        assert f"of these {mean['published']}" not in text


def test_weights_follow_from_the_id_alone_and_are_poisson() -> None:
    ids = pa.array([f"mp-{number}" for number in range(4000)])
    weights = weights_of(ids, 0, 40)
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.var() == pytest.approx(1, abs=0.03)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    some = pa.array(["mp-7", "mp-3999", "mp-7"])
    np.testing.assert_array_equal(weights_of(some, 5, 3), weights[5:8][:, [7, 3999, 7]])
    assert abs(np.corrcoef(weights)[np.triu_indices(40, 1)]).max() < 0.07


def test_resampled_scores_are_those_of_the_resampled_materials() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(3)
    ids = pa.array([f"x{number}" for number in range(60)])
    true, answers = random.normal(size=60), random.normal(size=(2, 60))
    labels, scores = (true > 0) * 1.0, np.round(answers, 1)
    ratios, areas = resampled_mad_mae(ids, true, answers), resampled_auc(ids, labels, scores)
    assert ratios.shape == areas.shape == (2, N_RESAMPLES)
    for number in (0, 24, 25, N_RESAMPLES - 1):
        weight = weights_of(ids, number, 1)[0].astype(int)
        drawn = np.repeat(np.arange(60), weight)
        t, a = true[drawn], answers[1][drawn]
        assert ratios[1, number] == pytest.approx(np.abs(t - t.mean()).mean() / np.abs(a - t).mean())
        assert areas[1, number] == pytest.approx(roc_auc_score(labels[drawn], scores[1][drawn]))


def test_a_paired_comparison_is_right_as_often_as_it_says() -> None:
    """Two equally good models: the interval of their difference holds 0 some 95 times in 100."""
    random = np.random.default_rng(4)
    held = 0
    for trial in range(60):
        ids = pa.array([f"{trial}-{number}" for number in range(150)])
        true = random.normal(size=150)
        shared = random.normal(size=150)
        answers = true + shared + 0.5 * random.normal(size=(2, 150))
        drawn = resampled_mad_mae(ids, true, answers)
        found = compare(*(np.abs(true - true.mean()).mean() / np.abs(a - true).mean() for a in answers), *drawn)
        held += not found.real
    assert 51 <= held <= 60


def test_packing_loses_nothing_that_matters() -> None:
    values = np.random.default_rng(5).normal(3, 1, N_RESAMPLES)
    one = packed(values)
    assert one is not None
    np.testing.assert_allclose(unpacked(one), values, atol=np.ptp(values) / 65535)
    assert packed(np.array([1.0, np.inf])) is None
    assert packed(np.ones(3)) is not None


def test_duplicates_of_training_rows_are_found_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = read_truth(get_task("sample/band_gap"))
    found = seen_in_training(truth.files)
    assert found is not None and len(found) == 0, "the sample has none"
    chosen = truth.test_ids.slice(0, 10)
    answers = toy_answers()
    answers[:10] = truth.test_targets[:10]  # memorised
    toy_run(tmp_path / "r", answers=answers)
    from llm4mat_bench.metrics.leaderboard import build

    monkeypatch.setattr(build, "seen_in_training", lambda files, progress: chosen)
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    (cell,) = cells(board).values()
    kept_true, kept = truth.test_targets[10:], answers[10:]
    expected = np.abs(kept_true - kept_true.mean()).mean() / np.abs(kept - kept_true).mean()
    assert cell["unseen"]["value"] == pytest.approx(expected)
    assert cell["unseen"]["value"] < cell["value"]
    page = Page(board / "tasks/sample/band_gap.html").text
    assert f"10 of {len(answers)} test materials" in page and f"{expected:.3f}" in page
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False, duplicates=False).page.parent
    assert "is not known" in Page(board / "tasks/sample/band_gap.html").text


def test_rows_beyond_those_of_a_page_come_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.metrics.leaderboard import page

    monkeypatch.setattr(page, "MOST_ROWS", 2)
    for number in range(4):
        toy_run(tmp_path / "r", model=f"m{number}", answers=toy_answers(noise=number))
    board = write_leaderboard(tmp_path / "r", tmp_path / "board", plots=False).page.parent
    text = (board / "index.html").read_text()
    assert text.count("<tr data-m") == 2 and "2 more rows are not shown" in text
    assert (board / "data/rows/index.js").read_text().count(r"\u003ctr data-m") == 2
    assert 'data-rest="data/rows/index.js"' in text


def test_a_space_card_lies_beside_the_page(board: Path) -> None:
    import yaml

    front = yaml.safe_load((board / "README.md").read_text().split("---")[1])
    assert front["sdk"] == "static" and front["app_file"] == "index.html"
