"""Reads what a server sends for a chat completion."""

import json
from collections.abc import Mapping
from typing import Any

from .interface import KEPT_POSITIONS, Answer, TokenChoice, well_formed


class BadAnswerError(ValueError):
    """It is no chat completion; asking again may help."""


def read_answer(content: bytes, latency: float, tries: int) -> Answer:
    """Read the body of a response.

    Args:
        content: The body.
        latency: Seconds that it took.
        tries: How often the question was asked.

    Raises:
        BadAnswerError: It is no JSON, or no chat completion, or one without a choice.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(f"an answer that is no JSON ({content[:40]!r})") from error
    return read_completion(value, latency, tries)


def read_completion(value: object, latency: float = 0.0, tries: int = 1) -> Answer:
    """Read a chat completion, as `read_answer` does.

    Raises:
        BadAnswerError: It is none.
    """
    if not isinstance(value, dict):
        raise BadAnswerError("an answer that is no JSON object")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices:
        fault = value.get("error")
        said = f": {' '.join(str(fault).split())[:200]}" if fault else ""
        raise BadAnswerError(f"an answer without choices{said}")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise BadAnswerError("a choice without a message")
    usage = _mapping(value.get("usage"))
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    named = [str(value[name]) for name in ("model", "system_fingerprint") if value.get(name)]
    return Answer(
        text=_text(message.get("content")) or _text(message.get("refusal")),
        reasoning=_text(reasoning) or None,
        finish_reason=str(choice["finish_reason"]) if choice.get("finish_reason") else None,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_count(_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        cached_tokens=_count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
        latency=round(latency, 6),
        tries=tries,
        answered_by=well_formed(" ".join(named)) or None,
        tokens=_choices(_mapping(choice.get("logprobs")).get("content")),
    )


def _text(value: object) -> str:
    """A text, or the texts of the parts that some servers send instead."""
    if isinstance(value, list):
        return "".join(_text(_mapping(part).get("text")) for part in value)
    return well_formed(value) if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _choices(value: object) -> tuple[TokenChoice, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    found = []
    for position, one in enumerate(value):
        part = _mapping(one)
        token, logprob = part.get("token"), part.get("logprob")
        if not isinstance(token, str) or not isinstance(logprob, int | float):
            return None
        others: dict[str, float] = {}
        if position >= len(value) - KEPT_POSITIONS:
            for other in part.get("top_logprobs") or ():
                text, number = _mapping(other).get("token"), _mapping(other).get("logprob")
                if isinstance(text, str) and isinstance(number, int | float):
                    others.setdefault(well_formed(text), _at_least(number))
        found.append(TokenChoice(token=well_formed(token), logprob=_at_least(logprob), others=others))
    return tuple(found)


def _at_least(logprob: float) -> float:
    """Servers write minus infinity as -9999 or as no number at all."""
    return max(float(logprob), -9999.0) if logprob == logprob else -9999.0  # noqa: PLR0124 - NaN is not itself
