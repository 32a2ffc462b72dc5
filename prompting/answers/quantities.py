"""Numbers that stand for a value, with sign, unit, range and uncertainty; digits that belong to a word do not count."""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ...dataset_builder.crystals.formulas import ELEMENTS
from .numerals import Numeral, read_numeral
from .units import Unit, read_unit
from .words import WORDS

MOST_SITES = 1_500  # digits looked at in one text; what comes later is not read
_DIGIT = re.compile("[0-9]")
_PLUS_MINUS = re.compile(r"[ $]{0,3}\(?(?:±|\+ ?/ ?-|\+-(?=[0-9. ])|\\+pm|&plusmn;)[ $]{0,3}(?=[0-9.])")
_CELL_MULTIPLE = re.compile(r"[0-9] ?[x×] ?$")
_UNCERTAINTY = re.compile(r"\([0-9]{1,4}\)")
_RANGE = re.compile(
    r"[ $]{0,3}(?:-|~|\.{2,3}|…|\\sim|to|through|up to|until|(and|&))[ $]{0,3}"
    r"(?:about |around |approximately |~)?(?=[+-]? ?\.?[0-9])"
)
_COUNTED = re.compile(rf"[ -]?(?:{'|'.join(WORDS.counted)})\b", re.IGNORECASE)
_NUMBERED = re.compile(
    rf"(?:{'|'.join(WORDS.numbered)})[ ]?[(:=#]?[ ]?(?:is |of |no\. ?)?\(?$",
    re.IGNORECASE,
)
_ENUMERATED = re.compile(r"[0-9]{1,3}(?:\.|\)|:)[ ]++(?=[^\n ])")
_SITE_LABEL = re.compile(r"[A-Z][a-z]?\($")
_GROUP_NUMBER = re.compile(r"space[ -]?group[^.\n]{0,25}\($", re.IGNORECASE)
_OF_AN_ELEMENT = re.compile(r" ([A-Z][a-z]?)\b(?![/^'])")
_ENGLISH = frozenset({"I", "In", "As", "At", "He", "No", "Be", "Am", "Es", "La"})
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_YEAR_BEFORE = re.compile(r"\b(?:in|since|year|until|as of|,)[ (]*$|\($", re.IGNORECASE)
_INTERVAL = re.compile(r" ?, ?(?=[+-]?\.?[0-9])")
_MINUS_WORD = re.compile(r"\b(?:minus|negative) $", re.IGNORECASE)
_MINUS_AFTER = re.compile(
    r"(?:[:=≈~(<>\"'|$]|\b(?:is|are|was|be|of|about|approximately|around|roughly|to|at|from|between|and))[ ]*$",
    re.IGNORECASE,
)


class Quantity(NamedTuple):
    """A value read in a text: ``text[start:end]`` holds it, sign and unit included.

    ``power`` is the power of ten that was written out (None without one); ``bare_power`` marks one without a factor.
    """

    value: float
    unit: Unit | None
    start: int
    end: int
    power: int | None
    bare_power: bool


def quantities(text: str, start: int = 0, end: int | None = None) -> Iterator[Quantity]:
    """Find the values in a levelled text, in order; lazily, since the first is mostly enough."""
    end = len(text) if end is None else end
    position = start
    for _ in range(MOST_SITES):
        digit = _DIGIT.search(text, position, end)
        if digit is None:
            return
        found = _at(text, digit.start(), start)
        if isinstance(found, int):
            position = max(found, digit.end())
        else:
            position = max(found.end, digit.end())
            yield found


