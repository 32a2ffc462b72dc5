"""The parts of a structure that bonds hold together, and in how many dimensions each goes on for ever.

The search is that of Larsen et al., Phys. Rev. Materials 3, 034003 (2019), as in `pymatgen.analysis.dimensionality`;
ranks of lattice translations are found with integers, and no graph objects are made.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from . import directions, near_ties, upstream
from .arithmetic import cartesian
from .connectivity import Bonds, Node
from .neighbours import Image

if TYPE_CHECKING:
    from pymatgen.core import Molecule, Structure


class Unit:
    """A stand-in for a graph, of which Robocrystallographer only reads the structure or the molecule.

    It never changes, so a deep copy of a component can share it.
    """

    def __init__(self, *, structure: Structure | None = None, molecule: Molecule | None = None) -> None:
        self.structure = structure
        self.molecule = molecule

    def __deepcopy__(self, memo: dict[int, Any]) -> Unit:
        return self


class _Span:
    """Lattice translations that are linearly independent of each other, counted from the first one."""

    def __init__(self) -> None:
        self.images: set[Image] = set()
        self._origin: Image | None = None
        self._basis: list[Image] = []

    @property
    def rank(self) -> int:
        return len(self.images) - 1

    def grows(self, image: Image) -> bool:
        """Whether the image would raise the rank."""
        if self._origin is None:
            return True
        return self._independent(self._step(image))

    def add(self, image: Image) -> None:
        if self._origin is None:
            self._origin = image
        else:
            self._basis.append(self._step(image))
        self.images.add(image)

    def _step(self, image: Image) -> Image:
        a, b, c = self._origin or (0, 0, 0)
        return (image[0] - a, image[1] - b, image[2] - c)

    def _independent(self, step: Image) -> bool:
        if not self._basis:
            return step != (0, 0, 0)
        if len(self._basis) == 1:
            return directions.cross(self._basis[0], step) != (0, 0, 0)
        if len(self._basis) == 2:
            normal = directions.cross(*self._basis)
            return normal[0] * step[0] + normal[1] * step[1] + normal[2] * step[2] != 0
        return False


def _search(bonds: Bonds, start: int) -> _Span:
    spans: dict[int, _Span] = {}
    seen: set[Node] = set()
    queue: deque[Node] = deque([(start, (0, 0, 0))])
    while queue:
        node = queue.popleft()
        if node in seen:
            continue
        seen.add(node)
        index, image = node
        span = spans.setdefault(index, _Span())
        if not span.grows(image):
            continue
        span.add(image)
        for bond in bonds.of(index):
            a, b, c = bond.image
            further = (bond.site, (a + image[0], b + image[1], c + image[2]))
            if further not in seen and spans.setdefault(bond.site, _Span()).grows(further[1]):
                queue.append(further)
    return spans[start]


def _molecule(bonds: Bonds, start: int) -> Molecule:
    """A finite component as a molecule, its atoms in the order of their indices."""
    placed: dict[int, Image] = {}
    queue: deque[Node] = deque([(start, (0, 0, 0))])
    queued: set[Node] = {(start, (0, 0, 0))}
    while queue:
        index, image = queue.popleft()
        if index in placed:
            raise ValueError("Graph component is not zero-dimensional")
        placed[index] = image
        for bond in bonds.of(index, image):
            node = (bond.site, bond.image)
            if node not in queued:
                queued.add(node)
                queue.append(node)
    indices = sorted(placed)
    structure = bonds.structure
    frac = structure.frac_coords[indices] + np.array([placed[index] for index in indices], dtype=np.int64)
    return upstream.Molecule([structure[index].specie for index in indices], cartesian(frac, structure.lattice.matrix))


def _orientation(span: _Span) -> tuple[Any, ...]:
    """The direction in which a ribbon runs, or the Miller index of a sheet."""
    points = list(span.images)
    return directions.of_sheet(points) if span.rank == 2 else directions.of_ribbon(points)


def _connected(bonds: Bonds) -> list[list[int]]:
    parts: list[list[int]] = []
    seen: set[int] = set()
    for start in range(len(bonds.structure)):
        if start in seen:
            continue
        part, stack = {start}, [start]
        while stack:
            for neighbour in bonds.adjacent[stack.pop()]:
                if neighbour not in part:
                    part.add(neighbour)
                    stack.append(neighbour)
        seen |= part
        # a networkx subgraph lists its nodes in the order of their set when it holds less than half of the graph
        ordered = sorted(part)
        parts.append(list(set(ordered)) if 2 * len(part) < len(bonds.structure) else ordered)
    return parts


def components(bonds: Bonds, *, exact: bool) -> list[dict[str, Any]]:
    """The components of a structure, in the form of `pymatgen.analysis.dimensionality.get_structure_components`.

    Raises:
        NearTie: A direction could be printed in two ways, and the order of bonds is not exact.
    """
    structure = bonds.structure
    result = []
    for sites in _connected(bonds):
        span = _search(bonds, sites[0])
        orientation = _orientation(span) if span.rank in {1, 2} else None
        near_ties.must_be(exact or orientation is None or not directions.sign_is_open(orientation))
        component: dict[str, Any] = {
            "dimensionality": span.rank,
            "orientation": orientation,
            "site_ids": tuple(sites),
            "structure_graph": Unit(structure=structure if len(sites) == len(structure) else _part(structure, sites)),
        }
        if span.rank == 0:
            component["molecule_graph"] = Unit(molecule=_molecule(bonds, sites[0]))
        result.append(component)
    return result


def _part(structure: Structure, sites: list[int]) -> Structure:
    return upstream.Structure.from_sites([structure[site] for site in sorted(sites)])
