"""Bonds between sites, and the polyhedra that share corners, edges or faces, as tuples of integers.

pymatgen keeps bonds in a networkx graph and makes a new site object for every neighbour it is asked for. Here a
neighbour is `(site index, lattice translation)`. Order matters: neighbours at the same distance come in the order of
a set of named tuples upstream, which is repeated here with tuples that have the same hashes.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arithmetic import Floats, arccos, cartesian, dots, norms
from .neighbours import Image, Neighbourhood

if TYPE_CHECKING:
    from pymatgen.core import Structure

Node = tuple[int, Image]


class Bond(NamedTuple):
    """A bonded neighbour: which site, in which cell, and how far in Å."""

    site: int
    image: Image
    distance: float


class Shared(NamedTuple):
    """A next neighbour: a site bonded to a neighbour.

    Attributes:
        site: Which site.
        image: In which cell.
        angles: At every neighbour shared, in degrees.
        distance: In Å.
    """

    site: int
    image: Image
    angles: list[float]
    distance: float

    @property
    def connectivity(self) -> str:
        """How the polyhedra around the two sites touch."""
        return {1: "corner", 2: "edge"}.get(len(self.angles), "face")


class Bonds:
    """All bonds of a structure.

    Args:
        structure: The structure.
        neighbourhoods: The neighbours of each of its sites.
    """

    def __init__(self, structure: Structure, neighbourhoods: list[Neighbourhood]) -> None:
        self.structure = structure
        # as in a StructureGraph: a bond is kept once, from the lower to the higher index
        edges: dict[int, dict[int, dict[Image, None]]] = {i: {} for i in range(len(structure))}
        arriving: dict[int, dict[int, None]] = {i: {} for i in range(len(structure))}
        for start, neighbourhood in enumerate(neighbourhoods):
            number = neighbourhood.bonded
            for end, image in zip(neighbourhood.indices[:number], neighbourhood.images[:number], strict=True):
                low, high, step = start, end, image
                if end < start or (end == start and next((x for x in image if x), 0) < 0):
                    low, high, step = end, start, (-image[0], -image[1], -image[2])
                if low == high and step == (0, 0, 0):
                    continue
                edges[low].setdefault(high, {})[step] = None
                arriving[high][low] = None
        self._edges, self._arriving = edges, arriving
        self._nuclear = [sum(element.Z for element in site.species) for site in structure]

    @cached_property
    def adjacent(self) -> list[set[int]]:
        """For every site, the indices of the sites that it is bonded to."""
        return [set(self._edges[i]) | set(self._arriving[i]) for i in range(len(self.structure))]

    @cached_property
    def _unsorted(self) -> list[list[Bond]]:
        # every neighbour once, in the order in which upstream meets them
        starts: list[int] = []
        ends: list[int] = []
        images: list[Image] = []
        for index in range(len(self.structure)):
            seen: dict[Node, None] = {}
            for end, steps in self._edges[index].items():
                for image in steps:
                    seen[end, image] = None
            for start in self._arriving[index]:
                for image in self._edges[start][index]:
                    seen[start, (-image[0], -image[1], -image[2])] = None
            starts.extend([index] * len(seen))
            ends.extend(node[0] for node in seen)
            images.extend(node[1] for node in seen)
        result: list[list[Bond]] = [[] for _ in self.structure]
        if starts:
            frac = self.structure.frac_coords
            steps_ = np.array(images, dtype=np.int64) + frac[ends] - frac[starts]
            lengths = norms(cartesian(steps_, self.structure.lattice.matrix)).tolist()
            for start, end, image, length in zip(starts, ends, images, lengths, strict=True):
                result[start].append(Bond(end, image, length))
        return result

    @cached_property
    def _kept(self) -> dict[Node, list[Bond]]:
        return {}

    def of(self, index: int, image: Image = (0, 0, 0)) -> list[Bond]:
        """The bonds of a site in some cell, the shortest first."""
        key = (index, image)
        if key not in self._kept:
            x, y, z = image
            # hashed as upstream's named tuple (site, jimage, index, weight, dist): a site's hash is its nuclear charge
            hashed = {
                (self._nuclear[bond.site], (bond.image[0] + x, bond.image[1] + y, bond.image[2] + z), bond.site, 1,
                 bond.distance)
                for bond in self._unsorted[index]
            }  # fmt: skip
            self._kept[key] = sorted([Bond(entry[2], entry[1], entry[4]) for entry in hashed], key=_distance)
        return self._kept[key]

    def next_neighbours(self) -> list[list[Shared]]:
        """The next neighbours of every site."""
        flat: list[tuple[int, Node, list[Node]]] = []
        nodes_of: dict[Node, set[Node]] = {}
        here = (0, 0, 0)
        for index in range(len(self.structure)):
            own = {(bond.site, bond.image) for bond in self.of(index)}
            seen: set[Node] = {(index, here)}
            for bond in self.of(index):
                for further in self.of(bond.site, bond.image):
                    node = (further.site, further.image)
                    if node in seen:
                        continue
                    seen.add(node)
                    nodes = nodes_of.get(node)
                    if nodes is None:
                        nodes = nodes_of[node] = {(b.site, b.image) for b in self.of(*node)}
                    flat.append((index, node, list(own.intersection(nodes))))
        result: list[list[Shared]] = [[] for _ in self.structure]
        if flat:
            for (index, node, _), angles, distance in zip(flat, *self._geometry(flat), strict=True):
                result[index].append(Shared(node[0], node[1], angles, distance))
        return result

    def _geometry(self, flat: list[tuple[int, Node, list[Node]]]) -> tuple[list[list[float]], list[float]]:
        here = self._positions([(index, (0, 0, 0)) for index, _, _ in flat])
        there = self._positions([node for _, node, _ in flat])
        distances = norms(here - there).tolist()
        counts = [len(shared) for _, _, shared in flat]
        middle = self._positions([node for _, _, shared in flat for node in shared])
        a, b = np.repeat(here, counts, axis=0) - middle, np.repeat(there, counts, axis=0) - middle
        cosines = dots(a, b) / norms(a) / norms(b)
        angles = [math.degrees(angle) for angle in arccos(cosines).tolist()]
        split, start = [], 0
        for count in counts:
            split.append(angles[start : start + count])
            start += count
        return split, distances

    def _positions(self, nodes: list[Node]) -> Floats:
        if not nodes:
            return np.zeros((0, 3))
        indices, images = zip(*nodes, strict=True)
        frac = self.structure.frac_coords[list(indices)] + np.array(images, dtype=np.int64)
        return cartesian(frac, self.structure.lattice.matrix)


def _distance(bond: Any) -> float:  # noqa: ANN401
    return float(bond.distance)