def _at(text: str, first: int, floor: int) -> Quantity | int:
    """The value at a digit, or the position to go on from where the digit belongs to something else."""
    if first > 0 and text[first - 1] == ".":
        before = text[first - 2] if first > 1 else " "
        if before.isalnum() or before in "_.)":
            return first + 1
        first -= 1
    start = first
    sign = 1.0
    previous = text[start - 1] if start > floor else " "
    if previous.isalnum() or previous in "_)]^±":
        return _over(text, first)
    if previous in "/{<>" and text[max(0, start - 5) : start].lower().endswith(("_{", "^{", "<sub>", "<sup>")):
        return _over(text, first)
    if previous == "/" and start > 1 and (text[start - 2].isalnum() or text[start - 2] == "-"):
        return _over(text, first)
    if previous == ":" and text[start - 2].isdigit():  # a ratio, a time
        return _over(text, first)
    behind = text[max(floor, start - 40) : start]
    if previous in " x×" and _CELL_MULTIPLE.search(behind):
        return _over(text, first)
    if previous in "+-":
        before = text[start - 2] if start - 1 > floor else " "
        if before.isalnum() or before in "_)]/":  # a hyphen: mp-149, P-1
            return _over(text, first)
        sign, start = (-1.0 if previous == "-" else 1.0), start - 1
        if before in "+-" and previous == "-" and text[max(floor, start - 2) : start - 1].isalnum():
            return _over(text, first)
    elif previous in " $":
        stripped = behind.rstrip(" $")
        if stripped.endswith("-"):
            led = stripped[:-1]
            if _MINUS_AFTER.search(led) or (
                not led.strip() and start - len(behind) <= floor and "\n" not in led and not led
            ):
                sign, start = -1.0, start - (len(behind) - len(stripped)) - 1
        elif stripped.endswith(("±", "\\pm", "+/-")):
            return _over(text, first)
        else:
            word = _MINUS_WORD.search(behind)
            if word is not None:
                sign, start = -1.0, start - (len(behind) - word.start())
    numeral = read_numeral(text, first)
    if numeral is None:
        return first + 1
    end = numeral.end
    following = text[end : end + 1]
    if numeral.power is None:
        integer = text[first:end].isdigit()
        if integer and sign > 0 and _names_something(text, first, end, behind):
            return end
        if integer and sign > 0 and _NUMBERED.search(behind):
            return end
        if integer and (
            first == 0
            or text[first - 1] == "\n"
            or not text[text.rfind("\n", max(0, first - 12), first) + 1 : first].strip(" *#>-(")
        ):
            enumerated = _ENUMERATED.match(text, first)
            line_start = first == 0 or "\n" in text[max(0, first - 12) : first] or first <= 12
            if enumerated is not None and line_start:
                return end
    if following in "^_" and following:
        return end
    if following == "(":
        bracket = _UNCERTAINTY.match(text, end)
        if bracket is not None:
            end = bracket.end()
            following = text[end : end + 1]
        elif integer_charge(text, end):
            return end
    if following and following in "+-" and text[end + 1 : end + 2] == ")" and text[start - 1 : start] == "(":
        return end + 1  # Fe(3+)
    if following and following in ".,:" and text[end + 1 : end + 2].isdigit():
        return _over(text, end)
    plus_minus = _PLUS_MINUS.match(text, end)
    if plus_minus is not None:
        other = read_numeral(text, plus_minus.end())
        if other is not None:
            end = other.end + (1 if "(" in plus_minus[0] and text[other.end : other.end + 1] == ")" else 0)
    unit_found = read_unit(text, end)
    unit = None if unit_found is None else unit_found.unit
    if unit_found is None:
        if text[end : end + 1].isalpha() and not text.startswith(("to", "and"), end):
            return end
        if following == "-" and text[end + 1 : end + 2].isalpha():
            return end
        if following == "/" and text[end + 1 : end + 2].isalpha():
            return end
        if re.match(r" ?[x×] ?[0-9]", text[end : end + 4]):
            return _over(text, end)
        if following and _COUNTED.match(text, end):
            return end
    elif _COUNTED.match(text, unit_found.end):
        return unit_found.end
    after_unit = end if unit_found is None else unit_found.end
    if following == "/" and unit is None and numeral.power is None:
        ratio = read_numeral(text, end + 1)
        if ratio is not None and ratio.value and not text[ratio.end : ratio.end + 1].isalpha():
            return Quantity(sign * numeral.value / ratio.value, None, start, ratio.end, None, False)
    ranged = _range(text, after_unit, numeral, sign * numeral.value, unit, behind)
    if ranged is None and text[start - 1 : start] == "[":
        ranged = _interval(text, after_unit, sign * numeral.value, unit)
    if isinstance(ranged, int):
        return ranged
    if ranged is not None:
        value, unit, end = ranged
        return Quantity(value, unit, start, end, None, False)
    return Quantity(sign * numeral.value, unit, start, after_unit, numeral.power, numeral.bare_power)


