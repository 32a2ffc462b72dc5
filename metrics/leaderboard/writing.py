"""The filters of the templates: how numbers and names are written on the page."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from ..results.apart import leaves
from ..results.record import json_sha256
from .models import Cell, Entry


def key(value: float) -> str:
    """A number to sort by."""
    return f"{value:.7g}"


def percent(share: float) -> str:
    """A share in percent; never rounded up to all."""
    shown = f"{100 * share:.1f}"
    return "100 %" if share == 1 else f"{'99.9' if shown == '100.0' else shown} %"


def short(number: int) -> str:
    """A large number with three digits: 124M."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def first_number(text: str) -> str:
    """The number that a text begins with."""
    found = re.match(r"-?\d+\.?\d*(?:[eE][+-]?\d+)?", text)
    return found[0] if found else ""


def model_file(model: str) -> str:
    """Name of a model's page: a hash, as no name that others chose becomes a path."""
    return json_sha256(model)[:16]


def lowest_coverage(entry: Entry) -> float | None:
    """Least share answered over the tasks of a row; None where it is not said."""
    shares = [cell.coverage for cell in entry.cells.values() if cell.coverage is not None]
    return min(shares) if shares else None


def flat(protocol: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Settings as a flat list."""
    return ((name.removeprefix("settings."), value) for name, value in leaves(protocol))


class Scale(NamedTuple):
    """Where a score lies on a strip, in percent of its width."""

    low: float
    high: float
    neutral: float

    @classmethod
    def of(cls, cells: list[Cell], neutral: float) -> "Scale | None":
        """A scale that holds the scores and the neutral one, the outermost intervals cut."""
        values = [cell.value for cell in cells if cell.value is not None]
        if not values:
            return None
        ends = [end for cell in cells for end in (cell.low, cell.high) if end is not None]
        low, high = min(*values, neutral), max(*values, neutral)
        reach = 0.25 * (high - low) or 0.1 * abs(high) or 0.1
        return cls(
            max(min([low, *ends]), low - reach) - 0.02 * reach,
            min(max([high, *ends]), high + reach) + 0.02 * reach,
            neutral,
        )

    def at(self, value: float | None) -> str:
        """From the left; an end that is not there is the scale's own."""
        if value is None:
            return "0"
        return f"{min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0):.1f}"

    def from_right(self, value: float | None) -> str:
        """From the right."""
        return "0" if value is None else f"{100 - float(self.at(value)):.1f}"

    @property
    def guide(self) -> str:
        """Where the model that knows nothing lies."""
        return self.at(self.neutral)
