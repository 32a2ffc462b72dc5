"""Names that others chose are shown as they are, and obeyed by neither page, file system nor terminal."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from forgery import change_record, forge_record
from toy_runs import toy_answers, toy_run

from llm4mat_bench.metrics.leaderboard import write_leaderboard
from llm4mat_bench.metrics.results.names import has_shape, slug, visible
from llm4mat_bench.metrics.results.verify import verify_results

NAMES = {
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    '" onload="alert(1)': '" onload="alert(1)',
    "evil\u202egnp.exe": "evil\\u202egnp.exe",
    "nul\x00here": "nul\\x00here",
    "bell\x07\x1b[31mred": "bell\\x07\\x1b[31mred",
    "a#b?c%20d&e": "a#b?c%20d&e",
    "two\nlines": "two\\x0alines",
    "zero\u200bwidth": "zero\\u200bwidth",
    "../../../../up": "../../../../up",
    "{{ 7 * 7 }}": "{{ 7 * 7 }}",
    "x" * 200: "x" * 119 + "…",
    "Ünïcode ☃ 模型": "Ünïcode ☃ 模型",
}
PAGE_FILES = {
    *("index.html", "compare.html", "leaderboard.csv", "leaderboard.json", "files.json", "README.md"),
    *("assets/page.css", "assets/page.js", "assets/compare.js", "data/compare/index.js"),
    *("sources/sample.html", "tasks/sample/band_gap.html", "models/.html", "records/.json", "plots/.svg"),
}


class Read(HTMLParser):
    """The text of a page, what it loads, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links = "", ""
        self.loaded: list[str] = []
        self.scripts = 0
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loaded += [str(value) for name, value in attrs if name == "src"]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += " ".join(str(value) for name, value in attrs if name == "href")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: Path) -> Read:
    found = Read()
    found.feed(page.read_text())
    return found


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_shown_and_not_obeyed(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")  # for the plots
    toy_run(tmp_path / "results", model=name)
    board = write_leaderboard(tmp_path / "results", tmp_path / "board")
    assert board.n_runs == 1 and not board.refused
    page = read(board.page)
    assert NAMES[name] in page.text
    assert page.scripts == 1 and not page.handlers
    assert page.loaded == ["assets/page.js"]
    folder = board.page.parent
    for file in folder.rglob("*"):
        if file.suffix in (".html", ".js", ".svg", ".csv"):
            assert not {"\x00", "\u202e", "\x1b"} & set(file.read_text()), file
            assert "zero\u200bwidth" not in file.read_text()
    for plot in (folder / "plots").iterdir():
        assert re.fullmatch(r"[0-9a-f]{24}\.svg", plot.name)
        if plot.suffix == ".svg":
            ElementTree.parse(plot)
    # No name becomes a path: whatever the model is called, the files differ by hashes alone.
    written = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert {re.sub(r"[0-9a-f]{2}/|[0-9a-f]{16,32}", "", name) for name in written} == PAGE_FILES
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"results", "board"}


def test_names_on_the_terminal_are_spelt_out(tmp_path: Path, call: Callable[..., Any]) -> None:
    folder = toy_run(tmp_path)
    hostile = folder.with_name("run\u202e\x1b[31m#?%")
    folder.rename(hostile)
    change_record(hostile, lambda record: record.update(task="x\x1b[31m\u202e"))
    for words in (("verify", tmp_path), ("leaderboard", tmp_path, "--out", tmp_path / "board")):
        called = call(*words)
        assert called.status == 1
        assert not {"\x1b", "\u202e"} & set(called.err + called.out)
        assert "run\\u202e\\x1b[31m#?%" in called.err
        assert "Traceback" not in called.err


def test_two_runs_show_their_own_plots(tmp_path: Path) -> None:
    """One run id for two models was once enough to show the one's plot under the other's name."""
    results = tmp_path / "results"
    first = toy_run(results, model="first")
    second = toy_run(results, model="second", answers=toy_answers(noise=5))
    assert first.name != second.name
    other = toy_run(results, model="first", modality="cif", answers=toy_answers(noise=6))
    change_record(other, lambda record: record.update(run_id=first.name, modality="composition"))
    board = write_leaderboard(results, tmp_path / "board")
    assert [one.folder for one in board.refused] == [other]
    assert board.n_runs == 2
    page = read(board.page.parent / "tasks" / "sample" / "band_gap.html")
    records = set(re.findall(r"records/[0-9a-f]{2}/[0-9a-f]{32}\.json", page.links))
    assert len(records) == 2
    for record in records:
        assert json.loads((board.page.parent / record).read_text())["model"]["id"] in ("first", "second")


