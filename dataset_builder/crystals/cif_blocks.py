"""One data block of a CIF as fields: names in small letters, values without quotes, None where ``?`` or ``.`` stands.

The block is taken apart by gemmi, which keeps to the rules of CIF 1.1; what programs often get wrong is mended first.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ...errors import UsageError
from .errors import StructureError
from .texts import mend_loops

_READ = ("_cell", "_atom_site", "_atom_type", "_symmetry", "_space_group", "_chemical_formula_sum")
_UNQUOTED = re.compile(r"^([ \t]*_\S+[ \t]+)([^\s'\"_#;\$\[][^'\"#\n]*?[ \t][^'\"#\n]*?)[ \t]*$", re.MULTILINE)
_PLACE = re.compile(r"^string:(\d+)(?::\d+)?(?:\(\d+\))?:? ?")

Column = list[str | None]


class Fields(NamedTuple):
    """The fields of a data block: `values` of single ones, `columns` of loops, by name in small letters."""

    values: dict[str, str | None]
    columns: dict[str, Column]

    def value(self, *names: str) -> str | None:
        """The value of the first of these fields that has one.

        Raises:
            StructureError: It has several.
        """
        for name in names:
            found = self.values.get(name)
            if found is None and name in self.columns:
                told = {value for value in self.columns[name] if value is not None}
                if len(told) > 1:
                    raise StructureError(f"{name} has several values")
                found = next(iter(told), None)
            if found is not None:
                return found
        return None

    def column(self, *names: str) -> Column | None:
        """The column of the first of these names that is there; a single field is a column of one."""
        for name in names:
            if name in self.columns:
                return self.columns[name]
            if name in self.values:
                return [self.values[name]]
        return None

    def names(self) -> Iterable[str]:
        """All names."""
        return (*self.values, *self.columns)


def read_block(text: str) -> Fields:
    """Take one data block apart.

    Args:
        text: A data block with its header.

    Raises:
        StructureError: It is no CIF: cut off in a loop or a quoted text, a value without a name, a field that the
            crystal depends on twice with two values.
    """
    values: dict[str, str | None] = {}
    columns: dict[str, Column] = {}
    for block in _parse(text):
        for item in block:
            if item.pair is not None:
                _add(values, _name(item.pair[0]), _value(item.pair[1]))
            elif item.loop is not None:
                width = item.loop.width()
                cells = [_value(cell) for cell in item.loop.values]
                for place, tag in enumerate(item.loop.tags):
                    _add(columns, _name(tag), cells[place::width])
    for name in values.keys() & columns.keys():
        _add({name: columns[name]}, name, [values[name]])
    return Fields(values, columns)


def _parse(text: str) -> Any:  # noqa: ANN401 - gemmi's, imported where it is used
    try:
        from gemmi import cif
    except ImportError as error:
        raise UsageError("reading CIFs needs gemmi: pip install 'llm4mat-bench[describe]'") from error
    try:
        return cif.read_string(mend_loops(text), 0)
    except (ValueError, RuntimeError) as error:
        first = error
    try:  # names of several words without quotes
        return cif.read_string(mend_loops(_UNQUOTED.sub(r"\1'\2'", text)), 0)
    except (ValueError, RuntimeError):
        line = _PLACE.sub(r"line \1: ", str(first).splitlines()[0])
        raise StructureError(f"cannot be parsed: {line}") from first


def _name(tag: str) -> str:
    return tag.casefold().replace(".", "_").rstrip("_")


def _value(raw: str) -> str | None:
    from gemmi import cif

    text = " ".join(cif.as_string(raw).split())
    return None if text in ("", "?", ".") else text


def _add(into: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - a value or a column of them
    if name in into and into[name] != value and name.startswith(_READ):
        raise StructureError(f"{name} stands there twice with different values")
    into.setdefault(name, value)
