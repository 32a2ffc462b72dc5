"""Damaged CIFs: the crystal that was meant, or a refusal in one line; never a traceback, never another formula."""

import re

import pytest
from cif_text import cif
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from llm4mat_bench.dataset_builder.crystals.errors import StructureError
from llm4mat_bench.dataset_builder.crystals.reading import read_crystal
from llm4mat_bench.dataset_builder.crystals.texts import cif_blocks, decode_text, tidy

pytest.importorskip("gemmi")

CUBE = (5.64, 5.64, 5.64, 90, 90, 90)
QUARTZ = (4.913, 4.913, 5.405, 90, 90, 120)
UREA = [
    "x,y,z",
    "-x,-y,z",
    "y,-x,-z",
    "-y,x,-z",
    "-x+1/2,y+1/2,-z",
    "x+1/2,-y+1/2,-z",
    "-y+1/2,-x+1/2,z",
    "y+1/2,x+1/2,z",
]
UREA_ATOMS = (
    ("C", "C", "0", "0.5", "0.33"),
    ("O", "O", "0", "0.5", "0.596"),
    ("N", "N", "0.145", "0.645", "0.178"),
    ("H1", "H", "0.2552", "0.7552", "0.2845"),
    ("H2", "H", "0.1428", "0.6428", "-0.034"),
)


def _stated(text: str, formula: str, units: int, volume: float) -> str:
    """Formula, Z and volume stand first, where damage behind them cannot take them away."""
    head, _, rest = text.partition("\n")
    stated = f"_chemical_formula_sum '{formula}'\n_cell_formula_units_Z {units}\n_cell_volume {volume}\n"
    return f"{head}\n{stated}{rest}"


SILICON = (("Si1", "Si", "0.125", "0.125", "0.125"),)
SILICA = (("Si1", "Si", "0.4697", "0", "0.66667"), ("O1", "O", "0.4135", "0.2669", "0.7858"))
AMMONIA = (("N1", "N", "0.2107", "0.2107", "0.2107"), ("D1", "D", "0.3689", "0.2671", "0.1159"))

# A good CIF, and the atoms in its cell.
BASES = [
    (_stated(cif(CUBE, symbol="F m -3 m", number=225), "Cl Na", 4, 179.4), {"Na": 4, "Cl": 4}),
    (
        _stated(
            cif((5.6, 5.6, 4.7, 90, 90, 90), UREA_ATOMS, operations=UREA, symbol="P -4 21 m"), "C H4 N2 O", 2, 147.4
        ),
        {"C": 2, "H": 8, "N": 4, "O": 2},
    ),
    (_stated(cif((5.43, 5.43, 5.43, 90, 90, 90), SILICON, symbol="F d -3 m :2"), "Si", 8, 160.1), {"Si": 8}),
    (_stated(cif(QUARTZ, SILICA, symbol="P 32 2 1", hall='P 32 2"'), "O2 Si", 3, 112.98), {"Si": 3, "O": 6}),
    (_stated(cif((5.1, 5.1, 5.1, 90, 90, 90), AMMONIA, symbol="P 21 3"), "D3 N", 4, 132.65), {"N": 4, "H": 12}),
]
PROTECTED = 4  # lines: the header and what `_stated` added
TOKENS = [
    "nan",
    "inf",
    "-1",
    "0",
    "1",
    "1e308",
    "1e-308",
    "?",
    ".",
    "''",
    "180",
    "360",
    "999999999999",
    "Xx",
    "D",
    "2H",
    "Fe3+",
]
TOKENS += [
    "'",
    '"',
    ";",
    "\n;\n",
    "loop_",
    "\nloop_\n",
    "_loop",
    "data_",
    "\ndata_y\n",
    "#",
    "\x1a",
    "\0",
    "\ufeff",
    "½",
    "0.5(3)",
    "0.33",
]
TOKENS += [
    "x+1/2,y,z",
    "x,y,z",
    "1/0",
    "x/0,y,z",
    "q",
    "Na",
    "Cl",
    "HO1",
    "Wat",
    "save_",
    "global_",
    "P1",
    "'P 1'",
    "227",
    "R",
    ":1",
    ":2",
    "[",
    "$x",
]
TOKENS += [
    "_cell_length_a",
    "_atom_site_occupancy",
    "_atom_site_attached_hydrogens",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_name_Hall",
]


def read(text: str, counts: dict[str, int]) -> None:
    blocks = [block for block in cif_blocks(tidy(text)) if block.holds_atoms]
    stated = len(blocks) == 1 and all(
        name in blocks[0].text for name in ("_chemical_formula_sum", "_cell_formula_units_Z")
    )
    try:
        crystal = read_crystal(text)
    except StructureError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        assert len(message) < 600
        return
    if stated:
        found = {str(element): amount for element, amount in crystal.structure.composition.items()}
        assert found == pytest.approx(counts)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    text, counts = draw(st.sampled_from(BASES))
    lines = text.split("\n")
    head, body = "\n".join(lines[:PROTECTED]) + "\n", "\n".join(lines[PROTECTED:])
    for _ in range(draw(st.integers(1, 4))):
        words = list(re.finditer(r"[^\s',]+", body)) or [re.match("", body)]
        word = draw(st.sampled_from(words))
        assert word is not None
        rows = body.split("\n")
        row, other = draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, len(rows) - 1))
        match draw(st.sampled_from(["word", "cut", "drop", "double", "insert", "swap", "letter", "digit", "token"])):
            case "word":
                body = body[: word.start()] + draw(st.sampled_from(TOKENS)) + body[word.end() :]
            case "cut":
                body = body[: word.start()]
            case "drop":
                body = "\n".join(rows[:row] + rows[row + 1 :])
            case "double":
                body = "\n".join(rows[: row + 1] + rows[row:])
            case "insert":
                body = body[: word.start()] + draw(st.text(max_size=8)) + body[word.start() :]
            case "swap":
                rows[row], rows[other] = rows[other], rows[row]
                body = "\n".join(rows)
            case "letter":
                body = body[: word.start()] + word.group().swapcase() + body[word.end() :]
            case "digit":
                body = (
                    body[: word.start()]
                    + re.sub(r"\d", draw(st.sampled_from("0123456789.-")), word.group(), count=1)
                    + body[word.end() :]
                )
            case "token":
                body = body[: word.end()] + " " + draw(st.sampled_from(TOKENS)) + " " + body[word.end() :]
    return head + body, counts


@pytest.mark.parametrize("number", range(len(BASES)))
def test_undamaged(number: int) -> None:
    text, counts = BASES[number]
    structure = read_crystal(text).structure
    assert {str(element): amount for element, amount in structure.composition.items()} == counts


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=damaged())
def test_damaged(case: tuple[str, dict[str, int]]) -> None:
    read(*case)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
@example(data=bytes(range(256)))
@example(data=b"data_x\nloop_\n")
@example(data=b"\xff\xfed\x00a\x00")
@example(data=b"data_x\n_atom_site_fract_x 0\n_cell_length_a 1")
def test_garbage(data: bytes) -> None:
    with pytest.raises(StructureError):
        read_crystal(decode_text(data))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40), place=st.integers(0, 400))
def test_text_put_anywhere(text: str, place: int) -> None:
    """Also among formula and Z; only the form of the answer is looked at."""
    whole, _ = BASES[1]
    assume(text)
    read_text = whole[:place] + text + whole[place:]
    try:
        read_crystal(read_text)
    except StructureError as error:
        assert "\n" not in str(error)
