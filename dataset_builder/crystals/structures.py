"""Structures in forms other than CIF (pymatgen's dict, JARVIS atoms, POSCAR), and CIF text as published (P 1)."""

import ast
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from .errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core import Structure

_LITERAL_LIMIT = 32 << 20


def cif_of_structure_text(text: str) -> str:
    """CIF of the text of a structure: CIF, JSON or Python literal of pymatgen's dict.

    Raises:
        StructureError: It is none of these.
    """
    if "_cell_length_a" in text:
        return text
    return cif_of(structure_of_dict(parse_literal(text)))


def parse_literal(text: str) -> Any:  # noqa: ANN401 - whatever the literal is
    """Read JSON or a Python literal (numbers, texts, lists, dicts; never code).

    Raises:
        StructureError: It is neither, or too long or too deep to be a structure.
    """
    if len(text) > _LITERAL_LIMIT:
        raise StructureError("too long for a structure")
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise StructureError(f"neither JSON nor a Python literal: {error}") from error


def structure_of_dict(values: Any) -> "Structure":  # noqa: ANN401 - anything may stand in a file
    """Structure of pymatgen's own dict (``lattice`` and ``sites``).

    Raises:
        StructureError: It is no such dict.
    """
    structure_class = _pymatgen()
    if not isinstance(values, Mapping) or "lattice" not in values or "sites" not in values:
        raise StructureError("no dict with 'lattice' and 'sites'")
    try:
        structure: Structure = structure_class.from_dict(dict(values))
    except Exception as error:  # the library raises whatever its parts raise
        raise StructureError(f"pymatgen cannot read it: {error}") from error
    return structure


def structure_of_jarvis(atoms: Any) -> "Structure":  # noqa: ANN401 - anything may stand in a file
    """Structure of the ``atoms`` of a JARVIS record.

    Element symbols may have blanks around them (OQMD: ``"Np "``), hydrogen may be deuterium (SNUMAT: ``D``), and six
    OQMD entries name two elements for one site (``"(Cs,Os) "``), which is read as half of each.

    Raises:
        StructureError: A key is missing or has another form.
    """
    structure_class = _pymatgen()
    try:
        species = [_species(str(element)) for element in atoms["elements"]]
        structure: Structure = structure_class(
            [[float(x) for x in row] for row in atoms["lattice_mat"]],
            species,
            [[float(x) for x in row] for row in atoms["coords"]],
            coords_are_cartesian=_is_true(atoms.get("cartesian", False)),
        )
    except StructureError:
        raise
    except Exception as error:
        raise StructureError(f"no JARVIS atoms: {type(error).__name__}: {error}") from error
    return structure


def structure_of_any_dict(values: Any) -> "Structure":  # noqa: ANN401 - anything may stand in a file
    """Structure of a dict of pymatgen, of the atoms of JARVIS, or of a record that holds either.

    Raises:
        StructureError: It is none of these.
    """
    for key in ("structure", "atoms"):
        if isinstance(values, Mapping) and isinstance(values.get(key), Mapping):
            values = values[key]
            break
    if isinstance(values, Mapping) and "lattice_mat" in values:
        return structure_of_jarvis(values)
    return structure_of_dict(values)


def looks_like_poscar(text: str) -> bool:
    """Whether a text has the scale and the three vectors of a POSCAR."""
    lines = text.split("\n")
    if len(lines) < 7:
        return False
    try:
        scale = [float(word) for word in lines[1].split()]
        vectors = [[float(word) for word in line.split()[:3]] for line in lines[2:5]]
    except ValueError:
        return False
    return len(scale) in (1, 3) and all(len(vector) == 3 for vector in vectors)


