"""Reads what a server sends for a chat completion."""

import json
from collections.abc import Mapping
from typing import Any

from .interface import KEPT_POSITIONS, Answer, TokenChoice, sound_logprob, well_formed

_FAILED = ("error", "abort")
"""Why a text ended, where the server gave up and what there is of it is no answer."""


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
    if choice.get("error") or choice.get("finish_reason") in _FAILED:
        fault = choice.get("error") or value.get("error") or choice.get("finish_reason")
        raise BadAnswerError(f"an answer that failed on the server ({' '.join(str(fault).split())[:200]})")
    usage = _mapping(value.get("usage"))
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    named = [str(value[name]) for name in ("model", "system_fingerprint") if value.get(name)]
    return Answer(
        text=_text(message.get("content")) or _text(message.get("refusal")),
        reasoning=_text(reasoning) or None,
        finish_reason=str(choice["finish_reason"]) if choice.get("finish_reason") else None,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        reasoning_tokens=_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"),
        cached_tokens=_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"),
        latency=round(latency, 6),
        tries=tries,
        answered_by=" ".join(named) or None,
        tokens=_choices(_mapping(choice.get("logprobs")).get("content")),
    )


def _text(value: object) -> str:
    """A text, or the texts of the parts that some servers send instead."""
    if isinstance(value, list):
        return "".join(_text(_mapping(part).get("text")) for part in value)
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


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
            alternatives = part.get("top_logprobs")
            for other in alternatives if isinstance(alternatives, list) else ():
                text, number = _mapping(other).get("token"), _mapping(other).get("logprob")
                if isinstance(text, str) and isinstance(number, int | float):
                    others.setdefault(well_formed(text), sound_logprob(number))
        found.append(TokenChoice(token=well_formed(token), logprob=sound_logprob(logprob), others=others))
    return tuple(found)
