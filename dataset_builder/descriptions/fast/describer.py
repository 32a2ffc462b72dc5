"""Checks a structure, condenses it and writes its text; every failure becomes a DescriptionError."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import DummySpecies

from ...crystals.structures import without_isotopes
from .. import style
from ..errors import DescriptionError
from . import compatibility
from .arithmetic import norms
from .linear_algebra import det

if TYPE_CHECKING:
    from pymatgen.core import Structure

CLOSEST = 0.01  # Å; atoms nearer than the symmetry tolerance cannot be told apart
FARTHEST = 100_000  # cells; beyond, a coordinate has no meaningful decimals
LONGEST = 1_000  # Å
SMALLEST_VOLUME = 1e-3  # Å³


def check(structure: Structure, max_sites: int) -> None:
    """Refuse what has no description, before anything costly is done.

    Raises:
        DescriptionError: With the reason.
    """
    if len(structure) == 0:
        raise DescriptionError("empty", "The structure has no sites")
    if len(structure) > max_sites:
        message = f"The structure has {len(structure)} sites; at most {max_sites} are described"
        raise DescriptionError("too_many_sites", message)
    if not np.isfinite(structure.lattice.matrix).all():
        raise DescriptionError("bad_structure", "The lattice has values that are not numbers")
    if not (abs(det(structure.lattice.matrix)) > SMALLEST_VOLUME):
        raise DescriptionError("bad_structure", "The cell has no volume")
    if not all(structure.lattice.pbc):
        raise DescriptionError("bad_structure", "The structure is not periodic in all three directions")
    if not np.isfinite(structure.frac_coords).all():
        raise DescriptionError("bad_structure", "Some coordinates are not numbers")
    if np.abs(structure.frac_coords).max() > FARTHEST:
        raise DescriptionError("bad_structure", f"Some atoms are more than {FARTHEST:,} cells away from the origin")
    if max(structure.lattice.abc) > LONGEST:
        raise DescriptionError("bad_structure", f"The cell is longer than {LONGEST:,} Å")
    if not structure.is_ordered:
        sites = [index for index, site in enumerate(structure) if not site.is_ordered]
        message = f"The structure is disordered: {len(sites)} of {len(structure)} sites, the first is number {sites[0]}"
        raise DescriptionError("disordered", message)
    unknown = sorted({str(site.specie) for site in structure if isinstance(site.specie, DummySpecies)})
    if unknown:
        raise DescriptionError("unknown_species", f"Not chemical elements: {', '.join(unknown)}")
    _check_distances(_engine().take(structure))


def _check_distances(structure: Structure) -> None:
    shortest = min(structure.lattice.abc)
    # pymatgen's search slows down without bound for very flat cells, which have no meaning anyway
    heights = [structure.volume / float(norms(np.cross(*pair))) for pair in _pairs(structure.lattice.matrix)]
    if min(heights) < 0.3 or shortest < 0.3 or max(structure.lattice.abc) / min(heights) > 1e4:
        raise DescriptionError("bad_structure", f"The cell is too flat: {min(heights):.3g} Å between its faces")
    wrapped = type(structure)(structure.lattice, structure.species, structure.frac_coords, to_unit_cell=True)
    # coordinates far outside the cell would make the search reserve memory for all the space between
    first, second, _, distances = wrapped.get_neighbor_list(CLOSEST)
    if len(distances):
        worst = int(np.argmin(distances))
        message = f"Sites {first[worst]} and {second[worst]} overlap: {distances[worst]:.2g} Å apart"
        raise DescriptionError("overlapping_atoms", message)


def _pairs(matrix: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    for i in range(3):
        yield matrix[i], matrix[(i + 1) % 3]


@contextmanager
def _one_line_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # upstream warns of every pair of atoms without a radius
        try:
            yield
        except (DescriptionError, MemoryError):
            raise
        except Exception as error:
            text = " ".join(str(error).split())
            reason = "symmetry" if type(error).__name__.startswith("Symmetry") else "robocrys_error"
            raise DescriptionError(reason, f"{type(error).__name__}: {text[:300]}") from error  # type: ignore[arg-type]


def text(structure: Structure, how: str, max_sites: int) -> str:
    """The description."""
    return _both(structure, how, max_sites)[0]


def text_and_summary(structure: Structure, how: str, max_sites: int) -> tuple[str, dict[str, Any]]:
    """The description and the condensed form."""
    written, condensed = _both(structure, how, max_sites)
    return written, plain(condensed)


def _both(structure: Structure, how: str, max_sites: int) -> tuple[str, dict[str, Any]]:
    style.styled("", how)  # an unknown style is said before any work
    condensed = _condensed(structure, max_sites)
    with _one_line_errors():
        return style.styled(_engine().write(condensed), how), condensed


def summary(structure: Structure, max_sites: int) -> dict[str, Any]:
    """The condensed form."""
    result: dict[str, Any] = plain(_condensed(structure, max_sites))
    return result


def _engine() -> Any:  # noqa: ANN401
    if compatibility.shortcuts():
        from . import engine

        return engine
    from . import plain_upstream

    return plain_upstream


def _condensed(structure: Structure, max_sites: int) -> dict[str, Any]:
    check(structure, max_sites)
    structure, _ = without_isotopes(structure)
    engine = _engine()
    with _one_line_errors():
        result: dict[str, Any] = engine.condense(structure, max_sites)
        return result


def plain(value: Any) -> Any:  # noqa: ANN401
    """Only what JSON has: strings as keys, lists, Python numbers; no NaN."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def prepare() -> None:
    """Load the tables and reduce the prototypes."""
    _engine().prepare()
