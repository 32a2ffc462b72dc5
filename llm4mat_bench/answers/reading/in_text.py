"""The value of a property in free text: after a label, else the first number that can be it."""

import re
from collections.abc import Iterator

from .findings import MOST_CANDIDATES, Finding, Judge
from .names import Names
from .quantities import quantities
from .words import WORDS

_MOST_LABELS = 60
_WINDOW = 200
_SENTENCE_END = re.compile(r"(?<!approx)(?<!ca)(?<!est)(?<!\bi\.e)(?<!e\.g)[.!?](?=\s|$)|\n|;")
_FINAL = (
    "\\boxed{",
    "final answer",
    "final value",
    "final prediction",
    "my answer",
    "my prediction",
    "so the answer",
    "so, the answer",
    "thus the answer",
    "thus, the answer",
    "therefore the answer",
    "therefore, the answer",
)
_LABELS = ("answer", "prediction", "predicted", "estimate", "result", "value", "output", "response")
_SAID = WORDS.said
_COMPARED = re.compile(r"\bthan (?:that|those|the)\b[^,;]*$|\b(?:compared|similar|unlike|like)\b[^,;]*$")
_CONNECTED = re.compile(
    r"[:=≈|<>≤≥~→]|\b(?:is|are|was|were|be|equals?|equal|about|approximately|approx|around|roughly|circa|estimated?"
    r"|predict(?:ed|ion|s)?|calculated|value|near|nearly|close|ranges?|between|falls|lies|has|have|would|should|could|minus|only)\b"
)
_CONNECTED_AT_ONCE = re.compile(r"(?:\b(?:of|at|as|from|to|by)|['\"*$`({\[-])[ ~≈$*\"'`({\[]*$")
_NO_WORDS = re.compile(r"[^\w]*")
_SAYS = re.compile(
    r"[^\w]{0,6}(?:a |an |that )?"
    r"(?:is|of|would be|should be|will be|to be|:|=|for|value|about|around|approximately|roughly)"
    r"[^.!?]*$"
)
_BRACKET = re.compile(r" ?(?:\([^()\n]{0,60}\)|\[[^\[\]\n]{0,40}\])")
_LIKELY = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|estimated?|guess|likely|predicted|prediction|~|≈|would be)"
    r"[^.!?\n]{0,40}$"
)

_LEADS_TO = re.compile(
    r"(?:[:=≈~|<>(]|\b(?:is|are|was|were|be|of|equals|about|approximately|around|roughly|at|to|as|between|from|minus))"
    r"[\s$*\"'`(\[+-]*$|^[^a-z]*$"
)
_ZERO = re.compile(r"[^\w]{0,4}zero(?: [a-z]{1,9}(?:/[a-z]{1,7})?)?[^\w]{0,4}")
_A_NUMBER_AND_MORE = re.compile(r"[0-9].*(?<![a-z])(?!and\b|or\b|to\b)[a-zåµ]{2,}")


def read_text(text: str, shadowed: str, names: Names, judge: Judge, declined: bool) -> Finding | None:
    """Find the value in a levelled text.

    Args:
        text: The answer; what is no answer is blanked.
        shadowed: The same in the form in which names are looked for.
        names: The property's names.
        judge: The task's judge.
        declined: The text says it gives no answer: then only a number that is clearly one counts.

    Returns:
        A value (``labelled`` or ``number``), or the reason why the number found is none, or None.
    """
    bad: Finding | None = None
    for label_end in _ends(shadowed, _FINAL):
        found = _after_label(text, shadowed, label_end, names, judge)
        if found is not None and found.good:
            return found
        bad = bad or found
    for label_end in _mentions(shadowed, names):
        found = _after_label(text, shadowed, label_end, names, judge)
        if found is not None and found.good:
            return found
        bad = bad or found
    for label_end in _ends(shadowed, _LABELS):
        found = _after_label(text, shadowed, label_end, names, judge, strict=True)
        if found is not None and found.good:
            return found
        bad = bad or found
    for label_end in _ends(shadowed, _SAID):
        found = _after_label(text, shadowed, label_end, names, judge, strict=True)
        if found is not None and found.good:
            return found._replace(status="number")
    return _plain(text, shadowed, names, judge, declined, bad)


def _ends(shadowed: str, words: tuple[str, ...]) -> Iterator[int]:
    """Where words end, in the order of the text."""
    places: list[int] = []
    for word in words:
        position = shadowed.find(word)
        while position >= 0 and len(places) < _MOST_LABELS:
            places.append(position + len(word))
            position = shadowed.find(word, position + len(word))
    yield from sorted(set(places))


