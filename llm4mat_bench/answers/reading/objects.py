"""JSON and what small models take for JSON, found anywhere in a text in one pass.

Single quotes, unquoted keys and values, missing commas, trailing commas, unclosed braces, escaped quotes, ``=`` for
``:`` and nesting of any depth are read. Nothing is ever read twice, so the time is linear in the length of the text.
"""

import re
from dataclasses import dataclass, field

MOST_TOKENS = 6_000  # of one text; what comes later is not read as JSON
_SPACE = re.compile(r"[ \t\n]*+")
_SPACE_IN_LINE = re.compile(r"[ \t]*+")
_KEY = re.compile(r"[^:={}\[\],\n\"]++")
# a bare value ends at a comma, unless that separates thousands; braces of LaTeX belong to it
_VALUE = re.compile(
    r"(?:[^,{}\[\]\n\\^_]|(?<=[0-9]),(?=[0-9]{3}(?![0-9]))|[\^_]\{[-+0-9 ]{1,6}\}|[\^_]"
    r"|\\[A-Za-z]{1,16}(?:\{[^{}\n]{0,24}\})?|\\.?)++"
)
_VALUE_IN_LIST = re.compile(
    r"(?:[^,{}\[\]\n\\^_]|[\^_]\{[-+0-9 ]{1,6}\}|[\^_]|\\[A-Za-z]{1,16}(?:\{[^{}\n]{0,24}\})?|\\.?)++"
)
_CHOICE = re.compile(r"[ \t]*(?:or\b|\||/)[^,{}\[\]\n]*+")  # "True" or "False" is one value
_QUOTES = "\"'`"
# what stands between quotes in a line; an apostrophe inside a word closes nothing; possessive: failure costs one pass
_INSIDE = {
    '"': re.compile(r'(?:[^"\\\n]++|\\[^\n]){0,2000}+'),
    "'": re.compile(r"(?:[^'\\\n]++|\\[^\n]|(?<=[^\W_])'(?=[^\W_])){0,2000}+"),
    "`": re.compile(r"[^`\n]*+"),
}
_INSIDE_ANY = {quote: re.compile(rf"[^{quote}\n]*+") for quote in _QUOTES}


@dataclass(slots=True)
class Scalar:
    """A value that is no object: ``text[start:end]``, quotes not included."""

    start: int
    end: int
    quoted: bool


