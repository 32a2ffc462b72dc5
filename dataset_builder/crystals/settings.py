"""The space group that a CIF states: by Hall symbol, by Hermann-Mauguin symbol with or without setting, by number.

The tables are gemmi's (564 settings, Hall symbols of any kind) and spglib's (full symbols).
"""

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

from .cif_blocks import Fields
from .errors import StructureError
from .operations import Operation, read_operation

HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
SYMBOL = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_symmetry_space_group_name_h_m",
    "_symmetry_space_group_name_h-m_alt",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
    "_space_group_name_h-m",
)
NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
CODE = ("_space_group_it_coordinate_system_code",)
SYSTEM = ("_space_group_crystal_system", "_symmetry_cell_setting")

_REMARK = re.compile(r"[\[(]?\s*(?:no\.?|number|#)\s*(\d+)\s*[\])]?\s*$", re.IGNORECASE)
_SUBSCRIPT = re.compile(r"(?<=[2-6])\(([1-5])\)|_(?=[1-5])")
_ORIGIN = re.compile(r"[\s:,;({\[]*o(?:rigin)?\s*(?:choice)?\s*[-:#]?\s*([12])\s*[)}\]]?$", re.IGNORECASE)
_AXES = re.compile(
    r"[\s:,;({\[]*(hexagonal|rhombohedral|hex|rhomb|rho)\.?(?:\s+ax[ei]s|\s+setting)?\s*[)}\]]?$", re.IGNORECASE
)
_SETTING = re.compile(r"\s*[:,;]\s*([12hr])$", re.IGNORECASE)


class Setting(NamedTuple):
    """A space group with the choice of its axes and origin."""

    name: str
    number: int
    operations: tuple[Operation, ...]

    @property
    def group(self) -> frozenset[Operation]:
        """The operations as a set."""
        return frozenset(self.operations)


class Stated(NamedTuple):
    """What a CIF says of its space group.

    Attributes:
        words: The fields as they stand there, for messages.
        number: Number of the group, None where it is not stated or not understood.
        settings: The settings that the words allow, the most usual first; empty where they are not understood.
        exact: The words name one setting, origin included.
        short: The symbol is short (``P 21/c``), which leaves the axes of a monoclinic group open.
        understood: All words are understood.
    """

    words: str
    number: int | None
    settings: tuple[Setting, ...]
    exact: bool
    short: bool
    understood: bool


def stated_group(fields: Fields) -> Stated | None:
    """What the fields of a CIF say of the space group, None where they say nothing.

    Raises:
        StructureError: They contradict each other.
    """
    hall, symbol, number_text = fields.value(*HALL), fields.value(*SYMBOL), fields.value(*NUMBER)
    words = ", ".join(repr(text) for text in (symbol, hall) if text)
    number = _number(number_text)
    if number is not None:
        words = f"{words} ({number})" if words else f"number {number}"
    if not words:
        return None
    understood = True
    settings: tuple[Setting, ...] = ()
    exact = short = False
    if symbol is not None:
        settings, exact, short = by_symbol(symbol, (fields.value(*CODE) or "").casefold())
        understood = bool(settings)
        remark = _REMARK.search(symbol)
        if remark is not None and settings and settings[0].number != int(remark[1]):
            raise StructureError(f"the space group contradicts itself: {symbol!r}")
    if hall is not None:
        by_hall = hall_setting(hall)
        if by_hall is None:
            understood = False
        else:
            if settings and by_hall.number != settings[0].number:
                raise StructureError(f"the space group contradicts itself: {words}")
            if exact and settings[0].group != by_hall.group:
                raise StructureError(f"the setting of the space group contradicts itself: {words}")
            settings, exact, short = (by_hall,), True, False
    if settings and number is not None and settings[0].number != number:
        raise StructureError(f"the space group contradicts itself: {words}")
    if not settings and symbol is None and hall is None and number is not None:
        settings = by_number(number)
    return Stated(words, settings[0].number if settings else number, settings, exact, short, understood)


def _number(text: str | None) -> int | None:
    try:
        number = int(float((text or "").strip("'\" ")))
    except (ValueError, OverflowError):
        return None
    return number if 1 <= number <= 230 else None


