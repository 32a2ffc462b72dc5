"""Ranges, whose mean counts: ``1.0-3.4``, ``1.0 to 3.4 eV``, ``between 1 and 2``, ``[1, 2]``."""

import math
import re
from fractions import Fraction
from typing import NamedTuple

from .numerals import Numeral, read_numeral, scaled
from .units import Unit, read_unit

_DASH = re.compile(
    r"[ $]{0,3}(?:-|~|\.{2,3}|…|\\sim|to|through|up to|until|(and|&))[ $]{0,3}"
    r"(?:about |around |approximately |~)?(?=[+-]? ?\.?[0-9])"
)
_COMMA = re.compile(r" ?, ?(?=[+-]?\.?[0-9])")


class Low(NamedTuple):
    """The first end of what may be a range: its numeral, its signed value, its unit, and where it ends."""

    numeral: Numeral
    value: float
    unit: Unit | None
    end: int


class Range(NamedTuple):
    """The mean of a range, its unit, and where it ends."""

    mean: float
    unit: Unit | None
    end: int


def read_range(text: str, low: Low, behind: str) -> Range | None:
    """Read the range that goes on behind its first number.

    Args:
        text: A levelled text.
        low: The first number.
        behind: What stands before it: "and" makes a range only after "between".

    Returns:
        None where no range follows; a range whose mean is NaN where three numbers are joined by hyphens (``1-3-5``),
        which is neither a range nor a number.
    """
    dash = _DASH.match(text, low.end)
    if dash is None or (dash[1] and "between" not in behind.lower()):
        return None
    place = dash.end()
    sign = 1.0
    if text[place] in "+-":
        sign = -1.0 if text[place] == "-" else 1.0
        place += 1 + text.startswith(" ", place + 1)
    high = read_numeral(text, place)
    if high is None:
        return None
    unit = read_unit(text, high.end)
    after = text[high.end : high.end + 1]
    if unit is None and (after.isalpha() or after == "_"):
        return None
    if unit is None and after == "-" and text[high.end + 1 : high.end + 2].isdigit():
        return Range(math.nan, None, high.end)
    value = low.value
    if high.times_ten and not high.bare_power and low.numeral.power is None and high.power is not None:
        value = scaled(repr(value), str(high.power))  # 1-2 × 10⁻³
    if unit is None:
        return Range(value / 2 + sign * high.value / 2, low.unit, high.end)
    if low.unit is not None and low.unit.dimension == unit.unit.dimension and math.isfinite(value):
        value = _in_unit(value, low.unit, unit.unit)
    return Range(value / 2 + sign * high.value / 2, unit.unit, unit.end)


def read_interval(text: str, low: Low) -> Range | None:
    """Read the interval ``[low, high]`` whose first number was read; None where it is none."""
    comma = _COMMA.match(text, low.end)
    if comma is None:
        return None
    place = comma.end()
    sign = -1.0 if text[place] == "-" else 1.0
    high = read_numeral(text, place + (text[place] in "+-"))
    if high is None or sign * high.value <= low.value:
        return None
    unit = read_unit(text, high.end)
    end = high.end if unit is None else unit.end
    if not text.startswith("]", end):
        return None
    mean = low.value / 2 + sign * high.value / 2
    outside = read_unit(text, end + 1) if unit is None else None
    if outside is not None:  # [1, 2] eV
        return Range(mean, outside.unit, outside.end)
    return Range(mean, low.unit if unit is None else unit.unit, end)


def _in_unit(value: float, unit: Unit, other: Unit) -> float:
    if unit == other:
        return value
    try:
        return float(Fraction(value) * (unit.factor / other.factor))
    except OverflowError:
        return math.copysign(math.inf, value)