def structure_of_poscar(text: str) -> "Structure":
    """Structure of a POSCAR or CONTCAR (VASP 5: elements on the sixth line); velocities are left out.

    Raises:
        StructureError: It names no elements, or has more or fewer atoms than it says.
    """
    from pymatgen.io.vasp.inputs import Poscar

    lines = text.split("\n")
    symbols = [word.partition("_")[0].partition("/")[0] for word in lines[5].split()]
    if not symbols or symbols[0].isdigit():
        raise StructureError("the POSCAR names no elements: write them on its sixth line, before their numbers")
    for symbol in symbols:
        _element(symbol)
    head = 8 if lines[7].strip()[:1].casefold() in ("s",) else 7
    try:
        count = sum(map(int, lines[6].split()))
    except ValueError as error:
        raise StructureError(f"the seventh line of the POSCAR holds no numbers of atoms: {lines[6][:60]}") from error
    rows = 0
    for line in lines[head + 1 :]:
        if not line.strip():
            break
        rows += 1
    if rows != count or len(symbols) != len(lines[6].split()):
        raise StructureError(f"the POSCAR says {count} atoms and has {rows}: cut off?")
    lines[5] = " ".join(symbols)
    try:
        structure: Structure = Poscar.from_str("\n".join(lines[: head + 1 + count]) + "\n").structure
    except Exception as error:  # the library raises whatever its parts raise
        raise StructureError(f"pymatgen cannot read the POSCAR: {error}") from error
    return structure


def without_isotopes(structure: "Structure") -> tuple["Structure", tuple[str, ...]]:
    """A structure with hydrogen in place of deuterium and tritium, and what is to be said of it."""
    names = {"D": "deuterium", "T": "tritium"}

    def isotope(species: Any) -> str | None:  # noqa: ANN401 - an Element or Species, whose symbol is H in either case
        return names.get(getattr(getattr(species, "element", species), "name", ""))

    found = sorted({name for site in structure for one in site.species if (name := isotope(one))})
    if not found:
        return structure, ()
    structure = structure.copy()
    for index, site in enumerate(structure):
        amounts: dict[str, float] = {}
        for one, amount in site.species.items():
            key = str(one)
            if isotope(one):
                state = getattr(one, "oxi_state", None)
                key = "H" if state is None else f"H{abs(state):g}{'+' if state >= 0 else '-'}"
            amounts[key] = amounts.get(key, 0.0) + amount
        structure[index] = amounts
    return structure, tuple(f"{name} is described as hydrogen" for name in found)


def cif_of(structure: "Structure") -> str:
    """CIF text as the published files have it: all sites of the cell, no symmetry.

    Raises:
        StructureError: The writer refuses the structure (no sites, a lattice without volume).
    """
    from pymatgen.io.cif import CifWriter

    if len(structure) == 0 or not structure.volume > 0:
        raise StructureError("no sites, or a cell without volume")
    try:
        return str(CifWriter(structure))
    except Exception as error:
        raise StructureError(f"pymatgen cannot write it: {error}") from error


def _is_true(value: object) -> bool:
    return value is True or str(value).strip().casefold() in ("true", "1")


def _species(symbol: str) -> str | dict[str, float]:
    symbol = symbol.strip()
    if symbol.startswith("(") and symbol.endswith(")"):
        parts = [part.strip() for part in symbol[1:-1].split(",")]
        if not all(parts):
            raise StructureError(f"element {symbol!r}")
        return dict.fromkeys(map(_element, parts), 1 / len(parts))
    return _element(symbol)


def _element(symbol: str) -> str:
    """Refuse what is no element: pymatgen would take it for a dummy atom and write it into the CIF."""
    from pymatgen.core import Element

    if not Element.is_valid_symbol(symbol):
        raise StructureError(f"no element: {symbol!r}")
    return symbol


def _pymatgen() -> "type[Structure]":
    try:
        from pymatgen.core import Structure
    except ImportError as error:
        raise UsageError("reading structures needs pymatgen: pip install 'llm4mat-bench[raw]'") from error
    structure_class: type[Structure] = Structure
    return structure_class
