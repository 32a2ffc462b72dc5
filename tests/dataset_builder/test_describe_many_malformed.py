"""Malformed CIFs by the hundred: each gives a record with a status, none a crash or a hang."""

import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.descriptions.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.records import Outcome, Settings, Status, Task

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")

ROCK_SALT = """data_NaCl
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 5.6
_cell_length_b 5.6
_cell_length_c 5.6
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
Na1 Na 0 0 0 1
Cl1 Cl 0.5 0.5 0.5 1
"""
OPERATIONS = """loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-x, -y, -z'
"""
PLAIN = Structure(Lattice.from_parameters(4, 5, 6, 80, 90, 100), ["K", "O", "O"], [[0.1] * 3, [0.4] * 3, [0.7] * 3])
CUT = PLAIN.to(fmt="cif").rpartition("  O")[0].rpartition("  O")[0]
BASES = [ROCK_SALT, ROCK_SALT + OPERATIONS, PLAIN.to(fmt="cif")]
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
    with LocalPool(Settings(describer="fake_describers:quick", timeout=6, memory_mb=512), workers=1) as pool:
        yield pool


def outcome(pool: LocalPool, text: str) -> Outcome:
    (found,) = pool.exchange([Task(0, text)])
    assert (found.status is Status.OK) == (found.description is not None) == (found.reason is None)
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


@settings(max_examples=200, deadline=None)
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
    assert old in ROCK_SALT
    return ROCK_SALT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (ROCK_SALT, Status.OK, None),
        ("", Status.BAD_CIF, "empty"),
        (" \n\t", Status.BAD_CIF, "empty"),
        (ROCK_SALT + "\0", Status.BAD_CIF, "binary"),
        (replace("Na 0 0 0 1", "Na nan 0 0 1"), Status.BAD_CIF, ""),
        (replace("Na 0 0 0 1", "Na inf 0 0 1"), Status.BAD_CIF, ""),
        (replace("Na 0 0 0 1", "Na 0 0 0 0.5"), Status.DISORDERED, "partly"),
        (replace("Na 0 0 0 1", "Na 0 0 0 2"), Status.BAD_CIF, "Occupancy 2.0"),
        (replace("_cell_length_a 5.6", "_cell_length_a 0"), Status.BAD_CIF, ""),
        (replace("_cell_length_a 5.6", "_cell_length_a nan"), Status.BAD_CIF, ""),
        (replace("_cell_angle_alpha 90", "_cell_angle_alpha 180"), Status.BAD_CIF, ""),
        (replace("F m -3 m", "Q q q q"), Status.BAD_CIF, "symmetry is not understood"),
        (replace("'F m -3 m'", "?"), Status.OK, None),
        (ROCK_SALT.replace("F m -3 m", "?") + OPERATIONS.replace("x", "w"), Status.BAD_CIF, "symmetry is not"),
        (replace("Na1 Na", "Zz1 Zz"), Status.BAD_CIF, "no such element: Zz"),
        (replace("Na1 Na", "D1 D") + "_chemical_formula_sum 'H Cl'", Status.OK, None),
        (ROCK_SALT.replace("data_NaCl", "data_x\n_chemical_formula_sum 'Na2 Cl'"), Status.BAD_CIF, "Na2 Cl"),
        (ROCK_SALT[: ROCK_SALT.index("Cl1")] + "Cl1 Cl 0.0 0.0 0.001 1\n", Status.BAD_CIF, "same place"),
        (CUT, Status.BAD_CIF, "K1"),
        (ROCK_SALT[: ROCK_SALT.index("Na1")], Status.BAD_CIF, ""),
    ],
)
def test_faults_one_knows(pool: LocalPool, text: str, status: Status, reason: str | None) -> None:
    found = outcome(pool, text)
    assert found.status is status, found
    assert reason is None or reason in (found.reason or "")


def test_ten_thousand_sites(pool: LocalPool) -> None:
    """Read, and left to the describer and its time-out."""
    rows = [f"Na{n} Na {(n % 22) / 22} {(n // 22 % 22) / 22} {(n // 484) / 22} 1" for n in range(10_000)]
    text = ROCK_SALT.replace("F m -3 m", "P 1").replace("5.6", "70").replace("Na1 Na 0 0 0 1", "\n".join(rows))
    (found,) = pool.exchange([Task(0, text)])
    assert (found.status, found.n_sites) in [(Status.OK, 10_001), (Status.TIME_OUT, None)]


def test_symmetry_that_multiplies_without_end(pool: LocalPool) -> None:
    operations = "".join(f"'x+{n}/99991, y+{n}/99989, z'\n" for n in range(20_000))
    text = ROCK_SALT + "loop_\n_symmetry_equiv_pos_as_xyz\n" + operations
    (found,) = pool.exchange([Task(0, text)])
    assert found.status in (Status.BAD_CIF, Status.TIME_OUT, Status.OUT_OF_MEMORY)
