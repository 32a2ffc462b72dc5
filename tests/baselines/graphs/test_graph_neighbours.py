"""Which atoms a crystal graph binds, and how a tie at the cut is shared."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pymatgen")

from pymatgen.core import Lattice, Structure

from llm4mat_bench.baselines.graphs.neighbours import GraphSettings, graph_of_structure, graphs_of_cifs, share_out
from llm4mat_bench.dataset_builder.crystals.errors import StructureError
from llm4mat_bench.dataset_builder.sample import read_sample

SETTINGS = GraphSettings()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=14), st.integers(1, 8))
def test_a_neighbour_counts_as_often_as_it_is_chosen(shells: list[int], room: int) -> None:
    """Against all choices there are of the nearest `room` neighbours, one by one."""
    distances = np.sort(np.array(shells, float))
    weights = share_out(distances, GraphSettings(neighbours=room))
    cut = min(room, len(distances))
    choices = [
        chosen
        for chosen in combinations(range(len(distances)), cut)
        if (distances[list(chosen)] == distances[:cut]).all()
    ]
    often = np.array([np.mean([at in chosen for chosen in choices]) for at in range(len(distances))])
    np.testing.assert_allclose(weights, often[: len(weights)])
    assert not often[len(weights) :].any()


def test_distances_that_differ_by_rounding_are_a_tie() -> None:
    distances = np.array([1.0, 2.0, 2.00005, 2.00009, 2.0002])
    np.testing.assert_allclose(share_out(distances, GraphSettings(neighbours=2)), [1, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(share_out(distances, GraphSettings(neighbours=2, tolerance=0)), [1, 1])


def test_shells_of_known_crystals() -> None:
    # Face-centred copper has 12 nearest neighbours; body-centred iron 8 and then 6, of which 4 have room.
    copper = graph_of_structure(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]]), SETTINGS)
    np.testing.assert_allclose(copper.distances, 3.61 / np.sqrt(2), rtol=1e-6)
    assert copper.counts.tolist() == [12] * 4 and (copper.weights == 1).all()
    iron = graph_of_structure(Structure.from_spacegroup("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]]), SETTINGS)
    assert iron.counts.tolist() == [14, 14]
    np.testing.assert_allclose(iron.weights[:14], [1] * 8 + [4 / 6] * 6)
    np.testing.assert_allclose(iron.distances[:14], [2.87 * np.sqrt(3) / 2] * 8 + [2.87] * 6, rtol=1e-6)


def test_an_atom_with_few_neighbours_makes_up_for_them_by_itself() -> None:
    lonely = graph_of_structure(Structure(Lattice.cubic(20), ["Xe", "He"], [[0, 0, 0], [0.2, 0, 0]]), SETTINGS)
    assert lonely.neighbours.tolist() == [1, 0, 0, 1]
    assert lonely.weights.tolist() == [1, 11, 1, 11]
    np.testing.assert_allclose(lonely.distances, [4, 9, 4, 9])


def test_every_atom_of_the_sample_has_twelve_in_sum() -> None:
    cifs = read_sample("validation", ["cif"])["cif"].to_pylist()[:40]
    for graph in graphs_of_cifs(cifs, SETTINGS):
        assert not isinstance(graph, str)
        sums = np.add.reduceat(graph.weights, np.cumsum(graph.counts) - graph.counts)
        np.testing.assert_allclose(sums, 12, rtol=1e-6)


def test_what_is_no_crystal_says_why() -> None:
    mixed = Structure(Lattice.cubic(4), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]])
    with pytest.raises(StructureError, match="shared by several elements"):
        graph_of_structure(mixed, SETTINGS)
    reasons = graphs_of_cifs(["", "no crystal", "data_x\n_cell_length_a 3"], SETTINGS)
    assert reasons == ["the text is empty", "not a CIF", "no atoms: cut off?"]