@dataclass(slots=True)
class Object:
    """An object or a list (whose entries have no keys), in the order of the text."""

    start: int
    end: int = -1
    is_list: bool = False
    closed: bool = False
    entries: list["Entry"] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A key and its value; ``value`` is None where the text ended before it."""

    key: str | None
    value: Scalar | Object | None


@dataclass(slots=True)
class Found:
    """``roots`` in order; ``objects`` are they and all that is in them, in the order of their opening braces."""

    roots: list[Object] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = 0
        self.unclosed_until = dict.fromkeys(_QUOTES, -1)  # a search for this closing quote failed up to here

    def string(self, place: int) -> tuple[int, int, int] | None:
        """Start, end and position behind a quoted string; None where its line has no closing quote."""
        text = self.text
        quote = text[place]
        if place < self.unclosed_until[quote] or text.startswith(quote * 3, place):
            return None
        escaped = place > 0 and text[place - 1] == "\\"
        body = (_INSIDE_ANY if escaped else _INSIDE)[quote].match(text, place + 1)
        end = place + 1 if body is None else body.end()
        if text[end : end + 1] != quote:
            self.unclosed_until[quote] = end
            return None
        return place + 1, end - (1 if escaped and text[end - 1] == "\\" else 0), end + 1


def find_objects(text: str) -> Found:
    """Find all objects in a levelled text. Never fails: what is no JSON gives objects without entries, or nothing."""
    found = Found()
    reader = _Reader(text)
    position = 0
    while reader.tokens < MOST_TOKENS:
        opening = text.find("{", position)
        if opening < 0:
            break
        if _of_latex(text, opening):
            reader.tokens += 1
            position = opening + 1
            continue
        position = _read_root(reader, opening, found)
    return found


def _of_latex(text: str, opening: int) -> bool:
    r"""Whether a brace belongs to a power, an index or a command: ``10^{-3}``, ``\boxed{1.5}``."""
    if opening == 0:
        return False
    before = text[opening - 1]
    if before in "^_":
        return True
    if not before.isalpha():
        return False
    slash = text.rfind("\\", max(0, opening - 16), opening)
    return slash >= 0 and text[slash + 1 : opening].isalpha()


def _read_root(reader: _Reader, opening: int, found: Found) -> int:
    text = reader.text
    root = Object(opening)
    found.roots.append(root)
    found.objects.append(root)
    stack = [root]
    key: str | None = None  # a key that waits for its value
    waiting = False  # a colon was read
    place = key_start = opening + 1
    while stack and reader.tokens < MOST_TOKENS:
        reader.tokens += 1
        holder = stack[-1]
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]
        if place >= len(text):
            break
        char = text[place]
        if char in "{[":
            inner = Object(place, is_list=char == "[")
            found.objects.append(inner)
            holder.entries.append(Entry(key, inner))
            stack.append(inner)
            key, waiting = None, False
            place += 1
        elif char in "}]":
            if waiting and key is not None:
                holder.entries.append(Entry(key, None))
            elif key is not None and len(stack) > 1 and not holder.entries:  # {band_gap: {2.2 eV}}
                holder.entries.append(Entry(None, Scalar(key_start, place, False)))
            key, waiting = None, False
            place += 1
            if char == "}" and holder.is_list and len(stack) > 1:  # a list that was not closed
                stack.pop().end = place
            if char == "]" and not holder.is_list:
                continue
            closed = stack.pop()
            closed.end, closed.closed = place, True
        elif char == ",":
            key, waiting = None, False
            place += 1
        elif char in ":=":
            waiting = key is not None
            place += 1
            if char == "=" and text.startswith(">", place):
                place += 1
        elif char == "\\" and place + 1 < len(text) and text[place + 1] in "\"'n":
            place += 2 if text[place + 1] == "n" else 1
        elif waiting or holder.is_list:
            start, end, place = _scalar(reader, place, holder.is_list)
            if start >= 0:
                holder.entries.append(Entry(key, Scalar(start, end, text[start - 1] in _QUOTES)))
            key, waiting = None, False
        else:
            key_start = place
            key, place = _key(reader, place, holder, key)
    if waiting and key is not None and stack:
        stack[-1].entries.append(Entry(key, None))
    for open_one in stack:
        open_one.end = place
    return max(place, opening + 1)


def _scalar(reader: _Reader, place: int, in_list: bool) -> tuple[int, int, int]:
    """Start and end of a value, and the position behind it."""
    text = reader.text
    if text[place] in _QUOTES:
        string = reader.string(place)
        if string is not None:
            choice = _CHOICE.match(text, string[2])
            return string if choice is None else (place + 1, choice.end(), choice.end())
        place += 1
        while place < len(text) and text[place] in _QUOTES:
            place += 1
    matched = (_VALUE_IN_LIST if in_list else _VALUE).match(text, place)
    if matched is None:
        return -1, -1, place + (0 if place < len(text) and text[place] in "{}[],\n" else 1)
    return place, matched.end(), matched.end()


def _key(reader: _Reader, place: int, holder: Object, before: str | None) -> tuple[str | None, int]:
    """The key at a position and the position behind it; a key without a colon before a number is taken for one with."""
    text = reader.text
    if text[place] in _QUOTES:
        string = reader.string(place)
        if string is not None:
            start, end, after = string
            following = _SPACE_IN_LINE.match(text, after).end()  # type: ignore[union-attr]
            if before is not None and text[following : following + 1] not in (":", "="):
                holder.entries.append(Entry(before, Scalar(start, end, True)))
                return None, after
            return text[start:end], after
        place += 1
    matched = _KEY.match(text, place)
    if matched is None:
        return before, place + 1
    bare = matched[0].strip(" \t'`*")
    if before is not None and bare[:1] in "+-.0123456789" and bare:
        value = _VALUE.match(text, place)
        end = matched.end() if value is None else max(value.end(), place + 1)
        holder.entries.append(Entry(before, Scalar(place, end, False)))
        return None, end
    return bare, matched.end()
