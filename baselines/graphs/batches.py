"""Several crystal graphs as one, with their atoms and bonds one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from .graph_store import GraphStore
from .neighbours import Graph

BONDS_A_BATCH = 60_000
"""Bonds that are looked at together where nobody asks for a number of crystals; some 100 MB of activations."""


@dataclass(frozen=True)
class Batch:
    """Crystals side by side.

    Attributes:
        numbers: Atomic number of each atom, shape (atoms,).
        crystals: Which crystal each atom belongs to, in rising order, shape (atoms,).
        sizes: Atoms of each crystal, shape (crystals,).
        centres: Place of the atom that each bond belongs to, in rising order, shape (bonds,).
        neighbours: Place of the atom at its other end, shape (bonds,).
        distances: Its length in Å, shape (bonds,).
        weights: How much it counts, shape (bonds,).
    """

    numbers: torch.Tensor
    crystals: torch.Tensor
    sizes: torch.Tensor
    centres: torch.Tensor
    neighbours: torch.Tensor
    distances: torch.Tensor
    weights: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def collate(graphs: Sequence[Graph]) -> Batch:
    """Put graphs side by side."""
    sizes = np.array([len(graph.numbers) for graph in graphs], np.int64)
    shifts = np.cumsum(sizes) - sizes
    counts = np.concatenate([graph.counts for graph in graphs])
    neighbours = [graph.neighbours.astype(np.int64) + shift for graph, shift in zip(graphs, shifts, strict=True)]
    return Batch(
        numbers=torch.from_numpy(np.concatenate([graph.numbers for graph in graphs]).astype(np.int64)),
        crystals=torch.from_numpy(np.repeat(np.arange(len(graphs)), sizes)),
        sizes=torch.from_numpy(sizes),
        centres=torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
        neighbours=torch.from_numpy(np.concatenate(neighbours)),
        distances=torch.from_numpy(np.concatenate([graph.distances for graph in graphs])),
        weights=torch.from_numpy(np.concatenate([graph.weights for graph in graphs])),
    )


@dataclass(frozen=True)
class GraphRows:
    """Crystals that have a graph, with their targets.

    Attributes:
        store: Holds the graphs.
        places: Of the graphs in the store, shape (n,).
        targets: Shape (n,).
    """

    store: GraphStore
    places: NDArray[np.int64]
    targets: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Some of them side by side."""
        return collate([graph_at(self.store, place) for place in self.places[rows]])


def graph_at(store: GraphStore, place: int) -> Graph:
    """The graph at a place that is known to hold one."""
    found = store.graph(place)
    if isinstance(found, str):
        raise ValueError(f"no graph: {found}")
    return found


def in_batches(store: GraphStore, places: NDArray[np.int64]) -> Iterator[tuple[slice, Batch]]:
    """Yield graphs in their order, as many together as memory allows, and which they are."""
    start, bonds = 0, 0
    graphs: list[Graph] = []
    for at, place in enumerate(places):
        graph = graph_at(store, place)
        if graphs and bonds + len(graph.weights) > BONDS_A_BATCH:
            yield slice(start, at), collate(graphs)
            start, bonds, graphs = at, 0, []
        graphs.append(graph)
        bonds += len(graph.weights)
    if graphs:
        yield slice(start, len(places)), collate(graphs)
