"""One text to one crystal structure, with a reason a person can use where that fails."""

import ast
import json
import re
import warnings
from typing import TYPE_CHECKING, Any

from ...errors import one_line
from .errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

_SYMMETRY = re.compile("space_group|int_tables|equiv_pos|symop", re.IGNORECASE)

_USUAL = (
    ("integer modulo by zero", "a loop_ names no columns: cut off?"),
    ("is not a multiple of", "a row of a loop_ is not complete: cut off?"),
    ("_atom_site_label", "no atoms: cut off?"),
    ("_cell_length", "no cell"),
    ("_cell_angle", "no cell"),
    ("no structures", "not a CIF"),
)
"""What pymatgen says, and what that means."""

FORMULA = 0.01
"""By so much the share of an element may differ from the formula's."""


def read_structure(text: str) -> "Structure":
    """Read a CIF, or a pymatgen structure written as JSON or as a Python dict.

    The cell is taken as it stands (not reduced to a primitive one), which is how the published texts were made.

    Args:
        text: The whole file or table cell.

    Raises:
        StructureError: Not a structure; or a CIF whose symmetry is not understood, or whose atoms do not make
            its formula (because it was cut off).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _from_dict(text) if text.lstrip().startswith("{") else _from_cif(text)
    except (StructureError, MemoryError):
        raise
    except Exception as error:  # whatever a parser raises on garbage, the text is at fault
        raise StructureError(_explain(error)) from error


def _explain(error: Exception) -> str:
    """Say what a parser's complaint means, where it is one of the usual ones."""
    line = one_line(error)
    meaning = next((meaning for sign, meaning in _USUAL if sign in line), "cannot be parsed")
    return f"{meaning} ({line})"


def _from_cif(text: str) -> "Structure":
    from pymatgen.io.cif import CifParser

    if not text.strip():
        raise StructureError("the text is empty")
    if "\0" in text:
        raise StructureError("binary data, not a CIF")
    # The formula is compared below: the parser's own comparison only warns.
    parser = CifParser.from_str(text, check_cif=False)
    structure: Structure = parser.parse_structures(primitive=False, on_error="raise")[0]
    blocks: dict[str, dict[str, Any]] = parser.as_dict()
    block = next(iter(blocks.values()))
    if any("Defaulting to P1" in warning for warning in parser.warnings):
        _check_symmetry(block)
    if structure.is_ordered:
        _check_formula(block, structure)
    return structure


def _check_symmetry(block: dict[str, Any]) -> None:
    """Refuse a symmetry that the parser could not read and took for none: most atoms would be missing."""
    for key, value in block.items():
        if _SYMMETRY.search(key) and value not in ("", "?", ".", "1", "P1", "P 1"):
            raise StructureError(f"the symmetry is not understood: {key} {str(value)[:60]}")


def _check_formula(block: dict[str, Any], structure: "Structure") -> None:
    """Refuse atoms in other proportions than the formula's, as in a CIF that was cut off in its list of atoms."""
    from pymatgen.core import Composition

    formula = block.get("_chemical_formula_sum")
    try:
        expected = _proportions(Composition(formula))
    except (ValueError, TypeError, KeyError, ZeroDivisionError):
        return  # none, or one that nobody can read
    found = _proportions(structure.composition)
    if expected and any(abs(expected.get(name, 0) - found.get(name, 0)) > FORMULA for name in expected | found):
        raise StructureError(f"the atoms make {structure.composition.formula}, but _chemical_formula_sum is {formula}")


def _proportions(composition: "Composition") -> dict[str, float]:
    """Share of each element; isotopes of hydrogen count as hydrogen."""
    amounts: dict[str, float] = {}
    for species, amount in composition.items():
        name = {"D": "H", "T": "H"}.get(species.symbol, species.symbol)
        amounts[name] = amounts.get(name, 0.0) + amount
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()}


def _from_dict(text: str) -> "Structure":
    from pymatgen.core import Structure

    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        # Published tables hold str(structure.as_dict()), which is Python, not JSON.
        data = ast.literal_eval(text)
    structure: Structure = Structure.from_dict(data)
    return structure
