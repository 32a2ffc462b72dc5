"""The engine for OpenAI-compatible servers against a double that misbehaves."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from openai_double import Fault, OpenAIDouble

from llm4mat_bench.errors import UsageError
from llm4mat_bench.prompting.engines.chat_answers import BadAnswerError, read_answer
from llm4mat_bench.prompting.engines.interface import Answer, EngineError, NoAnswerError, Question, ServerGoneError
from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
from llm4mat_bench.prompting.engines.waiting import back_off, retry_after
from llm4mat_bench.prompting.messages import Message

QUESTION = Question(messages=(Message(role="user", content="how much?"),))


def answer(server: OpenAIDouble, question: Question = QUESTION, **options: Any) -> Answer:
    engine = OpenAIServer("tiny", server.url, **{"first_wait": 0.01, "tries": 3} | options)

    async def once() -> Answer:
        async with engine:
            return await engine.ask(question)

    return asyncio.run(once())


def first(*faults: Fault) -> Any:
    """Misbehave with the first requests, one after the other."""
    return lambda number, _body: faults[number - 1] if number <= len(faults) else None


def test_a_question_is_sent_as_the_protocol_has_it(server: OpenAIDouble) -> None:
    question = QUESTION.model_copy(
        update={"seed": 5, "temperature": 0.5, "stop": ("\n",), "top_logprobs": 3, "extra": {"min_p": 0.1}}
    )
    found = answer(server, question.model_copy(update={"answer_schema": {"type": "object"}}))
    assert found.finish_reason == "stop"
    assert (found.prompt_tokens, found.completion_tokens, found.tries) == (2, 5, 1)
    assert server.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "user", "content": "how much?"}],
            "temperature": 0.5,
            "max_tokens": 256,
            "stop": ["\n"],
            "seed": 5,
            "logprobs": True,
            "top_logprobs": 3,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
            },
            "min_p": 0.1,
        }
    ]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 500),
        Fault("status", 503),
        Fault("status", 429),
        Fault("hang", 0.5),
        Fault("half"),
        Fault("garbage"),
        Fault("empty"),
        Fault("reset"),
        Fault("body", (200, {"error": {"message": "upstream died"}})),
        Fault("body", (200, [])),
        Fault("body", (200, {"choices": [{"message": None}]})),
    ],
    ids=str,
)
def test_what_may_pass_is_asked_again(server: OpenAIDouble, fault: Fault) -> None:
    server.behave = first(fault, fault)
    assert answer(server, timeout=0.3).tries == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status", 500), "HTTP 500: on order"),
        (Fault("hang", 0.5), "no answer within 0.2 s"),
        (Fault("garbage"), "no JSON"),
        (Fault("empty"), "without choices"),
    ],
)
def test_a_question_without_an_answer_says_why(server: OpenAIDouble, fault: Fault, said: str) -> None:
    server.behave = lambda _number, _body: fault
    with pytest.raises(NoAnswerError, match=said):
        answer(server, timeout=0.2)
    assert len(server.bodies) == 3


def test_retry_after_is_waited_for(server: OpenAIDouble) -> None:
    server.behave = first(Fault("status", 429, {"Retry-After": "1"}))
    began = time.monotonic()
    assert answer(server).tries == 2
    assert time.monotonic() - began >= 1


def test_retry_after_holds_all_questions(server: OpenAIDouble) -> None:
    server.behave = first(Fault("status", 429, {"Retry-After": "1"}))
    engine = OpenAIServer("tiny", server.url, first_wait=0.01)

    async def two() -> float:
        async with engine:
            held = asyncio.create_task(engine.ask(QUESTION))
            while not server.bodies or engine._not_before == 0:
                await asyncio.sleep(0.01)
            began = time.monotonic()
            await engine.ask(QUESTION.model_copy(update={"seed": 1}))
            waited = time.monotonic() - began
            await held
            return waited

    assert asyncio.run(two()) > 0.5


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": " 1.5 "}) == 1.5
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    soon = retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)})
    assert soon is not None and 25 < soon <= 30
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_waits_double_and_end() -> None:
    assert [back_off(attempt, 0.5, 0.5) for attempt in (1, 2, 3)] == [0.5, 1, 2]
    assert back_off(5000, 0.5, 0.5) == 60


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (404, "The model `tiny` does not exist.", "name of the model"),
        (400, "This model's maximum context length is 2048 tokens.", "--context"),
        (400, "logprobs are not supported", "--no-logprobs"),
        (400, "response_format is not supported", "--structured"),
        (401, "who are you", "OPENAI_API_KEY"),
        (429, "You exceeded your current quota; insufficient_quota", "the account is spent"),
        (307, "moved", "elsewhere"),
    ],
)
def test_what_will_not_pass_is_not_asked_again(server: OpenAIDouble, status: int, message: str, said: str) -> None:
    server.behave = lambda _number, _body: Fault("body", (status, {"error": {"message": message}}))
    with pytest.raises(EngineError, match=said) as caught:
        answer(server)
    assert len(server.bodies) == 1
    assert "\n" not in str(caught.value)


def test_the_other_name_of_the_longest_answer(server: OpenAIDouble) -> None:
    refused = {"error": {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}}
    server.behave = lambda _number, body: Fault("body", (400, refused)) if "max_tokens" in body else None
    assert answer(server).tries == 1
    assert server.bodies[-1]["max_completion_tokens"] == 256


def test_the_key_is_sent_and_never_shown(server: OpenAIDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-1234")
    server.behave = lambda _number, _body: Fault("body", (401, {"error": {"message": "bad key secret-1234"}}))
    with pytest.raises(EngineError, match=r"bad key \*\*\*.*MY_KEY") as caught:
        answer(server, key_name="MY_KEY")
    assert server.keys == {"Bearer secret-1234"}
    assert "secret" not in str(caught.value)


def test_a_server_that_is_gone(server: OpenAIDouble) -> None:
    server.stop()
    with pytest.raises(ServerGoneError, match="nobody answers any more"):
        answer(server)
    with pytest.raises(ServerGoneError, match="is the server up"):
        OpenAIServer("tiny", server.url).describe()
    server.revive()


def test_what_the_server_says_of_the_model(server: OpenAIDouble) -> None:
    server.models = [{"id": "tiny", "root": "/models/SmolLM2-135M/", "max_model_len": 2048}, {"id": "other"}]
    found = OpenAIServer("tiny", server.url).describe()
    assert (found.revision, found.context) == ("SmolLM2-135M", 2048)
    with pytest.raises(EngineError, match=r"unknown model 'tinny'\. Did you mean tiny"):
        OpenAIServer("tinny", server.url).describe()


@pytest.mark.parametrize("url", [None, "localhost:8000", "ftp://x/v1", "http://user:secret@host/v1"])
def test_an_address_that_is_none(url: str | None) -> None:
    with pytest.raises(UsageError, match="--base-url") as caught:
        OpenAIServer("tiny", url)
    assert "secret" not in str(caught.value)


def test_thinking_comes_apart_and_odd_texts_are_mended() -> None:
    content = (
        b'{"choices": [{"finish_reason": "length", "message": {"content": [{"type": "text", "text": "a\\ud800"}],'
        b' "reasoning_content": "hm"}}], "usage": {"completion_tokens_details": {"reasoning_tokens": 4}}}'
    )
    found = read_answer(content, 0.5, 1)
    assert (found.text, found.reasoning, found.reasoning_tokens) == ("a�", "hm", 4)
    assert (
        read_answer(b'{"choices": [{"message": {"content": null, "refusal": "I cannot."}}]}', 0, 1).text == "I cannot."
    )
    with pytest.raises(BadAnswerError):
        read_answer(b"[" * 100_000, 0, 1)


def test_no_more_in_flight_than_allowed(server: OpenAIDouble) -> None:
    server.delay = 0.05
    engine = OpenAIServer("tiny", server.url, concurrency=4)

    async def many() -> None:
        async with engine:
            questions = [QUESTION.model_copy(update={"seed": seed}) for seed in range(20)]
            await asyncio.gather(*(engine.ask(one) for one in questions))

    asyncio.run(many())
    assert server.most_at_once <= 4
