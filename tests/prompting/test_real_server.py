"""A short real exchange: questions of the sample to a small model that vLLM serves. `make test-vllm` runs it.

Skipped where no such server is named by OPENAI_BASE_URL; what the double of a server cannot show is shown here.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.prompting.store import AnswerStore

URL = os.environ.get("OPENAI_BASE_URL", "")
MODEL = "SmolLM2-135M-Instruct"

pytestmark = pytest.mark.skipif(not URL, reason="a served model: make test-vllm")


@pytest.fixture
def ask(call: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(task: str, *options: object) -> dict[str, Any]:
        fixed = ("--base-url", URL, "--out", tmp_path, "--max-tokens", "24", "--timeout", "600", "--json")
        found = call("prompt", MODEL, task, "--limit", "3", *fixed, *options)
        assert found.status == 0, found.err
        value: dict[str, Any] = json.loads(found.out)
        return value

    return run


def test_answers_come_with_what_the_server_knows_and_are_kept(ask: Callable[..., Any], tmp_path: Path) -> None:
    first = ask("sample/band_gap", "--shots", "5")
    assert first["call"]["asked_now"] == 3 and first["call"]["prompt_tokens_now"] > 500
    engine = first["fitted"]["engine"]
    assert engine["context"] == 8192 and engine["revision"] == "SmolLM2-135M-Instruct-Q4_1"
    again = ask("sample/band_gap", "--shots", "5", "--overwrite")
    assert again["call"]["asked_now"] == 0
    assert again["fitted"]["parse_status"] == first["fitted"]["parse_status"]
    assert [one.faults for one in verify_results(tmp_path)] == [()]


def test_the_server_holds_answers_to_the_schema_and_shares_the_prefix(ask: Callable[..., Any], tmp_path: Path) -> None:
    found = ask("sample/band_gap", "--shots", "5", "--structured", "--concurrency", "1")
    assert found["fitted"]["obey_schema"] == 3 and found["fitted"]["parse_status"] == {"json": 3}
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        cached = [answer.cached_tokens or 0 for _, answer in store.answers()]
    assert max(cached) >= 128, "the shots of the second question were known from the first"


def test_classes_have_probabilities(ask: Callable[..., Any]) -> None:
    found = ask("sample/is_stable", "--structured")
    assert found["metrics"]["score_kind"] == "probability"
    assert found["fitted"]["class_probabilities"] == 3
