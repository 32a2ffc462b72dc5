"""What was found in an answer, and whether a number can be the value that was asked for."""

import math
from fractions import Fraction
from typing import Literal, NamedTuple

from ...dataset_builder.catalogue import Task, meaning_of
from .quantities import Quantity, quantities
from .units import ONE, Unit, conversion, wanted_unit

Status = Literal[
    "json", "labelled", "number", "refused", "empty", "no_number", "out_of_range", "wrong_unit", "truncated"
]
MOST_CANDIDATES = 300  # numbers of one text that are weighed


class Finding(NamedTuple):
    """A value with the status it would have, or the reason why a number that stands for the value is none."""

    status: Status
    value: float | bool | None
    start: int
    end: int

    @property
    def good(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


class Judge:
    """Decides whether a quantity can be the value of a regression task, and in which unit; one a task."""

    def __init__(self, task: Task) -> None:
        one = meaning_of(task.property)
        self.lowest = None if one is None else one.lowest
        self.highest = None if one is None else one.highest
        self.whole_cell = "cell" in task.property.title
        self.fraction = task.unit is None and (self.lowest, self.highest) == (0, 1)
        wanted = wanted_unit(task.unit)
        self.known = wanted is not None
        self.unit = ONE if wanted is None else wanted.unit
        self.power = 0 if wanted is None else wanted.power
        self.has_dimension = self.known and self.unit != ONE

    def judge(self, quantity: Quantity, status: Status, unit: Unit | None = None) -> Finding | None:
        """Weigh one quantity.

        Args:
            quantity: As read.
            status: What a good value is called.
            unit: The unit where the quantity has none of its own (from a key, say).

        Returns:
            A value, or ``wrong_unit``, or ``out_of_range``; None where it is no value (the power of ten of a unit).
        """
        value = quantity.value
        unit = quantity.unit if quantity.unit is not None else unit
        if self.power and quantity.power == self.power:
            if quantity.bare_power:
                return None
            if unit is None:  # "5 x 10^21", where the unit is 10²¹ V/m²
                value /= 10.0**self.power
        if unit is not None and self.known and unit != self.unit:
            ratio = conversion(unit, self.unit, whole_cell=self.whole_cell, fraction=self.fraction)
            if ratio is None:
                return Finding("wrong_unit", None, quantity.start, quantity.end)
            value = _scaled(value, ratio)
        if (
            not math.isfinite(value)
            or (self.lowest is not None and value < self.lowest)
            or (self.highest is not None and value > self.highest)
        ):
            return Finding("out_of_range", None, quantity.start, quantity.end)
        return Finding(status, value, quantity.start, quantity.end)

    def fits(self, quantity: Quantity) -> bool:
        """Whether the quantity has a unit of its own that can be converted, and the task has a dimension."""
        if quantity.unit is None or not self.has_dimension:
            return False
        return conversion(quantity.unit, self.unit, whole_cell=self.whole_cell, fraction=self.fraction) is not None

    def first(self, text: str, start: int, end: int, status: Status, unit: Unit | None = None) -> Finding | None:
        """The first good value between two positions; without one, the first reason why not."""
        bad: Finding | None = None
        for number, quantity in enumerate(quantities(text, start, end)):
            if number >= MOST_CANDIDATES:
                break
            found = self.judge(quantity, status, unit)
            if found is not None and found.good:
                return found
            bad = bad or found
        return bad


def _scaled(value: float, ratio: Fraction) -> float:
    if ratio == 1 or not math.isfinite(value):
        return value
    try:
        return float(Fraction(value) * ratio)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
