"""Questions in lots over Ray: with a stand-in for vLLM's stage, and the real stage where vLLM is."""

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")
pytest.importorskip("transformers")

from llm4mat_bench.prompting.engines import ray_workers
from llm4mat_bench.prompting.engines.interface import Answer, EngineError, NoAnswerError, Question
from llm4mat_bench.prompting.engines.ray_workers import RayWorkers, Row, from_stage, to_stage
from llm4mat_bench.prompting.messages import Message

SMALL = Path(__file__).parent.parent.parent / "build" / "SmolLM2-135M-Instruct-Q4_1"
real = pytest.mark.skipif(
    not (importlib.util.find_spec("vllm") and SMALL.is_dir()), reason="vLLM and the small model: make serve-demo"
)


class Tokenizer:
    """NOT a real tokenizer: a token for each letter, after one that begins a text."""

    chat_template = "letters"

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> list[int]:
        return [1, *(ord(letter) for letter in messages[-1]["content"])]


def stand_in(row: Row) -> Row:
    """In place of the stage of vLLM, NOT a model: gives back the prompt's letters; fails on an exclamation mark."""
    staged = {**row, **to_stage(row)}
    text = "".join(map(chr, staged["tokenized_prompt"][1:]))
    limit = staged["sampling_params"]["max_tokens"]
    alternatives = [{"7": {"logprob": -0.1, "rank": 1, "decoded_token": text[:1]}}]
    answered = {
        "number": row["number"],
        "generated_text": text[:limit],
        "generated_tokens": [7] * min(len(text), limit),
        "num_input_tokens": len(staged["tokenized_prompt"]),
        "logprobs": alternatives if limit == 1 else None,
    }
    error = "ValueError: on order" if "!" in text else ""
    return {**from_stage(answered), "__inference_error__": error}


def question(text: str, **changes: Any) -> Question:
    return Question(messages=(Message(role="user", content=text),), **changes)


def answers(engine: RayWorkers, *questions: Question) -> list[Any]:
    async def gather() -> list[Any]:
        async with engine:
            return await asyncio.gather(*(engine.ask(one) for one in questions), return_exceptions=True)

    try:
        return asyncio.run(gather())
    finally:
        engine.finish()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(RayWorkers, "_read_tokenizer", lambda _self: Tokenizer())


CHECKED = [question(text, max_tokens=4) for text in ("one", "two!", "three", "4")]


def check(found: list[Any]) -> None:
    assert isinstance(found[0], Answer) and (found[0].text, found[0].finish_reason) == ("one", "stop")
    assert isinstance(found[1], NoAnswerError) and "on order" in str(found[1])
    assert (found[2].text, found[2].finish_reason, found[2].prompt_tokens) == ("thre", "length", 6)
    assert found[3].tokens is None and found[3].completion_tokens == 1


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("options", "said"), [({}, "dtype=auto"), ({"dtype": "float32", "enforce_eager": True}, "dtype=float32")]
)
def test_the_precision_is_part_of_the_revision(options: dict[str, Any], said: str) -> None:
    assert RayWorkers("org/tiny", options=options, pipeline=list).describe().revision == f"as served {said}"


@pytest.mark.usefixtures("_quick")
def test_a_row_that_fails_fails_alone() -> None:
    lots: list[int] = []

    def here(rows: list[Row]) -> Iterator[Row]:
        lots.append(len(rows))
        yield from map(stand_in, reversed(rows))

    check(answers(RayWorkers("tiny", pipeline=here), *CHECKED))
    assert lots == [4]
    answers(RayWorkers("tiny", pipeline=here, concurrency=2), *CHECKED)
    assert sum(lots) == 8


@pytest.mark.usefixtures("_quick")
def test_a_table_holds_questions_of_one_form() -> None:
    """As one table, ``logprobs`` and ``seed`` would be fractions where other rows lack them; vLLM dies of those."""
    tables: list[list[dict[str, Any]]] = []

    def here(rows: list[Row]) -> Iterator[Row]:
        tables.append([to_stage(row)["sampling_params"] for row in rows])
        yield from map(stand_in, rows)

    asked = [
        question("a", max_tokens=4),
        question("b", max_tokens=4, top_logprobs=3),
        question("c", max_tokens=5),
        question("d", max_tokens=4, seed=1),
        question("e", max_tokens=4, answer_schema={"type": "object"}),
    ]
    found = answers(RayWorkers("tiny", pipeline=here), *asked)
    assert [one.text for one in found] == list("abcde")
    assert sorted(map(len, tables)) == [1, 1, 1, 2]
    for table in tables:
        assert len({tuple(sorted(name for name in one if one[name] is not None)) for one in table}) == 1


@pytest.mark.usefixtures("_quick")
def test_a_cluster_that_fails_stops_the_run_with_a_line_and_lost_rows_are_told() -> None:
    def broken(rows: list[Row]) -> Iterator[Row]:
        yield stand_in(rows[0])
        raise RuntimeError("the nodes are gone")

    first, second = answers(RayWorkers("tiny", pipeline=broken), question("a"), question("b"))
    assert first.text == "a"
    assert isinstance(second, EngineError) and "the nodes are gone" in str(second)
    first, second = answers(RayWorkers("tiny", pipeline=lambda rows: [stand_in(rows[1])]), question("a"), question("b"))
    assert isinstance(first, NoAnswerError) and "no row" in str(first) and second.text == "b"


def test_a_schema_travels_as_text_and_alternatives_come_back_as_numbers() -> None:
    class WithTokenizer(RayWorkers):
        def __init__(self) -> None:
            pass

        def _read_tokenizer(self) -> Tokenizer:
            return Tokenizer()

    row = WithTokenizer()._row(3, question("ab", answer_schema={"type": "object"}, seed=5, temperature=0.5))
    assert row["tokens"] == [1, 97, 98] and row["number"] == 3
    assert json.loads(to_stage(row)["sampling_params"]["structured_outputs"]["json"]) == {"type": "object"}
    assert to_stage(row)["sampling_params"]["seed"] == 5


@real
@pytest.mark.slow
def test_the_small_model_answers_on_a_local_cluster() -> None:
    engine = RayWorkers(
        str(SMALL), options={"dtype": "float32", "enforce_eager": True, "max_model_len": 1024}, concurrency=10
    )
    short, long, likely = answers(
        engine,
        question("Say yes.", max_tokens=4),
        question("word " * 3000, max_tokens=4),
        question("Is NaCl stable?", max_tokens=2, top_logprobs=3),
    )
    assert isinstance(short, Answer) and short.completion_tokens is not None and short.completion_tokens <= 4
    assert isinstance(long, NoAnswerError)
    assert likely.tokens is not None and len(likely.tokens[0].others) == 3
