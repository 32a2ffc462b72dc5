"""Geometry and neighbours of the sites of one structure, each worked out once."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pymatgen.core.periodic_table import get_el_sp
from robocrys.util import get_el

from . import fingerprints, near_ties, upstream
from .arithmetic import Floats
from .connectivity import Bonds
from .dimensionality import Unit

if TYPE_CHECKING:
    from pymatgen.core import Structure

Geometry = dict[str, Any]
DISTORTED = 0.6  # the likeness below which a geometry is called distorted


class _Likeness(NamedTuple):
    """What two sites must share to count as equivalent, sorted once."""

    element: Any
    geometry: Geometry
    near: list[tuple[str, float]]
    kinds: list[tuple[str, str, str]]
    likenesses: list[float]
    angles: list[list[float]]


class SharedSiteAnalyzer(upstream.SiteAnalyzer):  # type: ignore[misc]
    """Robocrystallographer's SiteAnalyzer on bonds and fingerprints that are known already.

    Args:
        bonds: The bonds of the structure.
        site_fingerprints: The fingerprint of every site, shape (sites, columns).
        symprec: Tolerance of the symmetry search, in Å.
        exact: Whether neighbours of equal weight come in the order of upstream.

    Raises:
        NearTie: They do not, and something hangs on it.
    """

    def __init__(self, bonds: Bonds, site_fingerprints: Floats, symprec: float, *, exact: bool) -> None:
        # the base class would compute bonds and fingerprints again, so its constructor is not called
        self.bonded_structure = Unit(structure=bonds.structure)
        self.use_iupac_formula = True
        self.minimum_geometry_op = 0.4
        self._structure: Structure = bonds.structure
        self._bonds = bonds
        self._values = site_fingerprints
        self._elements = [str(site.specie) for site in self._structure]
        self._geometries: dict[int, Geometry] = {}
        self._exact = exact
        dataset = upstream.SpacegroupAnalyzer(self._structure, symprec=symprec).get_symmetry_dataset()
        self.equivalent_sites = self._calculate_equivalent_sites()
        self.symmetry_labels = self._calculate_symmetry_labels(dataset.equivalent_atoms.tolist())

    @cached_property
    def _next(self) -> list[list[Any]]:
        return self._bonds.next_neighbours()

    def get_site_geometry(self, site_index: int) -> Geometry:
        """The name of the geometry of a site, and how close to the ideal it is."""
        if site_index not in self._geometries:
            self._geometries[site_index] = self._geometry(self._values[site_index])
        return self._geometries[site_index]

    def _geometry(self, values: Floats) -> Geometry:
        labels = fingerprints.labels()
        parameters = np.where(fingerprints.is_weight(), 0.0, values)
        best = int(np.argmax(parameters))
        if not self._exact:
            second, first = np.partition(parameters, -2)[-2:]
            near_ties.must_be(first - second > near_ties.CLOSE or first < self.minimum_geometry_op - near_ties.CLOSE)
            near_ties.must_be(
                all(abs(first - threshold) > near_ties.CLOSE for threshold in (self.minimum_geometry_op, DISTORTED))
            )
        if values[best] < self.minimum_geometry_op:
            number = labels[int(np.argmax(values))].split()[-1].split("_")[-1]
            return {"type": f"{number}-coordinate", "likeness": 1.0}
        name = " ".join(labels[best].split()[:-1])
        return {"type": "single-bond" if name == "sgl_bd" else name, "likeness": float(values[best])}

    def get_nearest_neighbors(self, site_index: int, inc_inequivalent_site_index: bool = True) -> list[dict[str, Any]]:
        """The bonded neighbours of a site."""
        return [
            {"element": self._elements[bond.site], "inequiv_index": self.equivalent_sites[bond.site],
             "dist": bond.distance}
            if inc_inequivalent_site_index
            else {"element": self._elements[bond.site], "dist": bond.distance}
            for bond in self._bonds.of(site_index)
        ]  # fmt: skip

    def get_next_nearest_neighbors(
        self, site_index: int, inc_inequivalent_site_index: bool = True
    ) -> list[dict[str, Any]]:
        """The neighbours of the neighbours of a site."""
        summaries = []
        for shared in self._next[site_index]:
            summary = {
                "element": self._elements[shared.site],
                "connectivity": shared.connectivity,
                "geometry": self.get_site_geometry(shared.site),
                "angles": shared.angles,
                "distance": shared.distance,
            }
            if inc_inequivalent_site_index:
                summary["inequiv_index"] = self.equivalent_sites[shared.site]
            summaries.append(summary)
        return summaries

    def _profile(self, index: int) -> _Likeness:
        entries = []
        for shared in self._next[index]:
            geometry = self.get_site_geometry(shared.site)
            kind = (self._elements[shared.site], geometry["type"], shared.connectivity)
            entries.append((kind, sorted(shared.angles), geometry["likeness"]))
        # by element, geometry, connectivity and raw angles, as upstream: 89.99999999999997 comes before 90.0
        entries.sort(key=lambda entry: entry[:2])
        if not self._exact:
            # entries with the same angles keep the order of the bonds, which tells only where their likeness differs
            near_ties.must_be(all(a[:2] != b[:2] or abs(a[2] - b[2]) < near_ties.CLOSE for a, b in pairwise(entries)))
        return _Likeness(
            element=get_el_sp(self._structure[index].specie),
            geometry=self.get_site_geometry(index),
            near=sorted((self._elements[bond.site], bond.distance) for bond in self._bonds.of(index)),
            kinds=[entry[0] for entry in entries],
            likenesses=[entry[2] for entry in entries],
            angles=[entry[1] for entry in entries],
        )

    def _calculate_equivalent_sites(
        self, likeness_tol: float = 0.001, bond_dist_tol: float = 0.01, bond_angle_tol: float = 0.1
    ) -> list[int]:
        """For every site, the first one that it cannot be told from."""
        found: dict[int, _Likeness] = {}
        result = []
        for index in range(len(self._structure)):
            site = self._profile(index)
            for other_index, other in found.items():
                if _alike(site, other, likeness_tol, bond_dist_tol, bond_angle_tol):
                    result.append(other_index)
                    break
            else:
                found[index] = site
                result.append(index)
        return result

    def _calculate_symmetry_labels(self, sym_equivalent_atoms: Any) -> list[int]:  # noqa: ANN401
        """Number the symmetry-distinct sites of every element from 1."""
        labels: dict[int, int] = {}
        for symbol in dict.fromkeys(get_el(specie) for specie in self._structure.species):
            numbers: dict[int, int] = {}
            for index in self._structure.indices_from_symbol(symbol):
                labels[index] = numbers.setdefault(sym_equivalent_atoms[index], len(numbers) + 1)
        return [labels[index] for index in sorted(labels)]


def _alike(a: _Likeness, b: _Likeness, likeness: float, distance: float, angle: float) -> bool:
    return (
        bool(a.element == b.element)
        and a.geometry["type"] == b.geometry["type"]
        and abs(a.geometry["likeness"] - b.geometry["likeness"]) < likeness
        and len(a.near) == len(b.near)
        and all(x[0] == y[0] and abs(x[1] - y[1]) < distance for x, y in zip(a.near, b.near, strict=True))
        and a.kinds == b.kinds
        and all(abs(x - y) < likeness for x, y in zip(a.likenesses, b.likenesses, strict=True))
        and all(
            abs(x - y) < angle
            for xs, ys in zip(a.angles, b.angles, strict=True)
            for x, y in zip(xs, ys, strict=False)  # two faces may share different numbers of atoms
        )
    )
