"""The value of a property in the objects of an answer."""

import re
from collections.abc import Callable

from .findings import Finding
from .names import Names
from .objects import Entry, Found, Object, Scalar
from .units import Unit, read_unit

ReadScalar = Callable[[str, int, int, Unit | None, bool], Finding | None]
"""Reads a value: text, start, end, the unit its key names, whether its key says the opposite."""

Opposite = Callable[[str], bool | None]
"""Whether a key names one class itself: True for the negative, False for the positive, None for neither."""

_MOST_DEPTH = 5
_MOST_BESIDE = 32  # entries of an object that are looked at for a unit
_LEAST = frozenset(["min", "minimum", "lower", "low", "from", "lowerbound"])
_MOST = frozenset(["max", "maximum", "upper", "high", "to", "upperbound"])
_UNSURE = frozenset(["uncertainty", "error", "std", "sigma", "confidence", "deviation", "unit", "units", "min", "max"])
_CUT = re.compile(r"(?:^|[^0-9.])[0-9]{1,}$|[0-9]\.$|[eE][+-]?$|[-+]$|\^\{?-?$|10$")


class Picker:
    """Looks for one property in what `find_objects` found."""

    def __init__(
        self, text: str, names: Names, read: ReadScalar, opposite: Opposite | None, cut_off: bool | None
    ) -> None:
        self.text = text
        self.names = names
        self.read = read
        self.opposite = opposite
        self.cut_off = cut_off
        self.end = len(text.rstrip(" \n\t`"))
        self.truncated = False

    def pick(self, found: Found) -> Finding | None:
        """The first value under the property's name; else under a word such as ``value``; else the only one."""
        bad: Finding | None = None
        foreign: set[int] = set()  # objects under another property's name
        generic: list[tuple[Entry, Object, Unit | None]] = []
        unknown: list[tuple[Entry, Object]] = []
        for one in found.objects:
            if one.is_list:
                if id(one) in foreign:
                    foreign |= {id(entry.value) for entry in one.entries if isinstance(entry.value, Object)}
                continue
            named = self._named(one)
            for entry in one.entries:
                if entry.key is None:
                    continue
                key = self.names.key(entry.key)
                flip = None if self.opposite is None else self.opposite(entry.key)
                if id(one) in foreign or named == "other" or (key.kind == "other" and flip is None):
                    if isinstance(entry.value, Object) and (key.kind == "other" or id(one) in foreign):
                        foreign.add(id(entry.value))
                    continue
                if key.kind == "mine" or flip is not None or (named == "mine" and key.kind == "generic"):
                    if named == "mine" and self.names.names_a_name(entry.key):
                        continue
                    value = self._value(entry, one, key.unit, bool(flip), 0)
                    value = self._other_end(value, entry, one)
                    if value is not None and value.good:
                        return value
                    bad = bad or value
                elif key.kind == "generic":
                    generic.append((entry, one, key.unit))
                else:
                    unknown.append((entry, one))
        if bad is not None or self.truncated:
            return bad
        for entry, one, unit in generic:
            value = self._value(entry, one, unit, False, 0)
            if value is not None:
                return value
        if len(unknown) > 20:
            return None
        values = [
            value for entry, one in unknown if (value := self._value(entry, one, None, False, _MOST_DEPTH)) is not None
        ]
        return values[0] if len(values) == 1 else None

    def _other_end(self, value: Finding | None, entry: Entry, one: Object) -> Finding | None:
        """The mean of two values that are given as ends: ``band_gap_min`` and ``band_gap_max``."""
        if value is None or not value.good or entry.key is None or not entry.key.lower().endswith(("_min", " min")):
            return value
        wanted = entry.key.lower()[:-3] + "max"
        for other in one.entries[:_MOST_BESIDE]:
            if other.key is not None and other.key.lower() == wanted:
                high = self._value(other, one, self.names.key(other.key).unit, False, 0)
                return value if high is None else _middle(value, high) or value
        return value

    def _named(self, one: Object) -> str | None:
        """What an object of the form {"property": NAME, "value": ...} is about."""
        if len(one.entries) < 2 or len(one.entries) > 12:
            return None
        for entry in one.entries:
            if entry.key is not None and isinstance(entry.value, Scalar) and self.names.names_a_name(entry.key):
                kind = self.names.key(self.text[entry.value.start : entry.value.end]).kind
                if kind in ("mine", "other"):
                    return kind
        return None

    def _unit_beside(self, one: Object) -> Unit | None:
        for entry in one.entries[:_MOST_BESIDE]:
            if entry.key is not None and isinstance(entry.value, Scalar) and entry.key.lower() in ("unit", "units"):
                found = read_unit(self.text[entry.value.start : entry.value.end].strip(), 0)
                return None if found is None else found.unit
        return None

    def _value(self, entry: Entry, holder: Object, unit: Unit | None, flip: bool, depth: int) -> Finding | None:
        value = entry.value
        if value is None:
            self.truncated = self.truncated or not holder.closed
            return None
        if isinstance(value, Scalar):
            if not holder.closed and value.end >= self.end and self._cut(value):
                self.truncated = True
                return None
            return self.read(self.text, value.start, value.end, unit or self._unit_beside(holder), flip)
        if depth >= _MOST_DEPTH:
            return None
        return self._in_list(value, unit, flip, depth) if value.is_list else self._in_object(value, unit, flip, depth)

    def _cut(self, value: Scalar) -> bool:
        """Whether a value that touches the end of the answer may have been cut."""
        if self.cut_off is not None:
            return self.cut_off
        return _CUT.search(self.text[value.start : value.end]) is not None

    def _in_list(self, value: Object, unit: Unit | None, flip: bool, depth: int) -> Finding | None:
        found = [
            one for entry in value.entries[:8] if (one := self._value(entry, value, unit, flip, depth + 1)) is not None
        ]
        if not found:
            return None
        if len(value.entries) == 2 and len(found) == 2:
            return _middle(found[0], found[1]) or found[0]
        return found[0]

    def _in_object(self, value: Object, unit: Unit | None, flip: bool, depth: int) -> Finding | None:
        unit = unit or self._unit_beside(value)
        ends: dict[str, Finding] = {}
        others: list[Entry] = []
        for entry in value.entries[:32]:
            if entry.key is None:
                others.append(entry)
                continue
            kind = self.names.key(entry.key).kind
            if kind in ("mine", "generic") or entry.key.lower() in ("mean", "average", "best", "most_likely"):
                found = self._value(entry, value, unit, flip, depth + 1)
                if found is not None:
                    return found
                continue
            folded = entry.key.lower().replace("_", "")
            if folded in _LEAST or folded in _MOST:
                found = self._value(entry, value, unit, flip, depth + 1)
                if found is not None:
                    ends["low" if folded in _LEAST else "high"] = found
            elif folded not in _UNSURE and kind != "other":
                others.append(entry)
        if len(ends) == 2:
            middle = _middle(ends["low"], ends["high"])
            if middle is not None:
                return middle
        for entry in others:
            found = self._value(entry, value, unit, flip, depth + 1)
            if found is not None:
                return found
        return next(iter(ends.values()), None)


def _middle(low: Finding, high: Finding) -> Finding | None:
    """The mean of a range's ends; None where they are none."""
    if type(low.value) is not float or type(high.value) is not float or low.value > high.value:
        return None
    return Finding(low.status, low.value / 2 + high.value / 2, low.start, high.end)
