"""Which part of what a model wrote is its answer: thinking, echoed prompts and questions of its own are not."""

import re
from typing import NamedTuple

from .levelled import blank

_OPENING = (
    "<think>",
    "<thinking>",
    "<thought>",
    "<reasoning>",
    "<reflection>",
    "<analysis>",
    "[think]",
    "◁think▷",
    "<seed:think>",
)
_CLOSING = (
    "</think>",
    "</thinking>",
    "</thought>",
    "</reasoning>",
    "</reflection>",
    "</analysis>",
    "[/think]",
    "◁/think▷",
    "</seed:think>",
)
_OPENING_TOKENS = ("<|begin_of_thought|>", "<|channel|>analysis<|message|>", "<|channel>thought")
_CLOSING_TOKENS = ("<|end_of_thought|>", "<|channel|>final<|message|>", "<channel|>")
_MOST_BLOCKS = 64
_NEXT_QUESTION = (
    "[inst]",
    "<|im_start|>user",
    "<|start_header_id|>user",
    "<|user|>",
    "<start_of_turn>user",
    "<|eot_id|>",
)
_ECHOED_INPUT = re.compile(r"(?im)^[ \t]*(?:cif structure|structure description|chemical formula):")
_CIF_LINE = re.compile(
    r"(?m)^[ \t]*+(?:_[a-z][^\n]*|loop_[^\n]*|data_[^\n]*"
    r"|[A-Z][a-z]?[0-9+-]*[ \t]++[A-Z][a-z]?[0-9+-]*[ \t]++[-0-9. \t]*)$"
)


FIRST_READ = 40_000
LAST_READ = 20_000


class AnswerPart(NamedTuple):
    """The text with everything that is no answer blanked; positions stay those of the whole."""

    text: str
    unfinished_thought: bool


class Excerpt(NamedTuple):
    """The first and last characters of a long answer, with where they stand in it."""

    text: str
    start: int
    gap_at: int
    gap: int

    def place(self, position: int) -> int:
        """The position in the whole text of a position in the excerpt."""
        return self.start + position + (self.gap if position >= self.gap_at else 0)


def excerpt(text: str) -> Excerpt:
    """What is read of free text: all of it, or the first 40,000 and the last 20,000 characters."""
    if len(text) <= FIRST_READ + LAST_READ:
        return Excerpt(text, 0, len(text) + 1, 0)
    start = len(text) - len(text.lstrip())
    if len(text) - start <= FIRST_READ + LAST_READ:
        return Excerpt(text[start:], start, len(text) + 1, 0)
    gap = len(text) - start - FIRST_READ - LAST_READ - 1
    shown = text[start : start + FIRST_READ] + "\n" + text[len(text) - LAST_READ :]
    return Excerpt(shown, start, FIRST_READ + 1, gap)


def answer_part(text: str, prompt: str | None = None) -> AnswerPart:
    """Blank thinking, an echoed prompt and what follows after a new question's marker.

    Args:
        text: A levelled text.
        prompt: The levelled prompt, where it is known: an answer that begins with it begins behind it.
    """
    spans: list[tuple[int, int]] = []
    unfinished = False
    if prompt:
        begin = len(text) - len(text.lstrip())
        plain = prompt.strip()
        if plain and text.startswith(plain, begin):
            spans.append((0, begin + len(plain)))
    if _may_have_marks(text):
        lowered = text.lower()
        thinking, unfinished = _thoughts(lowered)
        spans += thinking
        spans += _other_turns(lowered)
    if not spans:
        return AnswerPart(text, unfinished)
    return AnswerPart(blank(text, sorted(spans)), unfinished)


def thoughts(text: str) -> list[tuple[int, int]]:
    """Where thinking stands in a levelled text."""
    return _thoughts(text.lower())[0] if _may_have_marks(text) else []


def _may_have_marks(text: str) -> bool:
    """Whether there is a sign with which a mark of thinking or of a turn begins; most answers have none."""
    return "<" in text or "[" in text or "◁" in text


def without_echoes(text: str) -> str:
    """Blank lines of CIFs and inputs that are repeated under their published headings."""
    spans: list[tuple[int, int]] = []
    if "_cell_" in text or "loop_" in text or "_atom_site" in text:
        spans += [matched.span() for matched in _CIF_LINE.finditer(text)]
    if "structure:" in text or "description:" in text or "formula:" in text:
        spans += _echoed_inputs(text)
    return blank(text, sorted(spans))


def _thoughts(lowered: str) -> tuple[list[tuple[int, int]], bool]:
    """Spans of thinking, and whether the last thought has no end.

    A closing tag without an opening one ends a thought that began with the answer: chat templates often write the
    opening tag into the prompt. An opening tag inside a thought is part of it.
    """
    closings = [tag for tag in _CLOSING + _CLOSING_TOKENS if tag in lowered]
    openings = [tag for tag in _OPENING + _OPENING_TOKENS if tag in lowered]
    if not closings and not openings:
        return [], False
    spans: list[tuple[int, int]] = []
    position = 0
    for _ in range(_MOST_BLOCKS):
        opened = min((place for tag in openings if (place := lowered.find(tag, position)) >= 0), default=-1)
        closed, closed_end = _first_closing(lowered, closings, position)
        if opened < 0 and closed < 0:
            return spans, False
        if closed >= 0 and (opened < 0 or closed < opened):  # it began before
            spans = [(0, closed_end)]
            position = closed_end
            continue
        closed, closed_end = _first_closing(lowered, closings, opened)
        if closed < 0:
            spans.append((opened, len(lowered)))
            return spans, True
        spans.append((opened, closed_end))
        position = closed_end
    last = max((lowered.rfind(tag) + len(tag) for tag in closings), default=0)
    return [(0, max(last, position))], False


def _first_closing(lowered: str, closings: list[str], position: int) -> tuple[int, int]:
    found = min(((place, len(tag)) for tag in closings if (place := lowered.find(tag, position)) >= 0), default=None)
    return (-1, -1) if found is None else (found[0], found[0] + found[1])


def _other_turns(lowered: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    position = 0
    begin = lowered[:64].lstrip()
    if begin.startswith(("[inst]", "<s>", "<<sys>>")) and "[/inst]" in lowered:
        position = lowered.find("[/inst]") + len("[/inst]")
        spans.append((0, position))
    cuts = [place for marker in _NEXT_QUESTION if (place := lowered.find(marker, position)) >= 0]
    cuts = [place for place in cuts if lowered[position:place].strip()]
    if cuts:
        spans.append((min(cuts), len(lowered)))
    return spans


def _echoed_inputs(text: str) -> list[tuple[int, int]]:
    spans = []
    for matched in _ECHOED_INPUT.finditer(text):
        line_end = text.find("\n", matched.end())
        line_end = len(text) if line_end < 0 else line_end
        end = text.find("property name:", matched.end(), matched.end() + 20_000)
        brace = text.find("{", matched.end(), line_end)
        ends = [place for place in (line_end, brace) if place >= 0]
        spans.append((matched.start(), min(ends) if end < 0 or end > max(ends) else max(min(ends), end)))
        if len(spans) > _MOST_BLOCKS:
            break
    return spans
