"""One text to one crystal structure, with a reason a person can use where that fails."""

import warnings
from typing import TYPE_CHECKING

from ...errors import UsageError, one_line
from .cif_reading import Crystal, read_cif_block
from .errors import StructureError
from .structures import (
    looks_like_poscar,
    parse_literal,
    structure_of_any_dict,
    structure_of_poscar,
    without_isotopes,
)
from .texts import cif_blocks, tidy

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_structure(text: str) -> "Structure":
    """The structure of `read_crystal`."""
    return read_crystal(text).structure


def cif_composition(cif: str) -> str:
    """Reduced formula of the crystal of a CIF.

    Raises:
        StructureError: It is none, or it is open which crystal it is.
    """
    return str(read_structure(cif).composition.reduced_formula)


def read_crystal(text: str, *, allow_mismatch: bool = False) -> Crystal:
    """Read a CIF, a POSCAR, or a structure of pymatgen or JARVIS written as JSON or as a Python dict.

    The cell is taken as it stands (not reduced to a primitive one), which is how the published texts were made.
    Deuterium and tritium become hydrogen, which a remark says.

    Args:
        text: The whole file or table cell.
        allow_mismatch: Take a CIF whose atoms do not make its formula as it is, with a remark.

    Raises:
        StructureError: Not a structure; several crystals; or a CIF whose symmetry is not understood or open, or whose
            atoms do not make its formula (because it was cut off).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = tidy(text)
            if text.lstrip().startswith("{"):
                return Crystal(*without_isotopes(structure_of_any_dict(parse_literal(text))))
            if looks_like_poscar(text):
                return Crystal(*without_isotopes(structure_of_poscar(text)))
            return _from_cif(text, allow_mismatch=allow_mismatch)
    except (StructureError, UsageError, MemoryError):
        raise
    except Exception as error:  # whatever a parser raises on garbage, the text is at fault
        raise StructureError(f"cannot be read ({one_line(error)})") from error


def _from_cif(text: str, *, allow_mismatch: bool) -> Crystal:
    if not text.strip():
        raise StructureError("the text is empty")
    if "\0" in text:
        raise StructureError("binary data, not a CIF")
    blocks = cif_blocks(text)
    crystals = [block for block in blocks if block.holds_atoms]
    if not crystals:
        raise StructureError("not a CIF" if not blocks else "no atoms: cut off?")
    if len(crystals) > 1:
        names = ", ".join(block.name for block in crystals[:5])
        raise StructureError(f"{len(crystals)} crystals in one text ({names}): give each its own")
    return read_cif_block(crystals[0], allow_mismatch=allow_mismatch)
