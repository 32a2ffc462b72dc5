"""Numbers that stand for a value, with sign, unit, range and uncertainty; digits that belong to a word do not count."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from .numerals import power_behind, read_numeral, scaled
from .ranges import Low, read_interval, read_range
from .surroundings import behind_of, goes_on, is_word, names_something, sign_before
from .units import Unit, read_unit

MOST_SITES = 1_500  # digits looked at in one text; what comes later is not read
_LONGEST_RUN = 64
_DIGIT = re.compile("[0-9]")
_DIGITS = re.compile(rf"[0-9.]{{1,{_LONGEST_RUN}}}")
_PLUS_MINUS = re.compile(r"[ $]{0,3}\(?(?:±|\+ ?/ ?-|\+-(?=[0-9. ])|\\+pm|&plusmn;)[ $]{0,3}(?=[0-9.])")
_LAST_DIGITS = re.compile(r"\([0-9]{1,4}\)")


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
    if first > floor and text[first - 1] == ".":
        before = text[first - 2] if first - 1 > floor else " "
        if before.isalnum() or before in "_.)":
            return first + 1
        first -= 1
    signed = sign_before(text, first, floor)
    if signed is None:
        return _over(text, first)
    sign, start = signed
    numeral = read_numeral(text, first)
    if numeral is None:
        return first + 1
    end = numeral.end
    behind = behind_of(text, first, floor)
    if numeral.power is None and sign > 0 and text[first:end].isdigit() and names_something(text, first, end, behind):
        return end
    last_digits = _LAST_DIGITS.match(text, end)
    if last_digits is not None:  # 1.234(5)
        end = last_digits.end()
    if goes_on(text, start, end):
        return _over(text, end)
    end = _over_uncertainty(text, end)
    value = sign * numeral.value
    power = numeral.power
    if numeral.power is None and (text[end - 1] == ")" or _in_brackets(text, start, end)):
        multiplied = power_behind(text, end + (text[end - 1] != ")"))
        if multiplied is not None:  # 1.5(2) × 10⁻¹, (1.5 ± 0.2) × 10⁻¹, (1.5) × 10⁻¹
            exponent, end = multiplied
            value = scaled(repr(value), exponent)
            power = int(exponent) if len(exponent) < 7 else None
    unit = read_unit(text, end)
    if is_word(text, end, unit):
        return end if unit is None else unit.end
    if text.startswith("/", end) and unit is None and numeral.power is None:
        other = read_numeral(text, end + 1)
        if other is not None and other.value and not text[other.end : other.end + 1].isalpha():
            return Quantity(value / other.value, None, start, other.end, None, False)
    low = Low(numeral, value, None if unit is None else unit.unit, end if unit is None else unit.end)
    ranged = read_range(text, low, behind)
    if ranged is None and text[start - 1 : start] == "[":
        ranged = read_interval(text, low)
    if ranged is None:
        return Quantity(value, low.unit, start, low.end, power, numeral.bare_power)
    if math.isnan(ranged.mean):
        return ranged.end
    closed = ranged.end + (text[ranged.end - 1 : ranged.end] not in (")", "]"))
    multiplied = power_behind(text, closed) if text[closed - 1 : closed] in (")", "]") else None
    if multiplied is not None and ranged.unit is None:  # (1-3) × 10⁻¹
        after = read_unit(text, multiplied[1])
        mean = scaled(repr(ranged.mean), multiplied[0])
        return Quantity(
            mean,
            None if after is None else after.unit,
            start,
            multiplied[1] if after is None else after.end,
            None,
            False,
        )
    return Quantity(ranged.mean, ranged.unit, start, ranged.end, None, False)


def _in_brackets(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] == "(" and text.startswith(")", end)


def _over(text: str, position: int) -> int:
    """Behind the digits and points that begin at a position."""
    digits = _DIGITS.match(text, position)
    return position + 1 if digits is None else digits.end()


def _over_uncertainty(text: str, end: int) -> int:
    """Behind the ``± 0.2`` that follows a number, if one does."""
    sign = _PLUS_MINUS.match(text, end)
    if sign is None:
        return end
    other = read_numeral(text, sign.end())
    if other is None:
        return end
    return other.end + ("(" in sign[0] and text.startswith(")", other.end))
