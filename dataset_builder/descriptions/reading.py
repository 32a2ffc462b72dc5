"""One text to one crystal structure, with a reason a person can use where that fails."""

import ast
import json
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Structure

OVERLAP = 0.01
"""Å. Two atoms nearer than this are the same place written twice, not a bond."""


class UnreadableStructureError(ValueError):
    """The text holds no usable crystal structure."""


def read_structure(text: str) -> "Structure":
    """Read a CIF, or a pymatgen structure written as JSON or as a Python dict.

    The cell is taken as it stands (not reduced to a primitive one), which is how the published texts were made.

    Args:
        text: The whole file or table cell.

    Raises:
        UnreadableStructureError: Not a structure, or one that cannot exist: no sites, no volume, coordinates that are
            not finite, atoms on top of each other.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure = _from_dict(text) if text.lstrip().startswith("{") else _from_cif(text)
    except (UnreadableStructureError, MemoryError):
        raise
    except Exception as error:  # whatever a parser raises on garbage, the text is at fault
        raise UnreadableStructureError(one_line(error)) from error
    _check(structure)
    return structure


def one_line(error: BaseException, limit: int = 300) -> str:
    """Write an exception as one line without memory addresses, so that two runs write the same."""
    import re

    said = " ".join(str(error).split())
    said = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", said)
    line = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _from_cif(text: str) -> "Structure":
    from pymatgen.io.cif import CifParser

    if not text.strip():
        raise UnreadableStructureError("the text is empty")
    if "\0" in text:
        raise UnreadableStructureError("binary data, not a CIF")
    structures = CifParser.from_str(text).parse_structures(primitive=False, on_error="raise")
    if not structures:
        raise UnreadableStructureError("the CIF holds no structure")
    return structures[0]


def _from_dict(text: str) -> "Structure":
    from pymatgen.core import Structure

    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        # Published tables hold str(structure.as_dict()), which is Python, not JSON.
        data = ast.literal_eval(text)
    structure: Structure = Structure.from_dict(data)
    return structure


def _check(structure: "Structure") -> None:
    import numpy as np

    if len(structure) == 0:
        raise UnreadableStructureError("the structure has no sites")
    if not np.isfinite(structure.lattice.matrix).all():
        raise UnreadableStructureError("the cell is not finite")
    if not abs(structure.volume) > 1e-3:
        raise UnreadableStructureError("the cell has no volume")
    if not np.isfinite(structure.frac_coords).all():
        raise UnreadableStructureError("some coordinates are not finite")
    first, second, _, distance = structure.get_neighbor_list(OVERLAP)
    if len(distance):
        i, j = sorted((int(first[0]), int(second[0])))
        raise UnreadableStructureError(f"atoms {i} and {j} (from 0) are at the same place")
