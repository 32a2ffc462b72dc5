"""Turns what a model wrote into a value: versioned, without a model, never raising, in linear time.

The order of the rules: thinking and echoes are set aside; JSON anywhere in the answer; a value behind the property's
name or a word such as "answer"; a number (or class) that stands free. ``docs/prompting.md`` has the rules as a table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..dataset_builder.catalogue import Property, Task, get_task
from .reading.classes import Classes
from .reading.findings import Finding, Judge, Status
from .reading.in_json import Opposite, Picker, ReadScalar
from .reading.in_text import read_text
from .reading.levelled import blank, level, shadow
from .reading.names import Names, names_of
from .reading.objects import find_objects
from .reading.parts import answer_part, excerpt, thoughts, without_echoes
from .reading.quantities import Quantity
from .reading.refusals import declines
from .reading.units import Unit
from .reading.working import without_working

__all__ = ["PARSER_VERSION", "Answer", "Status", "parse_answer", "thinking_of"]

PARSER_VERSION = "1"
"""Raised when any answer would be read differently."""

FinishReason = Literal["stop", "length"]

_PLAIN_NUMBER = re.compile(r"\s*([-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*")
_PLAIN_ANSWER = re.compile(r'\s{0,99}\{ ?"([^"\\{}<>\[\]]{1,99})": ?(-?[0-9]{1,15}(?:\.[0-9]{1,17})?) ?\}\s{0,99}')
"""The answer that was asked for and nothing else: what all the other rules would read in it, in a fifth of the time."""
_NOTHING = re.compile(r"[\s{}\[\]()\"'`*_.,:;!?<>/|=#~-]*(?:json)?[\s{}\[\]()\"'`*_.,:;!?<>/|=#~-]*")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_OPEN_END = re.compile(
    r"(?:\b(?:is|are|of|approximately|about|around|be|the|a|to|equals)|[:=≈~])\s*[$*\"']{0,3}\s*$", re.IGNORECASE
)
_REASONS = ("out_of_range", "wrong_unit")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    ``value`` is in the unit of the task (a bool for a class, True for the positive one), None where there is none.
    ``span`` says which characters of the raw text the value, or the reason why there is none, was read from.
    """

    value: float | bool | None
    status: Status
    span: tuple[int, int] | None


class _Reader:
    """All that belongs to one task, made once."""

    def __init__(self, task: Task) -> None:
        self.names: Names = names_of(task)
        self.own_name = task.property.name
        self.classes = Classes(task, self.names) if task.kind == "classification" else None
        self.judge = Judge(task)
        self.read: ReadScalar = self.read_number if self.classes is None else self.classes.read_value
        self.opposite: Opposite | None = None if self.classes is None else self.classes.opposite

    def read_number(self, text: str, start: int, end: int, unit: Unit | None, _flip: bool) -> Finding | None:
        """Read the value of a JSON key of a regression task."""
        plain = _PLAIN_NUMBER.fullmatch(text, start, end)
        if plain is not None and end - start < 40:
            quantity = Quantity(float(plain[1]), None, plain.start(1), plain.end(1), None, False)
            return self.judge.judge(quantity, "json", unit)
        if "\\u" in text[start:end]:
            decoded = level(_ESCAPE.sub(lambda code: chr(int(code[1], 16)), text[start:end]))
            inner = self.judge.first(decoded, 0, len(decoded), "json", unit)
            return None if inner is None else inner._replace(start=start, end=end)
        found = self.judge.first(text, start, end, "json", unit)
        if found is None and text[start:end].strip(" '\"`").lower() in ("zero", "null gap"):
            return Finding("json", 0.0, start, end)
        return found


_READERS: dict[tuple[str, Property], _Reader] = {}
_last_reader: tuple[Task, _Reader] | None = None


def _reader(task: Task) -> _Reader:
    global _last_reader  # noqa: PLW0603 - most answers are about the task of the one before
    last = _last_reader  # read once: another thread may put its own there
    if last is not None and last[0] is task:
        return last[1]
    found = _reader_of(task)
    _last_reader = task, found
    return found