def _mentions(shadowed: str, names: Names) -> Iterator[int]:
    """Where mentions of the property end, in the order of the text; names inside longer names of others left out."""
    places: dict[int, int] = {}
    for name in names.spoken:
        position = shadowed.find(name)
        count = 0
        while position >= 0 and count < _MOST_LABELS:
            end = position + len(name)
            count += 1
            if end < len(shadowed) and shadowed[end] == "s":
                end += 1
            whole = (position == 0 or not shadowed[position - 1].isalnum()) and not shadowed[end : end + 1].isalnum()
            if whole and not _inside_longer(shadowed, position, name, names.longer[name]):
                places[end] = min(places.get(end, position), position)
            position = shadowed.find(name, end)
    for sign in names.signs:
        for matched in re.finditer(rf"(?<![^\W]){re.escape(sign)}(?= ?[=:≈~])", shadowed[:20_000]):
            places[matched.end()] = matched.start()
    yield from sorted(places)[:_MOST_LABELS]


def _inside_longer(shadowed: str, position: int, name: str, longer: tuple[str, ...]) -> bool:
    for other in longer:
        offset = other.find(name)
        if offset >= 0 and shadowed.startswith(other, position - offset) and position >= offset:
            return True
    return False


def _sentence_end(text: str, position: int) -> int:
    limit = min(len(text), position + _WINDOW)
    matched = _SENTENCE_END.search(text, position, limit)
    return limit if matched is None else matched.start()


def _after_label(
    text: str, shadowed: str, label_end: int, names: Names, judge: Judge, *, strict: bool = False
) -> Finding | None:
    """The value behind a label, in its sentence or, where nothing else stands in that line, in the next."""
    bracket = _BRACKET.match(text, label_end)
    begin = label_end if bracket is None or _holds_value(text, bracket, judge) else bracket.end()
    end = _sentence_end(text, begin)
    skipped = 0
    while end < len(text) and text[end] == "\n" and _NO_WORDS.fullmatch(text, begin, end) and skipped < 3:
        end = _sentence_end(text, end + 1)
        skipped += 1
    bad: Finding | None = None
    compared: Finding | None = None
    for number, quantity in enumerate(quantities(text, begin, end)):
        if number > 8:
            break
        between = shadowed[begin : quantity.start]
        lead = text[begin : quantity.start]
        near = _NO_WORDS.fullmatch(lead) is not None
        connected = near or _CONNECTED.search(between) is not None or _CONNECTED_AT_ONCE.search(lead) is not None
        if strict and not near and not _SAYS.match(between):
            continue
        if not connected and not judge.fits(quantity):
            continue
        if len(between) > 3 and names.foreign.search(_BRACKET.sub(" ", between)):
            return bad
        found = judge.judge(quantity, "labelled")
        if found is None:
            continue
        if found.good and _COMPARED.search(between):  # larger than that of X (3 eV)
            compared = compared or found
        elif found.good:
            return found
        else:
            bad = bad or found
    if compared is not None:
        return compared
    if bad is None and re.match(r"[^\w]{0,8}(?:is|of|:|=|equals)?[^\w]{0,4}zero\b", shadowed[begin:end]):
        place = shadowed.index("zero", begin)
        return Finding("labelled", 0.0, place, place + 4)
    return bad


def _holds_value(text: str, bracket: re.Match[str], judge: Judge) -> bool:
    """Whether brackets behind a label hold a value, and not a unit or a symbol."""
    for quantity in quantities(text, bracket.start() + 1, bracket.end() - 1):
        found = judge.judge(quantity, "labelled")
        if found is not None and found.good:
            return "=" in bracket[0] or quantity.start <= bracket.start() + 4
    return False


def _plain(text: str, shadowed: str, names: Names, judge: Judge, declined: bool, bad: Finding | None) -> Finding | None:
    """The first number with a unit that fits, else the first without one."""
    first: Finding | None = None
    for number, quantity in enumerate(quantities(text)):
        if number >= MOST_CANDIDATES:
            break
        found = judge.judge(quantity, "number")
        if found is None:
            continue
        if not found.good:
            bad = bad or found
            continue
        if first is not None and not judge.fits(quantity):
            continue
        before = shadowed[max(0, quantity.start - 80) : quantity.start]
        cut = max(before.rfind("\n"), before.rfind(". "), before.rfind("; "))
        before = before[cut + 1 :]
        if len(before) > 2 and _of_another(before, names, judge.fits(quantity)):
            continue
        if judge.fits(quantity):
            if declined and not (_LIKELY.search(before) or len(text.strip()) < 200):
                continue
            return found
        if first is None and (not declined or _LIKELY.search(before)):
            first = found
            if not judge.has_dimension:
                return first
    if first is None and bad is None and _ZERO.fullmatch(shadowed.strip()):
        place = shadowed.index("zero")
        return Finding("number", 0.0, place, place + 4)
    return first if first is not None else bad


def _of_another(before: str, names: Names, fits: bool) -> bool:
    """Whether the last name before a number in its sentence is that of another property.

    A number whose unit fits (``fits``) is another's only where words such as "is" lead from that name to it.
    """
    mentions = list(names.foreign.finditer(before))
    if not mentions:
        return False
    rest = before[mentions[-1].end() :]
    if fits and not _LEADS_TO.search(rest):
        return False
    if _A_NUMBER_AND_MORE.search(rest):  # that name has its own number already
        return False
    return not any(name in rest for name in names.spoken)
