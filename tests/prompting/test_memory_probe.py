"""The memory probe: what a model that has learnt some texts by heart is found to know."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai_double import OpenAIDouble
from typer.testing import CliRunner

from llm4mat_bench import get_task
from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.dataset_folder import load_task
from llm4mat_bench.errors import UsageError
from llm4mat_bench.metrics.results.verify import find_runs
from llm4mat_bench.prompting.memory.probe import Probe, probe_memory
from llm4mat_bench.prompting.memory.questions import is_exact, names_id, overlap, parted
from llm4mat_bench.prompting.report.build import write_report


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        ("mp-149", True),
        ("The id is **MP-149**.", True),
        ("mp_149", True),
        ("mp-1490", False),
        ("mp-14", False),
        ("", False),
    ],
)
def test_an_id_is_named_whatever_stands_around_it(answer: str, known: bool) -> None:
    assert names_id(answer, "mp-149") is known


def test_words_in_common_and_in_order() -> None:
    expected = " ".join(f"word{number}" for number in range(20))
    assert is_exact(expected + " and more", expected) and overlap(expected, expected) == 1
    assert overlap("word0 word1 x word2", expected) == pytest.approx(3 / 20)
    assert overlap("nothing of it", expected) == 0 and not is_exact("word0", expected)


def test_what_is_shown_and_what_is_expected_are_the_text() -> None:
    text = "  ".join(f"w{number}" for number in range(100))
    parts = parted(text)
    assert parts is not None
    assert [len(part.split()) for part in parts] == [40, 30] and "  ".join(parts) == text[: len("  ".join(parts))]
    assert parted("too short") is None


def learnt(share: float) -> Any:
    """A server that knows some of the sample's crystals by heart: those of the first letters of the alphabet, say."""
    rows = load_task("sample/band_gap", "description")["test"]
    texts = {text.strip(): one for one, text in zip(rows["material_id"], rows["text"], strict=True)}

    def say(body: dict[str, Any]) -> str:
        shown = body["messages"][-1]["content"]
        text = next(one for one in texts if one.startswith(shown))
        if list(texts).index(text) >= share * len(texts):
            return "I do not know."
        return texts[text] if "identifier" in body["messages"][0]["content"] else text[len(shown) :].strip()

    return say


def probed(server: OpenAIDouble, tmp_path: Path, kind: Any, **given: Any) -> Probe:
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
    from llm4mat_bench.prompting.store import AnswerStore

    with AnswerStore(tmp_path / "answers.sqlite") as store:
        return probe_memory(
            OpenAIServer("tiny", server.url), get_task("sample/band_gap"), "description", kind, store, **given
        )


def test_what_was_learnt_is_found(server: OpenAIDouble, tmp_path: Path) -> None:
    server.say = learnt(0.5)
    everything = probed(server, tmp_path, "id", limit=10_000)
    assert everything.asked == 114 and everything.by_chance == 0  # one id is the example
    assert everything.exact == pytest.approx(0.5, abs=0.02) and "by heart" in everything.sentence
    asked = len(server.bodies)
    assert probed(server, tmp_path, "id", limit=20).asked == 20 and len(server.bodies) == asked  # paid already
    text = probed(server, tmp_path, "continuation", limit=30)
    assert 0.2 < text.exact < 0.8 and text.overlap is not None and text.overlap_by_chance is not None
    assert text.overlap > text.overlap_by_chance and "by heart" in text.sentence


def test_a_model_that_knows_nothing_is_found_to_know_nothing(server: OpenAIDouble, tmp_path: Path) -> None:
    server.say = learnt(0)
    for kind in ("id", "continuation"):
        found = probed(server, tmp_path, kind, limit=10)
        assert found.exact == found.by_chance == 0 and "by heart" not in found.sentence


def test_the_command_keeps_it_out_of_the_scores_and_the_report_tells_it(
    ask: Any, server: OpenAIDouble, tmp_path: Path
) -> None:
    run = ask(limit=5)
    server.say = learnt(1)
    arguments = ["probe", "tiny", "sample/band_gap", "--base-url", server.url, "--out", str(tmp_path / "here")]
    said = CliRunner().invoke(app, [*arguments, "--limit", "5", "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert [one["kind"] for one in found] == ["id", "continuation"] and all(one["exact"] == 1 for one in found)
    assert find_runs(tmp_path / "here") == [run.folder]
    (reported,) = write_report(tmp_path / "here", tmp_path / "out").runs
    assert len(reported.memory) == 2
    assert "Known by heart?" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_formulas_have_no_continuation(server: OpenAIDouble, tmp_path: Path) -> None:
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
    from llm4mat_bench.prompting.store import AnswerStore

    with AnswerStore(tmp_path / "a.sqlite") as store, pytest.raises(UsageError, match="long enough"):
        task = get_task("sample/band_gap")
        probe_memory(OpenAIServer("tiny", server.url), task, "composition", "continuation", store)
