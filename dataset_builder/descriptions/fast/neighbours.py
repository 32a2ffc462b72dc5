"""Near neighbours of every site, computed once and shared by everything that asks for them.

The method is CrystalNN (Pan et al., Inorg. Chem. 60, 1590, 2021): faces of the Voronoi cell, weighted by solid angle,
difference of electronegativity and distance. Robocrystallographer computes it three times for every structure
(structure fingerprint, site fingerprints, bonds).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DescriptionError
from . import dual_cells, upstream, voronoi
from .arithmetic import Floats, Integers, cartesian, norms, total

if TYPE_CHECKING:
    from pymatgen.core import Structure

Image = tuple[int, int, int]
UNCERTAIN = 1e-7  # a difference of weights below which rounding errors might decide
MAX_POINTS = 30_000  # in a tessellation, which takes seconds for so many
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


class _Faces(NamedTuple):
    others: Integers
    solid_angles: Floats
    areas: Floats


class _Chemistry(NamedTuple):
    electronegativity: float
    radius: float
    default_radius: Any


class SharedCrystalNN(upstream.CrystalNN):  # type: ignore[misc]
    """CrystalNN that treats all sites of a structure together.

    Only the default settings, with which Robocrystallographer uses it, take the fast way.
    """

    def __init__(self) -> None:
        super().__init__()
        self._chemistry: dict[Hashable, _Chemistry] = {}

    def neighbourhoods(self, structure: Structure, *, exact: bool = False) -> list[Neighbourhood]:
        """The neighbours of every site.

        Args:
            structure: An ordered structure.
            exact: Whether to tessellate for every site, as upstream does, so that even neighbours of equal weight
            come in
                the same order. Otherwise only where the outcome could hang on rounding errors.

        Raises:
            RuntimeError: A Voronoi cell is not closed however far one looks.
            ValueError: A site has no Voronoi cell.
        """
        site_count = len(structure)
        frac_coords = structure.frac_coords
        found: list[Neighbourhood | None] = [None] * site_count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no radius, no oxidation state: said once for every neighbour otherwise
            species = [self._properties(site) for site in structure]
            centres = [site.coords for site in structure]
            if not exact:
                self._quickly(structure, frac_coords, centres, species, found)
            rest = [index for index in range(site_count) if found[index] is None]
            cells, points = [], []
            for index in rest:
                around, cell = self._tessellated(structure, index, frac_coords, centres[index])
                cells.append(cell)
                points.append(around)
            shapes = voronoi.faces(cells, [around.coords for around in points]) if cells else []
            for index, cell, around, (angles, areas) in zip(rest, cells, points, shapes, strict=True):
                faces = _Faces(cell.others, angles, areas)
                found[index] = self._weigh(index, faces, around, centres[index], species, exact=True)
                if found[index] is None:
                    found[index] = self._one_by_one(structure, index)
        return [neighbourhood for neighbourhood in found if neighbourhood is not None]

    def _quickly(
        self,
        structure: Structure,
        frac_coords: Floats,
        centres: list[Floats],
        species: list[_Chemistry],
        found: list[Neighbourhood | None],
    ) -> None:
        cells, points, indices = [], [], []
        for index, centre in enumerate(centres):
            for around in self._spheres(structure, frac_coords, centre):
                try:
                    cell = dual_cells.cell(around.coords)
                except dual_cells.OpenCellError:
                    continue
                if cell is not None:
                    cells.append(cell)
                    points.append(around)
                    indices.append(index)
                break
        for index, cell, around, (angles, areas) in zip(indices, cells, points, dual_cells.faces(cells), strict=True):
            faces = _Faces(cell.others, angles, areas)
            found[index] = self._weigh(index, faces, around, centres[index], species, exact=False)

    def _spheres(self, structure: Structure, frac_coords: Floats, centre: Floats) -> Iterator[_Points]:
        """Points around a centre, in ever larger spheres, as VoronoiNN widens its search."""
        lattice = structure.lattice
        corners = [[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]
        largest = norms(cartesian(np.array(corners, dtype=np.float64), lattice.matrix)).max() + 0.01
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

    def _tessellated(
        self, structure: Structure, index: int, frac_coords: Floats, centre: Floats
    ) -> tuple[_Points, voronoi.Cell]:
        for around in self._spheres(structure, frac_coords, centre):
            try:
                dual_cells.cell(around.coords)  # whether it is open at all, at a small part of the cost
                if len(around.coords) > MAX_POINTS:
                    message = f"Site {index} has no neighbours within {MAX_POINTS} atoms: the structure is nearly empty"
                    raise DescriptionError("robocrys_error", message)
                cell = voronoi.cell(around.coords)
            except RuntimeError:  # of Qhull as well: too few points, or all in one plane
                continue
            if not cell.faces:
                raise ValueError(f"Site {index} has no Voronoi neighbours")
            return around, cell
        raise RuntimeError(f"The Voronoi cell of site {index} is not closed")

    def _properties(self, site: Any) -> _Chemistry:  # noqa: ANN401
        key = site.specie
        if key not in self._chemistry:
            radius, default = upstream.get_radius(site), upstream.get_default_radius(site)
            self._chemistry[key] = _Chemistry(float(key.X), float(radius), default)
        return self._chemistry[key]

    def _weigh(
        self,
        index: int,
        faces: _Faces,
        points: _Points,
        centre: Floats,
        species: list[_Chemistry],
        *,
        exact: bool,
    ) -> Neighbourhood | None:
        """The neighbourhood that the faces of a cell give; None where rounding errors could change it."""
        angles = faces.solid_angles
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = angles / max(angles.tolist()) * (angles / faces.areas)
        seen = angles > 0
        weights, others = weights[seen], faces.others[seen]
        if not np.isfinite(weights).all():
            return None
        here = species[index]
        around = [species[site] for site in points.indices[others].tolist()]
        weights = weights * np.array([self._affinity(here, other) for other in around])

        order = np.argsort(-weights, kind="stable")
        weights = weights[order]
        if weights[0] == 0:
            return _ALONE
        weights = weights / weights[0]
        distances = norms(centre - points.coords[others[order]]).tolist()
        weights = weights * np.array(
            [self._nearness(here, around[i], distance) for i, distance in zip(order.tolist(), distances, strict=True)]
        )
        again = np.argsort(-weights, kind="stable")
        weights = weights[again]
        if weights[0] == 0:
            return _ALONE
        rounded = np.round(weights, 3)
        kept = rounded > 0
        coordination = self._coordination(rounded[kept].tolist())
        if not exact and (_near_half(weights) or (coordination.get(8) and _has_equals(weights[:8]))):
            return None
        chosen = others[order[again[kept]]]
        return Neighbourhood(
            indices=points.indices[chosen].tolist(),
            images=[tuple(image) for image in points.images[chosen].astype(int).tolist()],
            vectors=points.coords[chosen] - centre,
            coordination=coordination,
        )

    def _affinity(self, centre: _Chemistry, other: _Chemistry) -> float:
        difference = abs(centre.electronegativity - other.electronegativity)
        if math.isnan(difference):
            return 1
        return float(1 + self.x_diff_weight * math.sqrt(difference / LARGEST_DIFFERENCE))

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
        nothing = 1 - total(result.values())
        if nothing > 0:
            result[0] = nothing
        return result

    def _one_by_one(self, structure: Structure, index: int) -> Neighbourhood:
        """Pymatgen's own calculation, for cells with degenerate faces."""
        data = self.get_nn_data(structure, index)
        sites = [entry["site"] for entry in data.all_nninfo]
        return Neighbourhood(
            indices=[int(site.index) for site in sites],
            images=[(int(a), int(b), int(c)) for a, b, c in (site.image for site in sites)],
            vectors=np.array([site.coords - structure[index].coords for site in sites]).reshape(-1, 3),
            coordination=dict(data.cn_weights),
        )


_ALONE = Neighbourhood([], [], np.zeros((0, 3)), {0: 1.0})


def _near_half(weights: Floats) -> bool:
    # weights are rounded to three decimals; one half-way between two could go either way
    rest = np.abs(np.abs(weights * 1000 % 1) - 0.5)
    return bool((rest < UNCERTAIN).any())


def _has_equals(weights: Floats) -> bool:
    # the order of equal neighbours decides the order parameter of a body-centred cube, whose formula is not symmetric
    return bool((np.abs(np.diff(weights)) < UNCERTAIN).any())
