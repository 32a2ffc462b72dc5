"""Robocrystallographer as it is, for library versions whose shortcuts were never tested. Slow, and never online."""

from __future__ import annotations

from functools import cache
from typing import Any

from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from robocrys.condense import condenser as upstream
from robocrys.describe.describer import StructureDescriber

from ..errors import DescriptionError
from .private_copy import private_copy


class _NoNames:
    """In place of the namer of molecules, which would ask a web service and finds nothing offline."""

    def get_name_from_molecule_graph(self, _graph: Any) -> None:  # noqa: ANN401
        return None


@cache
def _condenser() -> Any:  # noqa: ANN401
    module = private_copy(upstream)
    if not hasattr(module, "MoleculeNamer"):
        raise RuntimeError("This Robocrystallographer names molecules in an unknown way, perhaps online; use 0.2.13")
    module.MoleculeNamer = _NoNames  # type: ignore[attr-defined]
    return module


def take(structure: Structure) -> Structure:
    """The structure as it is: with these libraries nothing is replaced."""
    return structure


def condense(structure: Structure, max_sites: int) -> dict[str, Any]:
    """The condensed form, in upstream's format."""
    symmetry = SpacegroupAnalyzer(structure, symprec=0.01)
    sites = len(symmetry.get_conventional_standard_structure())
    if sites > max_sites:
        message = f"The conventional cell has {sites} sites; at most {max_sites} are described"
        raise DescriptionError("too_many_sites", message)
    # a new condenser each time: its mineral matcher keeps the last structure
    result: dict[str, Any] = _condenser().StructureCondenser().condense_structure(structure)
    return result


def write(condensed: dict[str, Any]) -> str:
    """The text for a condensed structure."""
    return str(StructureDescriber().describe(condensed))


def prepare() -> None:
    """Load what can be loaded before forking."""
    _condenser()
