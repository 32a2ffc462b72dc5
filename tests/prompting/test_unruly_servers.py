"""Servers that send what no standard knows, limit the rate, refuse one question, ignore a schema: nothing is lost."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openai_double import Fault, OpenAIDouble

from llm4mat_bench.errors import LLM4MatError
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.prompting.engines.chat_answers import BadAnswerError, read_completion
from llm4mat_bench.prompting.engines.interface import Answer, EngineError, NoAnswerError, ServerGoneError
from llm4mat_bench.prompting.run import Spending
from llm4mat_bench.prompting.watch import Prices, StoppedError

TEST_ROWS = 115
GOOD: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"content": '{"band_gap": 1.5}'}}


def body(choice: dict[str, Any] | None = None, **more: Any) -> Fault:
    return Fault("body", (200, {"choices": [{**GOOD, **(choice or {})}], **more}))


def statuses_of(run: Any) -> list[str]:
    found: list[str] = pq.read_table(run.folder / "predictions.parquet").column("parse_status").to_pylist()
    return found


def logprobs(**part: Any) -> dict[str, Any]:
    return {"logprobs": {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": [], **part}]}}


@pytest.mark.parametrize(
    "odd",
    [
        body({"finish_reason": "\ud800"}),
        body({"finish_reason": 7}),
        body(usage={"prompt_tokens": 10**30, "completion_tokens": -1}),
        body(usage={"prompt_tokens": "many", "completion_tokens": True}),
        body(usage=[1]),
        body(logprobs(top_logprobs=5)),
        body(logprobs(logprob=float("inf"))),
        body(logprobs(logprob=float("nan"), top_logprobs=[{"token": "\udfff", "logprob": float("-inf")}])),
        body(model=5, system_fingerprint={"a": "\ud800"}),
        body({"message": {"content": "1.5 eV \ud83d"}}),
    ],
)
def test_odd_fields_of_a_good_answer_stop_nothing(odd: Fault, ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    server.behave = lambda number, _body: odd if number == 3 else None
    run = ask(limit=6)
    assert run.record.counts.n_total == TEST_ROWS
    assert [one.faults for one in verify_results(tmp_path / "here")] == [()]
    assert "missing" not in statuses_of(run)[:6]


def test_an_odd_answer_that_is_stored_already_is_read() -> None:
    stored = {"text": "\ud800 1.5", "finish_reason": "\udc00", "prompt_tokens": 10**30, "latency": 0.1}
    answer = Answer.model_validate(stored)
    assert (answer.text, answer.finish_reason, answer.prompt_tokens) == ("\ufffd 1.5", "\ufffd", None)


def test_odd_names_of_models_are_no_trouble(ask: Any, server: OpenAIDouble) -> None:
    server.models.append({"id": 5})
    assert ask(limit=2).record.counts.n_total == TEST_ROWS


@pytest.mark.parametrize("choice", [{"finish_reason": "error"}, {"finish_reason": "abort"}, {"error": {"code": 1}}])
def test_what_failed_on_the_server_is_no_answer(choice: dict[str, Any]) -> None:
    with pytest.raises(BadAnswerError, match="failed on the server"):
        read_completion({"choices": [{**GOOD, **choice}]})


def test_it_is_asked_again(ask: Any, server: OpenAIDouble) -> None:
    server.behave = lambda number, _body: body({"finish_reason": "error"}) if number == 2 else None
    run = ask(limit=4)
    assert len(server.bodies) == 5
    assert run.record.fitted["parse_status"] == {"json": 4}


class Limited:
    """Lets so many requests a second through, and answers 429 with ``Retry-After`` to the others."""

    def __init__(self, a_second: int) -> None:
        self.a_second, self.times, self.refused = a_second, [], 0  # type: ignore[var-annotated]

    def __call__(self, _number: int, _body: dict[str, Any]) -> Fault | None:
        now = time.monotonic()
        self.times = [one for one in self.times if now - one < 1]
        if len(self.times) >= self.a_second:
            self.refused += 1
            return Fault("status", 429, {"Retry-After": "0.2"})
        self.times.append(now)
        return None


def test_a_limit_of_requests_is_waited_out(ask: Any, server: OpenAIDouble) -> None:
    """Each of 40 questions in flight would be refused far more often than it may be tried."""
    limited = Limited(12)
    server.behave = limited
    run = ask(limit=40, concurrency=40, tries=2)
    assert run.summary["answers"] == 40
    assert 5 < limited.refused < 120


def test_no_more_questions_a_minute_than_said(server: OpenAIDouble) -> None:
    import asyncio

    from llm4mat_bench.prompting.engines.interface import Question
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
    from llm4mat_bench.prompting.messages import Message

    engine = OpenAIServer("tiny", server.url, rate=600)

    async def some() -> None:
        async with engine:
            await asyncio.gather(
                *(engine.ask(Question(messages=(Message(role="user", content=str(n)),))) for n in range(6))
            )

    began = time.monotonic()
    asyncio.run(some())
    assert time.monotonic() - began >= 0.5


def test_a_refusal_of_one_question_is_of_that_one_alone(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    refused: list[str] = []

    def behave(number: int, body_: dict[str, Any]) -> Fault | None:
        content = body_["messages"][-1]["content"]
        if number == 5:
            refused.append(content)
        return Fault("body", (400, {"error": {"message": "content filter"}})) if content in refused else None

    server.behave = behave
    with pytest.raises(LLM4MatError, match=r"1 of 20 questions got no answer.*content filter.*--leave-unanswered"):
        ask(limit=20, concurrency=1)
    run = ask(limit=20, concurrency=1, spending=Spending(leave_unanswered=True))
    assert statuses_of(run)[:20].count("missing") == 1
    assert run.record.fitted["unanswered"] == 1 and "content filter" in str(run.record.fitted["unanswered_why"])
    assert run.summary["asked_now"] == 0, "all others were known"
    assert [one.faults for one in verify_results(tmp_path / "here")] == [()]


def test_a_refusal_of_the_first_question_is_of_all(ask: Any, server: OpenAIDouble) -> None:
    server.behave = lambda _number, _body: Fault("body", (400, {"error": {"message": "no such field"}}))
    with pytest.raises(EngineError, match="no such field"):
        ask(concurrency=1)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "This model's maximum context length is 2048 tokens"),
        (422, "`inputs` tokens + `max_new_tokens` must be <= 2048"),
        (500, "the request exceeds the available context size"),
    ],
)
def test_a_prompt_that_is_too_long_is_told_with_the_remedy(
    status: int, said: str, ask: Any, server: OpenAIDouble
) -> None:
    server.behave = lambda _number, _body: Fault("body", (status, {"error": {"message": said}}))
    with pytest.raises(EngineError, match="give --tokenizer and --context"):
        ask(concurrency=1)
    assert len(server.bodies) == 1


def test_time_that_runs_out_on_the_server_is_no_long_prompt(ask: Any, server: OpenAIDouble) -> None:
    fault = Fault("body", (500, {"error": {"message": "context deadline exceeded"}}))
    server.behave = lambda number, _body: fault if number == 2 else None
    assert ask(limit=3).summary["asked_now"] == 3


def spending(cap: float, *, output: float = 1.0, prompt: float = 0.0) -> Spending:
    return Spending(prices=Prices(prompt=prompt, completion=output * 1e6), max_cost=cap)


def with_usage(tokens: Callable[[int], int | None]) -> Callable[[int, dict[str, Any]], Fault]:
    def behave(number: int, _body: dict[str, Any]) -> Fault:
        count = tokens(number)
        return body() if count is None else body(usage={"prompt_tokens": 0, "completion_tokens": count})

    return behave


def test_a_server_that_counts_no_tokens_is_paid_at_the_most(ask: Any, server: OpenAIDouble) -> None:
    server.behave = with_usage(lambda _number: None)
    with pytest.raises(StoppedError, match="--max-cost 50"):
        ask(concurrency=4, max_tokens=5, spending=spending(50))
    assert len(server.bodies) == 10


def test_answers_that_grow_never_cost_more_than_allowed(ask: Any, server: OpenAIDouble) -> None:
    server.behave = with_usage(lambda number: 2 * number)
    with pytest.raises(StoppedError, match="may cost 40"):
        ask(concurrency=4, max_tokens=40, spending=spending(200))
    spent = sum(2 * number for number in range(1, len(server.bodies) + 1))
    assert 120 < spent <= 200


def test_the_most_in_flight_is_waited_for_and_does_not_stop_the_run(ask: Any, server: OpenAIDouble) -> None:
    """16 answers of the greatest length would cost more than allowed; what they are in truth costs little."""
    server.behave = with_usage(lambda _number: 1)
    run = ask(limit=60, concurrency=16, max_tokens=100, spending=spending(1000))
    assert run.summary["answers"] == 60


@pytest.mark.parametrize("reason", ["stop", "length", "eos_token", None])
def test_a_server_that_ignores_the_schema_is_found_out(reason: str | None, ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: {"finish_reason": reason, "message": {"content": "The band gap is 1.5 eV."}}
    with pytest.raises(StoppedError, match="do not obey the JSON schema"):
        ask(structured=True, concurrency=1)
    assert len(server.bodies) == 3
    with pytest.raises(StoppedError, match="2 of 2 answers do not obey"):
        ask(structured=True, limit=2)


def test_answers_cut_off_within_the_schema_are_obedient(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: {"finish_reason": "length", "message": {"content": '{"band_gap": 0.000'}}
    run = ask(structured=True, limit=20, spending=Spending(keep_going=True))
    assert run.record.fitted["parse_status"] == {"truncated": 20}


def test_one_answer_that_is_no_json_among_many_is_no_disobedience(ask: Any, server: OpenAIDouble) -> None:
    server.behave = lambda number, _body: body({"message": {"content": "I decline"}}) if number % 40 == 0 else None
    assert ask(structured=True).record.fitted["obey_schema"] == TEST_ROWS - 2


@pytest.mark.parametrize("name", ["n", "temperature", "stream", "messages"])
def test_fields_that_have_an_option_are_refused(name: str, ask: Any) -> None:
    with pytest.raises(EngineError, match=f"--body {name}"):
        ask(extra={name: 3}, concurrency=1)


def test_lines_of_a_batch_fail_each_for_itself() -> None:
    from llm4mat_bench.prompting.engines.batch_files import BatchFiles
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer

    assert BatchFiles.gone_after is None and OpenAIServer.gone_after == 5


def test_five_in_a_row_are_the_servers_fault(ask: Any, server: OpenAIDouble) -> None:
    server.behave = lambda number, _body: body({"finish_reason": "error"}) if number > 10 else None
    with pytest.raises(ServerGoneError, match="5 questions one after the other"):
        ask(concurrency=1, tries=1)
    assert json.dumps(NoAnswerError("x").args)
