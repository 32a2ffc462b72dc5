"""Structures in the forms of the sources."""

from pathlib import Path
from typing import Any

import pytest

from llm4mat_bench.dataset_builder.crystals.errors import StructureError
from llm4mat_bench.dataset_builder.crystals.structures import parse_literal, structure_of_jarvis


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
