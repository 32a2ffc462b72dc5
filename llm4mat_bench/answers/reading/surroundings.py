"""What stands around a number: its sign, and whether its digits belong to a name, a formula, a count or a date."""

import re

from ...dataset_builder.crystals.formulas import ELEMENTS
from .units import Found, read_unit
from .words import WORDS

_BEHIND = 40  # characters looked at before a number
_CELL_MULTIPLE = re.compile(r"[0-9] ?[x×] ?$")
_CELL_MULTIPLE_FOLLOWS = re.compile(r" ?[x×] ?[0-9]")
_COUNTED = re.compile(rf"[ -]?(?:{'|'.join(WORDS.counted)})\b", re.IGNORECASE)
_NUMBERED = re.compile(
    rf"(?:{'|'.join(WORDS.numbered)})[ ]?[(:=#]?[ ]?(?:is |of |no\. ?)?\(?$",
    re.IGNORECASE,
)
_ENUMERATED = re.compile(r"[0-9]{1,3}(?:\.|\)|:)[ ]++(?=[^\n ])")
_BEGINS_LINE = re.compile(r"(?:^|\n)[ *#>(-]*$")
_SITE_LABEL = re.compile(r"[A-Z][a-z]?\($")
_GROUP_NUMBER = re.compile(r"space[ -]?group[^.\n]{0,25}\($", re.IGNORECASE)
_SYMBOL = (
    r"(?!Band)[ABCFIPR](?:(?=[1-6mnabcd]{0,4}(?:-[1346]|(?<=[1-6])/[mnabcd]|_[1-5]))(?:-?[1-6]|_[1-5]|/?[mnabcd]){1,6}"
    r"|(?=[1-6]{0,3}[mnabcd])[1-6mnabcd]{3,4})(?![A-Za-z0-9])"
)
"""A space group as Hermann and Mauguin write it, where it is no formula (``P4``) and no element (``Ba``)."""
_SYMBOL_BEFORE = re.compile(rf"(?<![A-Za-z0-9]){_SYMBOL} ?[(,]? ?$")
_SYMBOL_FOLLOWS = re.compile(rf" ?[(,]? ?{_SYMBOL}")
_LAST_GROUP = 230
_OF_AN_ELEMENT = re.compile(r" ([A-Z][a-z]?)\b(?![/^'])")
_ENGLISH = frozenset({"I", "In", "As", "At", "He", "No", "Be", "Am", "Es", "La"})
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_YEAR_BEFORE = re.compile(r"\b(?:in|since|year|until|as of|,)[ (]*$|\($", re.IGNORECASE)
_MINUS_WORD = re.compile(r"\b(?:minus|negative) $", re.IGNORECASE)
_MINUS_AFTER = re.compile(
    r"(?:[:=≈~(<>\"'|$]|\b(?:is|are|was|be|of|about|approximately|around|roughly|to|at|from|between|and))[ ]*$",
    re.IGNORECASE,
)
_LOWERED = ("_{", "^{", "<sub>", "<sup>")  # an index or a power
_UNCERTAIN = ("±", "\\pm", "+/-")
_DENIED = (" not", "rather than", "instead of")


def behind_of(text: str, first: int, floor: int) -> str:
    """The characters before a number, no further back than ``floor``."""
    return text[max(floor, first - _BEHIND) : first]