def _names_something(text: str, first: int, end: int, behind: str) -> bool:
    """Whether a whole number is a site (``Fe(1)``), a space group, an amount of an element, or a year."""
    if text[end : end + 1] == ")" and (_SITE_LABEL.search(behind) or _GROUP_NUMBER.search(behind)):
        return True
    element = _OF_AN_ELEMENT.match(text, end)
    if element is not None and element[1] in ELEMENTS and element[1] not in _ENGLISH and read_unit(text, end) is None:
        return True
    year = _YEAR.fullmatch(text, first, end)
    return year is not None and _YEAR_BEFORE.search(behind) is not None and read_unit(text, end) is None


def integer_charge(text: str, end: int) -> bool:
    """Whether a bracket with a charge follows, as in ``2(+)``."""
    return text[end : end + 3] in ("(+)", "(-)")


def _over(text: str, position: int) -> int:
    """Behind the digits and points that begin at a position."""
    end = position
    while end < len(text) and text[end] in "0123456789.":
        end += 1
        if end - position > 64:
            break
    return max(end, position + 1)


def _interval(text: str, end: int, low: float, unit: Unit | None) -> tuple[float, Unit | None, int] | None:
    """Mean, unit and end of an interval ``[low, high]``."""
    comma = _INTERVAL.match(text, end)
    if comma is None:
        return None
    place = comma.end()
    sign = -1.0 if text[place] == "-" else 1.0
    high = read_numeral(text, place + (text[place] in "+-"))
    if high is None:
        return None
    found = read_unit(text, high.end)
    after = high.end if found is None else found.end
    if not text.startswith("]", after) or sign * high.value <= low:
        return None
    behind = read_unit(text, after + 1)
    if found is None and behind is not None:  # [1, 2] eV
        return (low + sign * high.value) / 2, behind.unit, behind.end
    return (low + sign * high.value) / 2, unit if found is None else found.unit, after


def _range(
    text: str, end: int, low: Numeral, low_value: float, low_unit: Unit | None, behind: str
) -> tuple[float, Unit | None, int] | int | None:
    """Mean, unit and end of the range that goes on behind its first number; a position where it is none after all."""
    matched = _RANGE.match(text, end)
    if matched is None:
        return None
    if matched[1] and "between" not in behind.lower():
        return None
    place = matched.end()
    sign = 1.0
    if text[place] in "+-":
        sign = -1.0 if text[place] == "-" else 1.0
        place += 1
        if text[place : place + 1] == " ":
            place += 1
    high = read_numeral(text, place)
    if high is None:
        return None
    value = high.value
    if high.times_ten and not high.bare_power and low.power is None and high.power is not None:
        low_value = float(f"{low_value!r}e{high.power}") if abs(high.power) < 400 else low_value
    found = read_unit(text, high.end)
    after = text[high.end : high.end + 1]
    if found is None and (after.isalpha() or after == "_"):
        return None
    if found is None and after == "-" and text[high.end + 1 : high.end + 2].isdigit():
        return high.end  # 1-3-5 is no range
    unit = low_unit if found is None else found.unit
    value = sign * value
    if (
        found is not None
        and low_unit is not None
        and low_unit != found.unit
        and low_unit.dimension == found.unit.dimension
    ):
        low_value = (
            float(Fraction(low_value) * (low_unit.factor / found.unit.factor)) if abs(low_value) < 1e300 else low_value
        )
    return (low_value + value) / 2, unit, high.end if found is None else found.end
