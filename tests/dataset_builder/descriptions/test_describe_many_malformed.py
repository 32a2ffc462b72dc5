"""Malformed CIFs by the hundred: each gives a record with a status, none a crash or a hang."""

import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.batch.records import Outcome, Settings, Status, Task

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")

CUBIC = """data_CsCl
_symmetry_space_group_name_H-M 'P m -3 m'
_cell_length_a 4.1
_cell_length_b 4.1
_cell_length_c 4.1
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cs1 Cs 0 0 0 1
Cl1 Cl 0.5 0.5 0.5 1
"""
OPERATIONS = """loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-x, -y, -z'
"""
PLAIN = Structure(Lattice.from_parameters(4, 5, 6, 80, 90, 100), ["K", "O", "O"], [[0.1] * 3, [0.4] * 3, [0.7] * 3])
CUT = PLAIN.to(fmt="cif").rpartition("  O")[0].rpartition("  O")[0]
BASES = [CUBIC, CUBIC + OPERATIONS, PLAIN.to(fmt="cif")]
TOKENS = ["nan", "inf", "-1", "0", "1e308", "1e-308", "?", ".", "", "180", "360", "999999999999", "Xx", "D", "Fe3+"]
TOKENS += [
    "'",
    '"',
    ";",
    "\n;\n",
    "loop_",
    "data_",
    "#",
    "\x1a",
    "\ufeff",
    "½",
    "0.5(3)",
    "x+1/2,y,z",
    "1/0",
    "x/0,y,z",
]


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    with LocalPool(Settings(describer="fake_describers:quick", timeout=60, memory_mb=512), workers=1) as pool:
        yield pool


def outcome(pool: LocalPool, text: str) -> Outcome:
    (found,) = pool.exchange([Task(0, text)])
    assert (found.status is Status.OK) == (found.description is not None)
    assert found.status is Status.OK or found.reason
    assert found.status in (Status.OK, Status.BAD_CIF, Status.DISORDERED), found
    return found


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(BASES))
    for _ in range(draw(st.integers(1, 4))):
        words = list(re.finditer(r"\S+", text)) or [re.match("", text)]
        word = draw(st.sampled_from(words))
        assert word is not None
        lines = text.split("\n")
        line = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["word", "cut", "drop", "double", "insert", "chop"])):
            case "word":
                text = text[: word.start()] + draw(st.sampled_from(TOKENS)) + text[word.end() :]
            case "cut":
                text = text[: word.start()]
            case "drop":
                text = "\n".join(lines[:line] + lines[line + 1 :])
            case "double":
                text = "\n".join(lines[: line + 1] + lines[line:])
            case "insert":
                text = text[: word.start()] + draw(st.text(max_size=8)) + text[word.start() :]
            case "chop":
                text = text[word.start() :]
    return text


@settings(max_examples=150, deadline=None)
@given(text=damaged())
def test_damaged_cifs(pool: LocalPool, text: str) -> None:
    outcome(pool, text)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=300))
@example(data=bytes(range(256)))
@example(data=b"\x89PNG\r\n\x1a\n")
@example(data=b"PK\x03\x04" + bytes(100))
def test_garbage(pool: LocalPool, data: bytes) -> None:
    assert outcome(pool, data.decode("utf-8", "replace")).status is Status.BAD_CIF


@settings(max_examples=50, deadline=None)
@given(text=st.recursive(st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(lambda x: f"{{'a': {x}}}"))
@example(text="{" * 100_000)
@example(text='{"lattice": {"matrix": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "sites": []}')
@example(text='{"@module": "os", "@class": "system", "a": "exit 1"}')
@example(text="{__import__('os').abort()}")
def test_dicts_that_are_no_structures(pool: LocalPool, text: str) -> None:
    assert outcome(pool, text).status is Status.BAD_CIF


def replace(old: str, new: str) -> str:
    assert old in CUBIC
    return CUBIC.replace(old, new)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (CUBIC, Status.OK, None),
        ("", Status.BAD_CIF, "empty"),
        (" \n\t", Status.BAD_CIF, "empty"),
        (CUBIC + "\0", Status.OK, None),
        (CUBIC + "\x1a", Status.OK, None),
        ("\ufeff" + CUBIC, Status.OK, None),
        (CUBIC.replace("4.1", "4.\0001"), Status.BAD_CIF, "binary"),
        (replace("Cs 0 0 0 1", "Cs 0 0 0 0.5"), Status.DISORDERED, "shared"),
        (replace("Cs 0 0 0 1", "Cs 0 0 0 2"), Status.BAD_CIF, "Occupancy 2.0"),
        (replace("P m -3 m", "Q q q q"), Status.BAD_CIF, "symmetry is not understood"),
        (replace("'P m -3 m'", "?"), Status.OK, None),
        (CUBIC.replace("P m -3 m", "?") + OPERATIONS.replace("x", "w"), Status.BAD_CIF, "symmetry is not"),
        (replace("Cs1 Cs", "D1 D") + "_chemical_formula_sum 'H Cl'", Status.OK, None),
        (CUBIC.replace("data_CsCl", "data_x\n_chemical_formula_sum 'Cs2 Cl'"), Status.BAD_CIF, "Cs2 Cl"),
        (CUT, Status.BAD_CIF, "K1"),
        (CUBIC[: CUBIC.index("Cs1")], Status.BAD_CIF, ""),
    ],
)
def test_faults_one_knows(pool: LocalPool, text: str, status: Status, reason: str | None) -> None:
    found = outcome(pool, text)
    assert found.status is status, found
    assert reason is None or reason in (found.reason or "")


def test_symmetry_that_multiplies_without_end() -> None:
    operations = "".join(f"'x+{n}/99991, y+{n}/99989, z'\n" for n in range(20_000))
    text = CUBIC + "loop_\n_symmetry_equiv_pos_as_xyz\n" + operations
    with LocalPool(Settings(describer="fake_describers:quick", timeout=2), workers=1) as pool:
        (found,) = pool.exchange([Task(0, text)])
    assert found.status in (Status.BAD_CIF, Status.TIME_OUT, Status.OUT_OF_MEMORY)
