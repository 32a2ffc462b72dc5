"""The report on what went wrong: counted from answers whose faults are known, shown without harm."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai_double import OpenAIDouble
from typer.testing import CliRunner

from llm4mat_bench import get_task
from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.dataset_folder import load_task, read_labels
from llm4mat_bench.errors import DataError
from llm4mat_bench.metrics.results.predictions import answer_columns
from llm4mat_bench.metrics.results.record import ModelIdentity, PromptProtocol, RunConfig
from llm4mat_bench.metrics.results.runs import OpenRun, open_run
from llm4mat_bench.metrics.results.truth import read_data_record, read_truth
from llm4mat_bench.prompting.report.build import write_report
from llm4mat_bench.prompting.report.findings import Findings
from llm4mat_bench.prompting.report.sentences import percent

ROWS = 115
HOSTILE = "<script>alert(1)</script> \u202e\x07 I cannot tell you."


def made_run(
    results: Path,
    answers: "np.ndarray[Any, Any]",
    raw: list[str | None],
    statuses: list[str],
    *,
    task: str = "sample/band_gap",
    fitted: dict[str, Any] | None = None,
    tokens: list[int] | None = None,
    **protocol: Any,
) -> Path:
    """A run with these answers, made by the frame that every run goes through."""
    wanted = get_task(task)
    settings = {"settings": {}, "seed": 0, "template_id": "json", "template_sha256": "0" * 64, "parser_version": "1"}
    config = RunConfig.of(
        wanted,
        "composition",
        read_data_record(wanted, "composition"),
        ModelIdentity(id="toy <b>", revision="1", kind="prompted"),
        PromptProtocol(**settings | protocol),
    )
    opened = open_run(config, results)
    assert isinstance(opened, OpenRun)
    truth = read_truth(wanted)
    columns = answer_columns(wanted.kind, truth.test_ids, truth.test_targets, answers, "hard_label")
    columns |= {"raw_output": raw, "parse_status": statuses, "prompt_tokens": tokens or [100] * len(raw)}
    with opened:
        opened.finish(columns, parameters=None, fitted=fitted, score_kind="hard_label")
    return opened.folder


def found_in(results: Path, out: Path) -> Findings:
    (one,) = write_report(results, out).runs
    return one


class Outward(HTMLParser):
    """Whatever a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name.endswith(("href", "src", "srcset", "action"))]
        assert not any(name.startswith("on") for name, _ in attrs)


def outward(page: Path) -> Outward:
    parser = Outward()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_a_constant_answer_is_told_in_plain_words(tmp_path: Path) -> None:
    answers = np.full(ROWS, 1.5)
    answers[:20] = np.linspace(0.2, 3, 20)
    raw: list[str | None] = [f'{{"band_gap": {one:.3f}}}' for one in answers]
    made_run(tmp_path / "r", answers, raw, ["json"] * ROWS)
    found = found_in(tmp_path / "r", tmp_path / "out")
    assert found.sentences[0].startswith(f"This model gave 1.5 eV for {percent(95 / 115)} of the crystals: it has not")
    assert (found.common[0].answer, found.common[0].count) == ("1.5", 95)
    targets = read_truth(get_task("sample/band_gap")).test_targets
    assert found.common[0].true_share == pytest.approx(np.mean(np.round(targets, 1) == 1.5))
    assert found.different == 21 and found.valid_share == 1


def test_statuses_tokens_and_unread_answers_are_counted(tmp_path: Path) -> None:
    answers = np.linspace(0.2, 5, ROWS)
    statuses = ["json"] * ROWS
    raw: list[str | None] = ["{}"] * ROWS
    tokens = list(range(100, 100 + ROWS))
    for row in range(90, 110):
        answers[row], statuses[row], raw[row] = np.nan, "refused", HOSTILE
    for row in range(110, 115):
        answers[row], statuses[row], raw[row] = np.nan, "missing", None
    made_run(tmp_path / "r", answers, raw, statuses, tokens=tokens)
    found = found_in(tmp_path / "r", tmp_path / "out")
    assert {one.name: one.count for one in found.statuses} == {"json": 90, "refused": 20}
    assert (found.rows, found.asked, found.valid) == (115, 110, 90)
    assert sum(one.rows for one in found.tokens) == 110 and sum(one.valid for one in found.tokens) == 90
    assert found.tokens[0].valid == found.tokens[0].rows and found.tokens[-1].valid == 0
    assert found.tokens[0].low == 100 and found.tokens[-1].high == 209
    errors = np.abs(answers - read_truth(get_task("sample/band_gap")).test_targets)
    first = found.tokens[0].rows
    assert found.tokens[0].error == pytest.approx(errors[:first].mean())
    assert [(one.name, one.count) for one in found.unread] == [(HOSTILE, 20)]
    assert any("Long prompts are answered worse" in one for one in found.sentences)
    assert found.examples["status refused"][0].raw == HOSTILE
    made_run(tmp_path / "alike", answers, raw, statuses, tokens=[1000 + one for one in tokens])
    assert not any("Long prompts" in one for one in found_in(tmp_path / "alike", tmp_path / "other").sentences)