def sign_before(text: str, first: int, floor: int) -> tuple[float, int] | None:
    """Sign of the number at a position and where it begins, sign included.

    Args:
        text: A levelled text.
        first: Where the digits (or the decimal point) begin.
        floor: Nothing before this is looked at.

    Returns:
        None where the digits belong to what stands before: ``Fe2O3``, ``P6_3``, ``mp-149``, ``(TiO2)3``, ``± 0.2``;
        and where it is denied: "not 2.0 eV but 1.3 eV".
    """
    previous = text[first - 1] if first > floor else " "
    if previous.isalnum() or previous in "_)]^±":
        return None
    if previous in "{>" and text[max(floor, first - 5) : first].lower().endswith(_LOWERED):
        return None
    before = text[first - 2] if first - 1 > floor else " "
    if (previous == "/" and (before.isalnum() or before == "-")) or (previous == ":" and before.isdigit()):
        return None  # 6/3, 12:30
    behind = behind_of(text, first, floor)
    if previous in " x×" and _CELL_MULTIPLE.search(behind):
        return None
    if previous in "+-":
        if before.isalnum() or before in "_)]/":  # a hyphen
            return None
        return (-1.0 if previous == "-" else 1.0), first - 1
    if previous in " $":
        return _sign_apart(behind, first, floor)
    return 1.0, first


def _sign_apart(behind: str, first: int, floor: int) -> tuple[float, int] | None:
    """Sign of a number with a blank before it: ``= - 1.5`` is negative, ``NaCl - 1.5`` and a bullet are not."""
    stripped = behind.rstrip(" $")
    if stripped.endswith(_UNCERTAIN) or stripped.lower().endswith(_DENIED):
        return None
    if stripped.endswith("-"):
        led = stripped[:-1]
        begins_text = not led and first - len(behind) <= floor
        if begins_text or _MINUS_AFTER.search(led):
            return -1.0, first - (len(behind) - len(stripped)) - 1
        return 1.0, first
    word = _MINUS_WORD.search(behind)
    return (1.0, first) if word is None else (-1.0, first - (len(behind) - word.start()))


def names_something(text: str, first: int, end: int, behind: str) -> bool:
    """Whether a whole number is no value but a name.

    A site (``Fe(1)``), a space group, a step, an atomic number, an amount of an element, a year, a line's number.
    """
    if _NUMBERED.search(behind):
        return True
    if text[end : end + 1] == ")" and (_SITE_LABEL.search(behind) or _GROUP_NUMBER.search(behind)):
        return True
    if end - first <= 3 and 1 <= int(text[first:end]) <= _LAST_GROUP:
        if _SYMBOL_FOLLOWS.match(text, end):
            return True
        if _SYMBOL_BEFORE.search(behind) and read_unit(text, end) is None:
            return True
    if _BEGINS_LINE.search(behind) and (first <= _BEHIND or "\n" in behind) and _ENUMERATED.match(text, first):
        return True
    element = _OF_AN_ELEMENT.match(text, end)
    if element is not None and element[1] in ELEMENTS and element[1] not in _ENGLISH and read_unit(text, end) is None:
        return True
    year = _YEAR.fullmatch(text, first, end)
    return year is not None and _YEAR_BEFORE.search(behind) is not None and read_unit(text, end) is None


def goes_on(text: str, start: int, end: int) -> bool:
    """Whether a number goes on as something else: ``2^3``, ``6_3``, ``(3+)``, ``2(+)``, ``1.2.3``, ``12:30``."""
    following = text[end : end + 1]
    if not following:
        return False
    after = text[end + 1 : end + 2]
    if following in "^_" or (following in ".,:" and after.isdigit()):
        return True
    if following in "+-" and after == ")" and text[start - 1 : start] == "(":
        return True
    return text.startswith(("(+)", "(-)"), end)


def is_word(text: str, end: int, unit: Found | None) -> bool:
    """Whether what follows a number makes a word of it (``3D``, ``6-fold``, ``2/m``) or a count (``5 atoms``)."""
    if unit is not None:
        return _COUNTED.match(text, unit.end) is not None
    following, after = text[end : end + 1], text[end + 1 : end + 2]
    if following.isalpha() and not text.startswith(("to", "and"), end):
        return True
    if following in ("-", "/") and after.isalpha():
        return True
    return _CELL_MULTIPLE_FOLLOWS.match(text, end) is not None or _COUNTED.match(text, end) is not None