def _reader_of(task: Task) -> _Reader:
    key = (task.source.id, task.property)
    found = _READERS.get(key)
    if found is None:
        if len(_READERS) > 1000:
            _READERS.clear()
        found = _READERS[key] = _Reader(task)
    return found


_task_named: Callable[[str], Task] = lru_cache(maxsize=1024)(get_task)


def parse_answer(
    text: str | None, task: Task | str, *, prompt: str | None = None, finish_reason: str | None = None
) -> Answer:
    """Read the value that a model answered.

    Args:
        text: What the model wrote; None counts as nothing.
        task: A task of the catalogue, or its name.
        prompt: What it was asked, where an engine gives it back in front of the answer.
        finish_reason: As engines give it: after ``length`` a number that touches the end of the text is no value, since
            its digits may go on; after ``stop`` it is. Without it, such a number counts if it has decimals.

    Returns:
        The value and how it was found. No text makes it raise.

    Raises:
        UsageError: There is no such task.
    """
    reader = _reader(_task_named(task) if isinstance(task, str) else task)
    if not text or not text.strip():
        return Answer(None, "truncated" if finish_reason == "length" else "empty", None)
    if prompt is None and reader.classes is None:
        plain = _PLAIN_ANSWER.fullmatch(text)
        if plain is not None and plain[1] == reader.own_name:
            read = reader.read_number(text, plain.start(2), plain.end(2), None, False)
            if read is not None and read.good:
                return Answer(read.value, read.status, (read.start, read.end))
    cut_off = True if finish_reason == "length" else False if finish_reason is not None else None
    levelled = level(text)
    part = answer_part(levelled, None if prompt is None else level(prompt))
    found, truncated, rest = _find(part.text, reader, cut_off)
    if found is not None and found.good:
        if cut_off and found.end >= len(text.rstrip()) and found.status != "json":
            return Answer(None, "truncated", (found.start, found.end))
        return Answer(found.value, found.status, (found.start, found.end))
    if truncated or part.unfinished_thought or cut_off:
        return Answer(None, "truncated", None)
    declined = declines(rest)
    if found is not None and (found.status == "out_of_range" or not declined):
        return Answer(None, found.status, (found.start, found.end))
    if declined:
        return Answer(None, "refused", None)
    if len(part.text) < 4000 and _NOTHING.fullmatch(part.text):
        return Answer(None, "empty", None)
    return Answer(None, "truncated" if _OPEN_END.search(rest[-40:]) else "no_number", None)


def thinking_of(text: str) -> str:
    """The thinking that stands in an answer's own text (``<think>`` and its kin), which is never read as the answer."""
    return "\n".join(text[start:end] for start, end in thoughts(level(text)))


def _find(text: str, reader: _Reader, cut_off: bool | None) -> tuple[Finding | None, bool, str]:
    """What was found in the part of a text that is the answer.

    Returns:
        The finding, whether the answer was cut off before its value, and the free text in lower case.
    """
    truncated = False
    bad: Finding | None = None
    spans: list[tuple[int, int]] = []
    if "{" in text:
        objects = find_objects(text)
        picker = Picker(text, reader.names, reader.read, reader.opposite, cut_off)
        picked = picker.pick(objects)
        if picked is not None and (picked.good or picked.status in _REASONS):
            return picked, False, ""
        truncated = picker.truncated
        bad = picked
        spans = [(one.start, one.end) for one in objects.roots if one.entries]
    shown = excerpt(blank(text, spans))
    free = without_echoes(shown.text)
    if reader.classes is None:
        free = without_working(free)
    shadowed = shadow(free)
    if reader.classes is not None:
        found = reader.classes.read_text(reader.classes.without_echo(free), 0, len(free))
    else:
        found = read_text(free, shadowed, reader.names, reader.judge, declines(shadowed))
    if found is not None:
        found = found._replace(start=shown.place(found.start), end=shown.place(found.end - 1) + 1)
    declined_in_json = shadow(text[spans[0][0] : spans[0][1]][:2000]) if spans else ""
    return found or bad, truncated, shadowed + declined_in_json