def test_nothing_a_model_or_a_record_says_becomes_markup(tmp_path: Path) -> None:
    answers = np.full(ROWS, np.nan)
    answers[:50] = 1.0
    statuses = ["json"] * 50 + ["no_number"] * 65
    made_run(tmp_path / "r", answers, ["{}"] * 50 + [HOSTILE] * 65, statuses)
    report = write_report(tmp_path / "r", tmp_path / "out")
    text = report.page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\u202e\\x07 I cannot" in text and "toy &lt;b&gt;" in text
    seen = outward(report.page)
    assert not seen.tags & {"script", "link", "img", "iframe", "b", "base"}
    assert all(one.startswith(("#", "data:image/png;base64,")) for one in seen.targets)
    assert not re.search(r"url\((?!#)|@import", text)


def test_copies_of_shots_as_they_were_shown(tmp_path: Path) -> None:
    training = read_labels("sample/band_gap").splits["train"]
    shots = {"rule": "fixed", "material_ids": [str(one) for one in training.material_ids[:3].to_pylist()]}
    shown = [float(f"{one:.4g}") for one in training.targets[:3]]
    answers = np.linspace(10, 20, ROWS)  # beyond all that there is
    answers[:40] = shown[1]
    made_run(tmp_path / "r", answers, ["{}"] * ROWS, ["json"] * ROWS, shots=3, fitted={"shots": shots})
    found = found_in(tmp_path / "r", tmp_path / "out")
    assert found.copies is not None and found.copies.count == 40
    assert found.outside is not None
    assert (found.outside.above, found.outside.below) == (75, 0)
    assert found.outside.high == pytest.approx(training.targets.max())
    assert any("repeat the value of a shot" in one for one in found.sentences)


@pytest.mark.parametrize("rule", ["random", "nearest"])
def test_copies_where_each_question_has_its_own_shots(
    ask: Any, server: OpenAIDouble, tmp_path: Path, rule: str
) -> None:
    server.say = lambda body: next(one["content"] for one in reversed(body["messages"]) if one["role"] == "assistant")
    ask(shots=2, shot_rule=rule)
    found = found_in(tmp_path / "here", tmp_path / "out")
    assert found.copies is not None and found.copies.count == ROWS


def test_a_run_stands_beside_its_control(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    truth = load_task("sample/band_gap", "composition")["test"]
    known = {text: target + 0.2 for text, target in zip(truth["text"], truth["target"], strict=True)}
    server.say = lambda body: json.dumps({"band_gap": known[body["messages"][-1]["content"].split("\n", 1)[1]]})
    ask(), ask(control="shuffled"), ask(shots=1)
    report = write_report(tmp_path / "here", tmp_path / "out")
    by_control = {(one.control, one.shots): one for one in report.runs}
    (beside,) = by_control["none", 0].comparisons
    assert beside.control == "shuffled" and beside.run_id == by_control["shuffled", 0].run_id
    assert by_control["none", 1].comparisons == () == by_control["shuffled", 0].comparisons
    assert any("of it was earned by reading" in one for one in by_control["none", 0].sentences)
    links = [one for one in outward(report.page).targets if not one.startswith("#")]
    assert len(links) == 3 and all((tmp_path / "out" / one).is_file() for one in links)


def test_classes_are_named_and_one_for_all_is_told(tmp_path: Path) -> None:
    rows = len(read_truth(get_task("sample/is_stable")).test_targets)
    made_run(tmp_path / "r", np.ones(rows), ["yes"] * rows, ["labelled"] * rows, task="sample/is_stable")
    found = found_in(tmp_path / "r", tmp_path / "out")
    assert found.common[0].answer == "True" and found.common[0].share == 1
    assert found.sentences[0].startswith("This model said True for 100 % of the crystals")


def test_a_record_that_was_edited_is_told(tmp_path: Path) -> None:
    folder = made_run(tmp_path / "r", np.linspace(0.2, 5, ROWS), ["{}"] * ROWS, ["json"] * ROWS)
    record = folder / "result.json"
    record.write_text(record.read_text().replace('"n_scored": 115', '"n_scored": 114'))
    assert found_in(tmp_path / "r", tmp_path / "out").sentences[0].startswith("This run does not verify")


def test_the_command_and_its_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_runs import toy_run

    toy_run(tmp_path / "trees")
    with pytest.raises(DataError, match="none keeps the model's own words"):
        write_report(tmp_path / "trees", tmp_path / "out")
    folder = made_run(tmp_path / "r", np.linspace(0.2, 5, ROWS), ["{}"] * ROWS, ["json"] * ROWS)
    said = CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "out"), "--json"])
    assert said.exit_code == 0, said.output
    answer = json.loads(said.stdout)
    assert answer["runs"][0]["valid"] == ROWS and Path(answer["page"]).is_file()
    again = (tmp_path / "out" / "index.html").read_bytes()
    CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "out"), "--json"])
    assert (tmp_path / "out" / "index.html").read_bytes() == again


def test_plots_take_the_colours_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made_run(tmp_path / "r", np.linspace(0.2, 5, ROWS), ["{}"] * ROWS, ["json"] * ROWS)
    page = write_report(tmp_path / "r", tmp_path / "out").page.read_text(encoding="utf-8")
    assert page.count("<svg") == 3 and page.count("aria-label=") >= 3
    # Colours of figures are told once for the dark, and nothing in them names another place.
    assert page.count("fill: #334155") > 3 and page.count('[style*="fill: #334155"]') == 1
    assert "http" not in page and "xlink" not in page


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.83, "83 %"), (0.0126, "1.3 %"), (0.9999, "99.99 %"), (0.0004, "0.04 %")],
)
def test_shares_are_never_rounded_to_nothing_or_all(share: float, text: str) -> None:
    assert percent(share) == text
