"""The published rules of reading an answer, with their faults: to compare with the publication, never to score with.

Known faults, all repeated here: digits of property names are read as the value; signs before powers of ten are lost,
and so are leading points and what follows a thousands comma; values of 100,000 and more become no answer; units are not
looked at; "not stable" and "unlikely" are read as yes. ``docs/prompting.md`` has the table.
"""

import re
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..dataset_builder.catalogue import Task, get_task
from ..yaml_files import read_yaml
from .parser import Answer

__all__ = ["PUBLISHED_PARSER_VERSION", "kept_of", "parse_published"]

PUBLISHED_PARSER_VERSION = "published-1"
_LIMIT = 100_000.0
_MOST_DIGITS = 4000  # the published code fails beyond

_TIMES_TEN = tuple(re.compile(rf"([0-9]+(?:\.[0-9]+)?)\s*{sign}\s*10\s*\^*\s*(-?[0-9]+)") for sign in "x×")
_LETTER_E = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+")
_RAISED = re.compile(r"(?<=\^)[+-]?[0-9]+")
_RANGE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*-\s*(-?[0-9]+(?:\.[0-9]+)?)")
_NUMBER = re.compile(r"-?[0-9]+\.?[0-9]*")


class _ClassTexts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    removed: str | None = None


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    elements: tuple[str, ...]
    classes: dict[str, _ClassTexts]


@cache
def _rules() -> _Rules:
    return read_yaml(Path(__file__).with_name("published_rules.yaml"), _Rules)


def kept_of(text: str) -> str:
    """What is kept of an answer: from the first opening to the first closing brace; without them, nothing."""
    return text[text.find("{") : text.find("}") + 1]


def parse_published(text: str | None, task: Task | str) -> Answer:
    """Read an answer as the published code does.

    Args:
        text: What the model wrote.
        task: A task of the catalogue, or its name.

    Returns:
        The value in the unit of the task, whatever unit the answer has. Its span is that of the braces.

    Raises:
        UsageError: There is no such task.
    """
    task = get_task(task)
    kept = kept_of(text or "")
    if not text or not kept:
        return Answer(None, "empty", None)
    start = text.index(kept)
    span = (start, start + len(kept))
    if task.kind == "classification":
        value = published_class(kept, task)
        return Answer(value, "no_number" if value is None else "labelled", span)
    number = published_number(kept)
    if number is None:
        return Answer(None, "no_number", span)
    if not -_LIMIT < number < _LIMIT:
        return Answer(None, "out_of_range", span)
    return Answer(number, "number", span)


def published_class(kept: str, task: Task) -> bool | None:
    """The class whose texts occur in what was kept; None for neither, or for a task that the published code has not."""
    texts = _rules().classes.get(task.property.name)
    if texts is None:
        return None
    if texts.removed is not None:
        kept = kept.replace(texts.removed, "")
    if any(one in kept for one in texts.positive):
        return True
    return False if any(one in kept for one in texts.negative) else None


def published_number(kept: str) -> float | None:
    """The number that the published rules find, before its size is looked at; None where they find none."""
    element = next((one for one in _rules().elements if one in kept), None)
    if element is not None:  # every word with that symbol goes, formulas and others alike
        kept = re.sub(rf"\b\w*{element}\w*\b", "", kept)
    for pattern in _TIMES_TEN:
        found = pattern.search(kept)
        if found is not None:
            return _power(float(found[1]), found[2])
    written = _LETTER_E.search(kept)
    if written is not None:
        return float(written[0])
    if "10^" in kept:
        raised = _RAISED.search(kept)
        return None if raised is None else _power(1.0, raised[0])
    ranges = _RANGE.findall(kept)
    if len(ranges) > 1:
        low, high = ranges[0]
        return (float(low) + float(high)) / 2
    first = _NUMBER.search(kept)
    return None if first is None or len(first[0]) > _MOST_DIGITS else float(first[0])


def _power(factor: float, exponent: str) -> float:
    try:
        return float(factor * 10.0 ** int(exponent))
    except (OverflowError, ValueError):
        return float("inf")
