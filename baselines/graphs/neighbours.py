"""From a crystal to its graph: each atom bound to its nearest neighbours, ties at the cut shared.

A crystal graph gives each atom its 12 nearest neighbours. Where the twelfth lies in a shell of equal distances of which
only some have room, the published code takes those that its neighbour list happens to name first, so that the answer
depends on the order of the atoms. Here the whole shell is taken, and its members share the room that is left: if 5 of 8
have room, each counts 5/8. What an atom takes in is then the mean over all choices; atoms that symmetry makes equal
stay equal in every layer, and the answer depends neither on the order of the atoms nor on the cell nor on its
orientation. Where the members of the shell are alike, it is what any choice gives; where no tie is cut, all weights are
1, as published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.crystals.errors import StructureError
from ...dataset_builder.crystals.reading import read_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

REVISION = 1
"""Raised when the same CIF and settings would give another graph."""


class GraphSettings(BaseModel):
    """What decides a graph."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    radius: float = 8.0
    """Å; farther atoms are no neighbours."""
    neighbours: int = 12
    """How many an atom has."""
    tolerance: float = 1e-4
    """Å; distances that differ by no more from that of the last neighbour are equal to it."""


@dataclass(frozen=True)
class Graph:
    """A crystal as a graph.

    Attributes:
        numbers: Atomic number of each atom, shape (atoms,).
        counts: How many bonds each atom has, shape (atoms,). Those of the first atom come first.
        neighbours: Place of the atom at the other end of each bond, shape (bonds,).
        distances: Length of each bond in Å, shape (bonds,).
        weights: How much each bond counts, shape (bonds,); they sum up to the number of neighbours for every atom.
    """

    numbers: NDArray[np.uint8]
    counts: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    distances: NDArray[np.float32]
    weights: NDArray[np.float32]


def graph_of_structure(structure: "Structure", settings: GraphSettings) -> Graph:
    """Bind each atom to its nearest neighbours.

    An atom with fewer neighbours than it should have is bound to itself over 1 Å more than the radius for those that
    lack, as in the published code, which takes the first atom of the file in its place.

    Raises:
        StructureError: A site is shared by several elements, or partly empty.
    """
    if not structure.is_ordered:
        raise StructureError("a site is shared by several elements or partly empty; a graph needs one element a site")
    numbers = np.array([site.specie.Z for site in structure], np.uint8)
    centres, others, _, distances = structure.get_neighbor_list(settings.radius)
    order = np.lexsort((distances, centres))
    bounds = np.searchsorted(centres[order], np.arange(len(numbers) + 1))
    neighbours, lengths, weights = [], [], []
    for atom, (start, end) in enumerate(pairwise(bounds)):
        near = order[start:end]
        shares = share_out(distances[near], settings)
        near = near[: len(shares)]
        missing = settings.neighbours - len(near)
        neighbours.append(np.append(others[near], [atom] if missing > 0 else []))
        lengths.append(np.append(distances[near], [settings.radius + 1] if missing > 0 else []))
        weights.append(np.append(shares, [missing] if missing > 0 else []))
    return Graph(
        numbers,
        np.array([len(one) for one in neighbours], np.int32),
        np.concatenate(neighbours).astype(np.int32),
        np.concatenate(lengths).astype(np.float32),
        np.concatenate(weights).astype(np.float32),
    )


def share_out(distances: NDArray[np.float64], settings: GraphSettings) -> NDArray[np.float64]:
    """Say how much each of an atom's neighbours counts.

    Args:
        distances: To all within the radius, in rising order.
        settings: How many have room, and which distances are equal.

    Returns:
        Weights of the nearest, up to the last that counts at all.
    """
    room = settings.neighbours
    if len(distances) <= room:
        return np.ones(len(distances))
    last = distances[room - 1]
    nearer = int(np.searchsorted(distances, last - settings.tolerance, side="left"))
    reached = int(np.searchsorted(distances, last + settings.tolerance, side="right"))
    weights = np.ones(reached)
    weights[nearer:] = (room - nearer) / (reached - nearer)
    return weights


def graphs_of_cifs(cifs: Sequence[str], settings: GraphSettings) -> list[Graph | str]:
    """Make the graphs of some CIFs; one that cannot be read gives the reason in its place."""
    return [_graph_or_reason(cif, settings) for cif in cifs]


def _graph_or_reason(cif: str, settings: GraphSettings) -> Graph | str:
    try:
        return graph_of_structure(read_structure(cif), settings)
    except StructureError as error:
        return str(error)
