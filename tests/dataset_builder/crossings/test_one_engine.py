"""A build and `check` find the same crystals twice, by the same keys and the same matcher."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import Row, with_sizes, write_published
from pymatgen.core import Composition, Lattice, Structure
from typer.testing import CliRunner

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.cleaning.keys import hash_formulas, hash_texts
from llm4mat_bench.dataset_builder.crystals.formulas import reduced_formula
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions

SIZES = (8, 2, 3)


def rock_salt(a: float, *, primitive: bool) -> str:
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return str((cell.get_primitive_structure() if primitive else cell).to(fmt="cif"))


def salts(splits: dict[str, list[Row]]) -> None:
    """In train ``Na2Cl2`` and ``Cl4Na4``, in test ``NaCl``: one crystal; another NaCl in train is of another type."""
    other = str(Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif"))
    for row, formula, cif in (
        (splits["train"][2], "Na2Cl2", rock_salt(5.64, primitive=False)),
        (splits["train"][3], "Cl4Na4", rock_salt(5.70, primitive=True)),
        (splits["train"][4], "NaCl", other),
        (splits["test"][1], "NaCl", rock_salt(5.66, primitive=True)),
    ):
        row["formula_pretty"], row["cif_structure"], row["description"] = (
            formula,
            cif,
            f"{formula} {row['material_id']}",
        )


def test_the_same_crystal_with_another_formula_unit(tmp_path: Path) -> None:
    source = with_sizes(write_published(tmp_path / "in", change=salts), SIZES)
    built = tmp_path / "out"
    build_source(source, tmp_path / "in", built, BuildOptions(match_structures=True))
    faults = pq.read_table(built / "faults" / "mp" / "train.parquet").to_pylist()
    marked = {one["material_id"] for one in faults if one["rule"] == "same_crystal_in_held_out"}
    assert {"id-2", "id-3"} <= marked
    assert "id-4" not in marked

    result = CliRunner().invoke(app, ["check", str(built), "--json", "--source", "mp"])
    assert result.exit_code == 0, result.output
    found = json.loads((built / "duplicates.json").read_text())["sources"][0]["structure"]
    assert found["complete"]
    to_train = [one for one in found["shared"] if one["splits"][0] == "train"]
    pairs = {tuple(one["ids"]) for one in found["examples"]}
    assert {("id-2", "id-11"), ("id-3", "id-11")} <= pairs
    assert {first for first, _ in pairs if first in {f"id-{n}" for n in range(8)}} <= marked
    assert sum(one["rows"][0] for one in to_train) >= len(marked)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_null_and_empty_have_no_key(kind: pa.DataType) -> None:
    texts = ["a", None, "", "a", "b"]
    found = hash_texts(pa.array(texts, pa.string()).cast(kind))
    assert found[1] == found[2] == 0
    assert found[0] == found[3] != 0
    assert found[4] not in (0, found[0])
    np.testing.assert_array_equal(found, hash_texts(pa.array(["x", *texts], pa.string()).slice(1)))


def test_a_column_of_nothing() -> None:
    assert hash_texts(pa.nulls(3)).tolist() == [0, 0, 0]
    assert hash_texts(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize(
    ("formula", "reduced"),
    [
        ("Na2Cl2", "Cl1Na1"),
        ("NaN", "N1Na1"),
        ("Na0.5Cl0.5", "Cl1Na1"),
        ("Ca(OH)2", "Ca1H2O2"),
        ("Fe6O9", "Fe2O3"),
        ("O2", "O1"),
        ("Na3Bi(P2O7)2", "Bi1Na3O14P4"),
        ("La0.85Sr0.15MnO3", "La17Mn20O60Sr3"),
        ("water", None),
        ("", None),
    ],
)
def test_reduced_formulas(formula: str, reduced: str | None) -> None:
    assert reduced_formula(formula) == reduced


FORMULAS = st.dictionaries(st.sampled_from(["Na", "Cl", "O", "Fe", "C", "Co"]), st.integers(1, 40), min_size=1)


@settings(deadline=None)
@given(amounts=FORMULAS, units=st.integers(1, 30), seed=st.integers(0, 99))
def test_formula_units_and_order_make_no_difference(amounts: dict[str, int], units: int, seed: int) -> None:
    shuffled = random.Random(seed).sample(list(amounts), len(amounts))
    one = "".join(f"{element}{amount}" for element, amount in amounts.items())
    other = "".join(f"{element}{amounts[element] * units}" for element in shuffled)
    keys, unreadable = hash_formulas(pa.array([one, other, None, "water"]))
    assert keys[0] == keys[1] != 0
    assert keys[2] == 0
    assert unreadable == 1
    theirs, _ = Composition(one).get_integer_formula_and_factor()
    assert Composition(reduced_formula(one)).reduced_composition == Composition(theirs).reduced_composition
