"""Structures in the forms of the sources."""

import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.crystals.errors import StructureError
from llm4mat_bench.dataset_builder.crystals.reading import read_crystal
from llm4mat_bench.dataset_builder.crystals.structures import parse_literal, structure_of_jarvis, without_isotopes

SALT = Structure(Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _atoms(number: int, elements: tuple[str, str] = ("Na", "Cl")) -> dict[str, Any]:
    a = 4 + 0.01 * number
    return {
        "lattice_mat": [[a, 0, 0], [0, a, 0], [0, 0, a]],
        "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
        "elements": list(elements),
        "abc": [a, a, a],
        "angles": [90, 90, 90],
        "cartesian": False,
        "props": ["", ""],
    }


def test_jarvis_structures_that_are_none() -> None:
    for atoms in (
        None,
        {},
        [],
        {"elements": ["Na"]},
        {**_atoms(0), "coords": [[0, 0, "x"], [0, 0, 0]]},
        _atoms(0, ("(,) ", "O")),
    ):
        with pytest.raises(StructureError):
            structure_of_jarvis(atoms)


def test_literals_are_never_run(tmp_path: Path) -> None:
    target = tmp_path / "owned"
    for text in (f"open({str(target)!r}, 'w')", "__import__('os').getcwd()", "{'a': os}", "(" * 5000, "[1" * 90000):
        with pytest.raises(StructureError):
            parse_literal(text)
    assert not target.exists()
    assert parse_literal("{'pbc': (True, True, True)}") == {"pbc": (True, True, True)}
    assert parse_literal('{"pbc": [true, null]}') == {"pbc": [True, None]}


POSCAR = """salt
1.0
5.64 0 0
0 5.64 0
0 0 5.64
Na Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""


@pytest.mark.parametrize(
    "text",
    [
        POSCAR,
        POSCAR.replace("1.0\n", "-179.406144\n"),
        POSCAR.replace("Direct", "Cartesian").replace("0.5 0.5 0.5", "2.82 2.82 2.82"),
        POSCAR.replace("Direct", "Selective dynamics\nDirect").replace(
            "0 0 0\n0.5 0.5 0.5", "0 0 0 T T F\n0.5 0.5 0.5 F F F"
        ),
        POSCAR + "\n0 0 0\n0 0 0\n",
        POSCAR.replace("Na Cl", "Na_pv Cl"),
        POSCAR.replace("\n", "\r\n"),
        json.dumps(SALT.as_dict()),
        str(SALT.as_dict()),
        "\ufeff" + json.dumps({"structure": SALT.as_dict(), "energy": -1}),
        json.dumps(_atoms(0)),
        json.dumps({"jid": "JVASP-1", "atoms": _atoms(0, ("Na ", "Cl"))}),
    ],
)
def test_other_forms(text: str) -> None:
    structure, remarks = read_crystal(text)
    assert structure.composition.formula == "Na1 Cl1"
    assert not remarks
    assert structure.distance_matrix[0, 1] == pytest.approx(structure.lattice.a * 3**0.5 / 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (POSCAR.replace("Na Cl\n", ""), "names no elements"),
        (POSCAR.replace("1 1", "1 2"), "says 3 atoms and has 2"),
        (POSCAR.replace("1 1", "1"), "says 1 atoms and has 2"),
        (POSCAR.replace("Na Cl", "Na Xx"), "no element: 'Xx'"),
        (POSCAR.replace("0.5 0.5 0.5", "0.5 0.5"), "POSCAR"),
        (POSCAR.replace("1 1", "one one"), "no numbers of atoms"),
        ('{"lattice": 1}', "lattice"),
        ('{"atoms": {"elements": ["Na"]}}', "lattice"),
        ("{1: ", "neither JSON nor"),
    ],
)
def test_other_forms_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        read_crystal(text)


def test_heavy_hydrogen_in_other_forms() -> None:
    for text in (POSCAR.replace("Na", "D"), json.dumps(_atoms(0, ("D", "Cl")))):
        structure, remarks = read_crystal(text)
        assert structure.composition.formula == "H1 Cl1"
        assert remarks == ("deuterium is described as hydrogen",)
    charged = Structure(Lattice.cubic(4), ["D+", {"T": 0.5, "O2-": 0.5}], [[0, 0, 0], [0.5] * 3])
    plain, remarks = without_isotopes(charged)
    assert [site.species_string for site in plain] == ["H+", "H:0.5, O2-:0.5"]
    assert len(remarks) == 2
    assert charged[0].species_string == "D+", "what is given is left alone"
