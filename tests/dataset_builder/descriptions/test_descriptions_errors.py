"""Structures that have no description say so at once, and say why."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("robocrys")

from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.descriptions import DescriptionError, condense, describe


def reason(structure: Structure, **options: int) -> str:
    with pytest.raises(DescriptionError) as caught:
        describe(structure, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value.reason)


def salt(a: float = 5.64) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])


def test_disorder() -> None:
    structure = salt()
    structure.replace(0, {"Na": 0.5, "K": 0.5})
    assert reason(structure) == "disordered"
    structure.replace(0, {"Na": 0.5})
    assert reason(structure) == "disordered"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coordinates_that_are_not_numbers(value: float) -> None:
    structure = Structure(Lattice.cubic(4), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    structure[1]._frac_coords = np.array([value, 0.5, 0.5])
    assert reason(structure) == "bad_structure"


def test_a_lattice_that_is_not_one() -> None:
    flat = Structure(Lattice([[4, 0, 0], [0, 4, 0], [4, 4, 0]]), ["Fe"], [[0, 0, 0]])
    assert reason(flat) == "bad_structure"
    thin = Structure(Lattice([[4, 0, 0], [0, 4, 0], [0, 0, 1e-3]]), ["Fe"], [[0, 0, 0]])
    assert reason(thin) == "bad_structure"
    skewed = Structure(Lattice([[4, 0, 0], [0, 4, 0], [400, 0, 0.1]]), ["Fe"], [[0, 0, 0]])
    assert reason(skewed) == "bad_structure"
    lost = Structure(Lattice([[4, 0, 0], [0, np.nan, 0], [0, 0, 4]]), ["Fe"], [[0, 0, 0]])
    assert reason(lost) == "bad_structure"
    slab = Structure(Lattice(np.eye(3) * 4, pbc=(True, True, False)), ["Fe"], [[0, 0, 0]])
    assert reason(slab) == "bad_structure"


def test_coordinates_out_of_all_bounds() -> None:
    far = Structure(Lattice.cubic(4), ["Cs", "Cl"], [[1e9, 0, 0], [0.5, 0.5, 0.5]])
    assert reason(far) == "bad_structure"
    long = Structure(Lattice.cubic(5000), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert reason(long) == "bad_structure"
    near = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[1000, 0, -1000], [0.5, 0.5, 0.5]])
    assert describe(near) == describe(Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))


def test_nearly_empty_cells_come_to_an_end() -> None:
    gap = Structure(Lattice.orthorhombic(3, 3, 300), ["Fe", "O"], [[0, 0, 0], [0, 0, 0.01]])
    assert describe(gap)
    alone = Structure(Lattice.cubic(60), ["Fe"], [[0, 0, 0]])
    assert "zero-dimensional" in describe(alone)


def test_overlapping_atoms() -> None:
    structure = Structure(Lattice.cubic(4), ["Cs", "Cl", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    assert reason(structure) == "overlapping_atoms"
    across = Structure(Lattice.cubic(4), ["Cs", "Cl"], [[0, 0, 0], [0, 0, 0.9999999]])
    assert reason(across) == "overlapping_atoms"


def test_too_many_sites() -> None:
    assert reason(salt() * (11, 11, 11)) == "too_many_sites"  # 10,648
    assert reason(salt(), max_sites=7) == "too_many_sites"
    primitive = salt().get_primitive_structure()
    assert len(primitive) == 2
    assert reason(primitive, max_sites=7) == "too_many_sites"


def test_no_sites_and_unknown_species() -> None:
    empty = Structure(Lattice.cubic(4), [], [])
    assert reason(empty) == "empty"
    dummy = Structure(Lattice.cubic(4), ["X0+", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert reason(dummy) == "unknown_species"


def test_what_upstream_cannot_do() -> None:
    structure = salt()
    structure.add_spin_by_site([1] * len(structure))  # a spin without an oxidation state
    assert reason(structure) == "robocrys_error"


@pytest.mark.parametrize("heavy", ["D", "T"])
def test_heavy_hydrogen_is_described_as_hydrogen(heavy: str) -> None:
    """A structure that holds D itself: stored structures never do, since `as_dict` writes H."""
    places = [[0.2107] * 3, [0.3689, 0.2671, 0.1159]]
    lattice = Lattice.cubic(5.1)
    ammonia = Structure.from_spacegroup("P2_13", lattice, ["N", "H"], places)
    deuterated = Structure.from_spacegroup("P2_13", lattice, ["N", heavy], places)
    assert deuterated.species[-1].name == heavy
    assert describe(deuterated) == describe(ammonia)
    assert deuterated.species[-1].name == heavy, "the structure given is left alone"


def test_the_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(DescriptionError("disordered", "half a sodium")))
    assert (error.reason, str(error)) == ("disordered", "half a sodium")


def test_an_unknown_style() -> None:
    with pytest.raises(ValueError, match="published"):
        describe(salt(), style="poetic")  # type: ignore[arg-type]


def test_the_structure_given_is_left_alone() -> None:
    structure = Structure(Lattice.cubic(4.2), ["O", "Mg"], [[1.5, 0.5, -0.5], [0, 0, 0]])
    before = structure.as_dict()
    describe(structure)
    condense(structure)
    assert structure.as_dict() == before
