"""The interface of engines: a question goes in, an answer comes out."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from ...errors import LLM4MatError
from ..messages import Message, messages_sha256
from ..tokens import Counter

EngineName = Literal["openai", "vllm", "ray", "batch", "hf"]
_MOST_TOKENS = 2**31
"""What a server counts beyond is no count."""
_LEAST = -9999.0
"""Logarithm of the least probability: a number in place of minus infinity, which JSON has not."""
_TEXTS = ("text", "reasoning", "finish_reason", "answered_by")
_COUNTS = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
KEPT_POSITIONS = 64
"""Of how many tokens, the last ones, an answer keeps what else could have stood there."""


class EngineError(LLM4MatError):
    """No question can be answered: the call, the model or the server is at fault. One line with the remedy."""


class ServerGoneError(EngineError):
    """Nobody listens any more."""


class NoAnswerError(LLM4MatError):
    """One question got no answer however often it was asked; others may."""


class PostponedError(NoAnswerError):
    """A question's answer will come later; nothing is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineInfo(_Part):
    """Which model answers, as far as the engine can tell."""

    engine: EngineName
    model: str = Field(description="the name by which it is asked")
    revision: str = Field(description="what the engine says it really is; 'as served' where it says nothing")
    context: int | None = Field(default=None, description="the most tokens of a prompt with its answer")
    parameters: int | None = None


class Question(_Part):
    """One question with all that can change its answer."""

    messages: tuple[Message, ...]
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=256, ge=1)
    stop: tuple[str, ...] = ()
    seed: int | None = Field(default=None, description="None where nothing is drawn")
    sample: int = Field(default=0, description="number of the draw")
    answer_schema: dict[str, JsonValue] | None = Field(default=None, description="JSON schema that the answer obeys")
    top_logprobs: int = Field(default=0, ge=0, description="how many alternatives of each token are asked for")
    extra: dict[str, JsonValue] = Field(default={}, description="further fields of the request, as they are")

    def key(self, info: EngineInfo, messages: str | None = None) -> str:
        """SHA-256 of what is asked of which model: equal for equal questions, whatever task or run they are of.

        Args:
            info: The model.
            messages: `messages_sha256` of the messages, where it is known already.
        """
        asked = {
            **self.model_dump(mode="json", exclude={"messages"}),
            "messages": messages or messages_sha256(self.messages),
            "engine": info.engine,
            "model": info.model,
            "revision": info.revision,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def well_formed(text: str) -> str:
    """Replace lone surrogates, which JSON can hold and no file of texts can."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def sound_logprob(value: float) -> float:
    """A logarithm of a probability: servers write minus infinity as -9999 or as no number, and none is above zero."""
    return min(max(float(value), _LEAST), 0.0) if value == value else _LEAST  # noqa: PLR0124 - NaN is not itself


class TokenChoice(_Part):
    """A token of an answer, and what else could have stood there: texts with the logarithms of their probabilities."""

    token: str
    logprob: float
    others: dict[str, float] = {}


class Answer(_Part):
    """What a model said."""

    text: str
    reasoning: str | None = Field(default=None, description="thinking that the engine gives apart from the text")
    finish_reason: str | None = Field(default=None, description="stop, length, or another word of the engine's")
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = Field(default=None, description="tokens of the prompt that the engine knew already")
    latency: float = Field(description="seconds of the try that was answered")
    tries: int = 1
    answered_by: str | None = Field(default=None, description="how the server calls the model and its state")
    tokens: tuple[TokenChoice, ...] | None = Field(default=None, description="where alternatives were asked for")

    @model_validator(mode="before")
    @classmethod
    def hold_nothing_that_no_file_can(cls, value: Any) -> Any:  # noqa: ANN401 - whatever was sent, or lies in a store
        """Mend texts with lone surrogates, leave out counts that are none; one look for all, as it is a hot path."""
        if not isinstance(value, dict):
            return value
        odd: dict[str, Any] = {}
        for name in _TEXTS:
            one = value.get(name)
            if isinstance(one, str) and not one.isascii():
                odd[name] = well_formed(one)
        for name in _COUNTS:
            one = value.get(name)
            if one is not None and not (type(one) is int and 0 <= one < _MOST_TOKENS):
                odd[name] = None
        return {**value, **odd} if odd else value


def refuse_own_fields(extra: Mapping[str, JsonValue], own: Set[str]) -> None:
    """Refuse further fields of a request for which there are options, or that would be read by nobody.

    Raises:
        EngineError: There is one.
    """
    for name in sorted(own & extra.keys()):
        raise EngineError(f"--body {name}: there is an option for it, or it is no choice")


class Engine(ABC):
    """Something that answers. Ask within ``async with engine:``, from one event loop.

    Attributes:
        name: Its name on the command line.
        model: What the model is called.
        concurrency: How many questions may be in flight.
        libraries: Distributions whose versions a record keeps.
        structured: Whether answers can be held to a JSON schema.
        gone_after: So many questions without an answer, and none with one between them: the engine is at fault, not
            the questions. None where questions fail each for itself, as lines of a file do.
        answers: Whether it has answered such questions, now or before: a refusal is then of one question alone.
        logprobs: What its probabilities are: ``raw``, of the model, whatever the answer is held to; ``masked``, of what
            the schema allowed; ``as served``, where nobody can tell.
    """

    name: EngineName
    model: str
    concurrency: int
    libraries: Sequence[str] = ()
    structured: bool = False
    gone_after: int | None = 5
    answers: bool = False
    logprobs: str = "as served"

    @abstractmethod
    def describe(self) -> EngineInfo:
        """Say which model answers; not to be called from an event loop.

        Raises:
            EngineError: There is no such model, or no server.
        """

    @abstractmethod
    async def ask(self, question: Question) -> Answer:
        """Answer one question, trying again where that may help.

        Raises:
            NoAnswerError: This question got none.
            EngineError: No question will get one.
        """

    def counter(self) -> Counter | None:
        """Counts the model's tokens; None where the engine cannot."""
        return None

    def finish(self) -> str | None:
        """Called when all runs of a call are over, also those that failed: what the user is to do next, if anything."""
        return None

    async def open(self) -> None:  # noqa: B027 - an engine may need none
        """Get ready in this event loop."""

    async def close(self) -> None:  # noqa: B027 - an engine may need none
        """Let go of what `open` took."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