@lru_cache(maxsize=1024)
def by_symbol(symbol: str, code: str = "") -> tuple[tuple[Setting, ...], bool, bool]:
    """Settings that a Hermann-Mauguin symbol allows.

    Args:
        symbol: Such as ``F d -3 m :2``, ``R -3 m :R``, ``P21/c``, ``Fm-3m``, ``P 1 (No. 1)``, ``F d -3 m Z``.
        code: The code of the coordinate system from another field, e.g. ``2`` or ``r``.

    Returns:
        The settings (none where the symbol is not understood), whether origin and axes are said, and whether the symbol
        is a short one of a monoclinic group.
    """
    text = " ".join(symbol.replace("−", "-").replace("–", "-").strip("'\" ").split())
    text = _SUBSCRIPT.sub(lambda match: match[1] or "", _REMARK.sub("", text)).replace("_", " ").strip()
    wanted = code if code in ("1", "2", "h", "r") else ""
    for pattern in (_SETTING, _ORIGIN, _AXES):
        if match := pattern.search(text):
            text, wanted = text[: match.start()].rstrip(), match[1].casefold()[0]
            break
    found = _find(text)
    if not found and not wanted:  # suffixes of the ICSD: S and Z are origins 1 and 2, H and R the axes
        match = re.search(r"\s?(HR|[SZHR])$", text, re.IGNORECASE)
        if match and (found := _find(text[: match.start()].rstrip())):
            wanted = {"s": "1", "z": "2", "h": "h", "r": "r", "hr": "h"}[match[1].casefold()]
    elif found and not wanted and text[:1].upper() == "R" and re.search(r"[HR]$", text[1:], re.IGNORECASE):
        wanted = text[-1].casefold()
    elif found and not wanted and text[:1].upper() == "H":
        wanted = "h"
    if not found:
        return (), False, False
    choices = {one.ext.strip("\0").casefold(): one for one in found}
    if wanted and any(choices):
        if wanted not in choices:
            return (), False, False
        return (_setting(choices[wanted]),), True, False
    settings = tuple(_setting(one) for one in found)
    short = 3 <= settings[0].number <= 15 and len(text.split()) <= 2
    return settings, False, short


def _find(text: str) -> list[Any]:
    """All rows of gemmi's table with the symbol of the one it finds."""
    import gemmi

    if not text:
        return []
    first: Any = gemmi.find_spacegroup_by_name(text)
    if first is not None:
        return [one for one in gemmi.spacegroup_table() if one.number == first.number and one.hm == first.hm]
    halls = _full_symbols().get(re.sub(r"\s", "", text).casefold(), ())
    first = next((one for hall in halls if (one := _gemmi_by_hall(hall)) is not None), None)
    if first is None:
        return []
    return [one for one in gemmi.spacegroup_table() if one.number == first.number and one.hm == first.hm]


@cache
def _full_symbols() -> dict[str, tuple[str, ...]]:
    """Hall symbols by full symbol, such as ``F 4/d -3 2/m``."""
    import spglib

    found: dict[str, list[str]] = {}
    for index in range(1, 531):
        kind = spglib.get_spacegroup_type(index)
        found.setdefault(re.sub(r"[\s_]", "", kind.international_full).casefold(), []).append(kind.hall_symbol)
    return {name: tuple(halls) for name, halls in found.items()}


def _gemmi_by_hall(hall: str) -> Any:  # noqa: ANN401 - gemmi's
    import gemmi

    try:
        return gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(hall.replace("=", '"')))
    except (ValueError, RuntimeError):
        return None


@lru_cache(maxsize=1024)
def hall_setting(hall: str) -> Setting | None:
    """The setting of a Hall symbol, None where it is none."""
    import gemmi

    from .operations import check_group, group_number

    text = hall.strip().replace("_", " ")  # a Hall symbol may end in a quotation mark
    try:
        group = gemmi.symops_from_hall(text)
        operations = check_group([read_operation(one.triplet()) for one in group])
        return Setting(text, group_number(frozenset(operations)), operations)
    except (ValueError, RuntimeError):
        return None


@lru_cache(maxsize=256)
def by_number(number: int) -> tuple[Setting, ...]:
    """The settings that a number alone may mean: the usual axes, with each origin or kind of axes."""
    import gemmi

    first = gemmi.find_spacegroup_by_number(number)
    return tuple(_setting(one) for one in gemmi.spacegroup_table() if one.number == number and one.hm == first.hm)


def _setting(row: Any) -> Setting:  # noqa: ANN401 - gemmi's
    return _setting_of(row.xhm(), row.number, row.hall)


@lru_cache(maxsize=1024)
def _setting_of(name: str, number: int, hall: str) -> Setting:
    import gemmi

    return Setting(name, number, tuple(read_operation(one.triplet()) for one in gemmi.symops_from_hall(hall)))
