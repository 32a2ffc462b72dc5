"""Near neighbours of every site, computed once and shared by everything that asks for them.

The method is CrystalNN (Pan et al., Inorg. Chem. 60, 1590, 2021): faces of the Voronoi cell, weighted by solid angle,
difference of electronegativity and distance. Robocrystallographer computes it three times for every structure (structure
fingerprint, site fingerprints, bonds).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pymatgen.core import Structure
from pymatgen.core.local_env import CrystalNN, _get_default_radius, _get_radius

from . import voronoi
from .arithmetic import Floats, Integers, cartesian, norms

Image = tuple[int, int, int]
LARGEST_DIFFERENCE = 3.3  # of electronegativity between two elements, as in CrystalNN


@dataclass(frozen=True)
class Neighbourhood:
    """The neighbours of one site, the heaviest first.

    Attributes:
        indices: Which site of the structure each neighbour is an image of.
        images: Its lattice translation.
        vectors: From the site to it, in Å, shape (n, 3).
        coordination: Probability of every coordination number; the shell of number n is the first n neighbours.
    """

    indices: list[int]
    images: list[Image]
    vectors: Floats
    coordination: dict[int, float]

    @property
    def bonded(self) -> int:
        """The likeliest coordination number, which is the number of neighbours counted as bonded."""
        return max(self.coordination, key=self.coordination.__getitem__)


class _Points(NamedTuple):
    coords: Floats
    indices: Integers
    images: Integers


class _Chemistry(NamedTuple):
    electronegativity: float
    radius: float
    default_radius: Any


class SharedCrystalNN(CrystalNN):  # type: ignore[misc]
    """CrystalNN that treats all sites of a structure together.

    Only the default settings, with which Robocrystallographer uses it, take the fast way.
    """

    def __init__(self) -> None:
        super().__init__()
        self._chemistry: dict[Hashable, _Chemistry] = {}

    def neighbourhoods(self, structure: Structure) -> list[Neighbourhood]:
        """The neighbours of every site.

        Raises:
            RuntimeError: A Voronoi cell is not closed however far one looks.
            ValueError: A site has no Voronoi cell.
        """
        cells, points = [], []
        frac_coords = structure.frac_coords
        for index in range(len(structure)):
            around, cell = self._cell(structure, index, frac_coords)
            cells.append(cell)
            points.append(around)
        shapes = voronoi.faces(cells, [around.coords for around in points])
        species = [site.specie for site in structure]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no radius, no oxidation state: said once for every neighbour otherwise
            return [
                self._weigh(structure, index, cells[index], points[index], shapes, species)
                for index in range(len(structure))
            ]

    def _spheres(self, structure: Structure, frac_coords: Floats, centre: Floats) -> Iterator[_Points]:
        """Points around a centre, in ever larger spheres, as VoronoiNN widens its search."""
        lattice = structure.lattice
        corners = [[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]
        largest = max(np.linalg.norm(lattice.get_cartesian_coords(corner)) for corner in corners) + 0.01
        cutoff = self.search_cutoff
        while True:
            frac, distances, indices, images = lattice.get_points_in_sphere(
                frac_coords, centre, cutoff, zip_results=False
            )
            order = np.argsort(distances, kind="stable")
            yield _Points(
                cartesian(frac[order], lattice.matrix) if len(order) else np.zeros((0, 3)),
                indices[order],
                images[order],
            )
            if cutoff >= largest:
                return
            cutoff = min(cutoff * 2, largest + 0.001)

    def _cell(self, structure: Structure, index: int, frac_coords: Floats) -> tuple[_Points, voronoi.Cell]:
        for around in self._spheres(structure, frac_coords, structure[index].coords):
            try:
                cell = voronoi.cell(around.coords)
            except RuntimeError:  # of Qhull as well: too few points, or all in one plane
                continue
            if not cell.faces:
                raise ValueError(f"Site {index} has no Voronoi neighbours")
            return around, cell
        raise RuntimeError(f"The Voronoi cell of site {index} is not closed")

    def _properties(self, structure: Structure, index: int, species: list[Any]) -> _Chemistry:
        key = species[index]
        if key not in self._chemistry:
            site = structure[index]
            self._chemistry[key] = _Chemistry(float(key.X), float(_get_radius(site)), _get_default_radius(site))
        return self._chemistry[key]

    def _weigh(
        self,
        structure: Structure,
        index: int,
        cell: voronoi.Cell,
        points: _Points,
        shapes: voronoi.Faces,
        species: list[Any],
    ) -> Neighbourhood:
        rows = slice(shapes.starts[index], shapes.starts[index + 1])
        angles, areas = shapes.solid_angle[rows], shapes.area[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = angles / max(angles.tolist()) * (angles / areas)
        seen = angles > 0
        if not np.isfinite(weights[seen]).all():
            return self._one_by_one(structure, index)
        weights, others = weights[seen], cell.others[seen]
        sites = points.indices[others].tolist()
        centre = self._properties(structure, index, species)
        around = [self._properties(structure, site, species) for site in sites]
        weights = weights * np.array([self._affinity(centre, other) for other in around])

        order = np.argsort(-weights, kind="stable")
        weights = weights[order]
        if weights[0] == 0:
            return _alone()
        weights = weights / weights[0]
        coords = points.coords[others[order]]
        distances = norms(structure[index].coords - coords).tolist()
        weights = weights * np.array(
            [self._nearness(centre, around[i], distance) for i, distance in zip(order.tolist(), distances, strict=True)]
        )
        again = np.argsort(-weights, kind="stable")
        weights = weights[again]
        if weights[0] == 0:
            return _alone()
        rounded = np.round(weights, 3)
        again = again[rounded > 0]
        kept = rounded[rounded > 0].tolist()
        chosen = others[order[again]]
        return Neighbourhood(
            indices=points.indices[chosen].tolist(),
            images=[tuple(image) for image in points.images[chosen].astype(int).tolist()],
            vectors=points.coords[chosen] - structure[index].coords,
            coordination=self._coordination(kept),
        )

    def _affinity(self, centre: _Chemistry, other: _Chemistry) -> float:
        difference = abs(centre.electronegativity - other.electronegativity)
        if math.isnan(difference):
            return 1
        return 1 + self.x_diff_weight * math.sqrt(difference / LARGEST_DIFFERENCE)

    def _nearness(self, centre: _Chemistry, other: _Chemistry, distance: float) -> float:
        if centre.radius > 0 and other.radius > 0:
            diameter = centre.radius + other.radius
        else:
            diameter = float(centre.default_radius + other.default_radius)
        low, high = diameter + self.distance_cutoffs[0], diameter + self.distance_cutoffs[1]
        if distance <= low:
            return 1
        if distance < high:
            return (math.cos((distance - low) / (high - low) * math.pi) + 1) * 0.5
        return 0

    def _coordination(self, weights: list[float]) -> dict[int, float]:
        bins: list[float] = []
        ends: list[int] = []
        for number, weight in enumerate(weights):
            if bins and bins[-1] == weight:
                ends[-1] = number + 1
            else:
                bins.append(weight)
                ends.append(number + 1)
        bins.append(0)
        result = {end: self._semicircle_integral(bins, i) for i, end in enumerate(ends)}
        nothing = 1 - sum(result.values())
        if nothing > 0:
            result[0] = nothing
        return result

    def _one_by_one(self, structure: Structure, index: int) -> Neighbourhood:
        """pymatgen's own calculation, for cells with degenerate faces."""
        data = self.get_nn_data(structure, index)
        sites = [entry["site"] for entry in data.all_nninfo]
        return Neighbourhood(
            indices=[int(site.index) for site in sites],
            images=[(int(a), int(b), int(c)) for a, b, c in (site.image for site in sites)],
            vectors=np.array([site.coords - structure[index].coords for site in sites]).reshape(-1, 3),
            coordination=dict(data.cn_weights),
        )


def _alone() -> Neighbourhood:
    return Neighbourhood([], [], np.zeros((0, 3)), {0: 1.0})