def test_copies_of_one_run_count_once(tmp_path: Path) -> None:
    folder = toy_run(tmp_path / "results")
    shutil.copytree(folder, tmp_path / "results" / "copy")
    write_leaderboard(tmp_path / "results", tmp_path / "board")
    (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    (entry,) = source["entries"]
    assert len(entry["cells"]["sample/band_gap"]["runs"]) == 1
    assert len(list((tmp_path / "board" / "records").rglob("*.json"))) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 50_000, b'{"schema_version": 2}', b"null", b'{"schema_version": 1, "model": 5}'],
    ids=range(7),
)
def test_one_hostile_record_stops_neither_page_nor_verify(
    tmp_path: Path, content: bytes, call: Callable[..., Any]
) -> None:
    results = tmp_path / "results"
    toy_run(results)
    bad = toy_run(results, seed=1)
    (bad / "result.json").write_bytes(content)
    found = verify_results(results)
    assert [bool(one.faults) for one in found] == [one.folder == bad for one in found]
    called = call("leaderboard", results, "--out", tmp_path / "board", "--json")
    assert called.status == 1
    answer = json.loads(called.out)
    assert answer["runs"] == 1
    assert len(answer["refused"]) == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table", b"PAR1" + b"\x00" * 100 + b"PAR1"], ids=range(4))
def test_one_hostile_table_stops_neither(tmp_path: Path, content: bytes) -> None:
    results = tmp_path / "results"
    toy_run(results)
    bad = toy_run(results, seed=1)
    (bad / "predictions.parquet").write_bytes(content)
    board = write_leaderboard(results, tmp_path / "board")
    assert board.n_runs == 1
    assert [one.folder for one in board.refused] == [bad]


def test_what_no_reader_sees_is_spelt_out() -> None:
    assert visible("a\u202eb\x00c\udcffd") == "a\\u202eb\\x00c\\udcffd"
    assert visible("\U000e0001") == "\\U000e0001"
    assert visible("Fe₂O₃ – µ") == "Fe₂O₃ – µ"
    for name in ("βVAE", "модель-1", "Ärger", "模型", "Ελληνικά", "e\u0301\u0323"):
        assert visible(name) == name
    assert visible("h\u043enest") == "h\\u043enest"
    assert visible("openai/gpt-4\u043e") == "openai/gpt-4\\u043e"
    assert visible("org/\u0261pt \uff47pt") == "org/\\u0261pt \\uff47pt"
    assert visible("org/\u043c\u043e\u0434\u0435\u043b\u044c") == "org/\u043c\u043e\u0434\u0435\u043b\u044c"
    assert visible("a\u00a0b\u2800\u3164\ufe0f") == "a\\xa0b\\u2800\\u3164\\ufe0f"
    assert visible("a" + 9 * "\u0301").count("\u0301") == 2
    assert has_shape("a b") and not any(map(has_shape, ("", " ", "a ", " a", "\u2800", "\u3164", "\u0301", "\ufe0f")))
    assert visible("abcdef", 4) == "abc…"
    assert slug("org/model name") == "org-model-name"
    assert slug("../..") == "run"


@pytest.mark.parametrize("protocol", [{"control": "shuffled"}, {"limit": 20}, {"train_rows": 50}], ids=str)
def test_controls_and_trials_stand_apart(tmp_path: Path, protocol: dict[str, Any]) -> None:
    results = tmp_path / "results"
    toy_run(results)
    answers = toy_answers(noise=4)
    answers[protocol.get("limit", len(answers)) :] = np.nan
    toy_run(results, answers=answers, **protocol)
    board = write_leaderboard(results, tmp_path / "board")
    assert (board.n_runs, board.n_apart) == (2, 1)
    (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert [entry["apart"] for entry in source["entries"]] == [[]]
    (apart,) = source["apart"]
    assert len(apart["apart"]) == 1 and str(next(iter(protocol.values()))) in apart["apart"][0]
    page = read(board.page)
    assert apart["apart"][0] in page.text


@pytest.mark.parametrize(("overlap", "marked"), [("known", True), ("none", False), ("unknown", False)])
def test_a_model_that_has_seen_test_data_is_marked(tmp_path: Path, overlap: str, marked: bool) -> None:
    folder = toy_run(tmp_path / "results")
    forge_record(folder, lambda record: record["model"].update(pretraining_overlap=overlap))
    board = write_leaderboard(tmp_path / "results", tmp_path / "board")
    # The mark of the row; the same words also stand in the filter.
    assert ("Its weights had seen test materials" in board.page.read_text()) == marked
