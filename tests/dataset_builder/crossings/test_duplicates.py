from itertools import combinations

import numpy as np
import pytest
from crystal_tables import crystals, real_rows, split_rows, write_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

pytest.importorskip("pymatgen.core")

from pymatgen.core import Lattice, Structure

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.crossings import find_duplicates
from llm4mat_bench.dataset_builder.dataset_folder import open_dataset_folder


def find(folder, **options):
    return find_duplicates(open_dataset_folder(folder), **options).sources[0]


def shared(report) -> dict[tuple[str, str], tuple[int, tuple[int, int]]]:
    return {one.splits: (one.keys, one.rows) for one in report.shared}


def rock_salt(a: float, *, primitive: bool) -> str:
    conventional = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return (conventional.get_primitive_structure() if primitive else conventional).to(fmt="cif")


def caesium_chloride_type(a: float) -> str:
    return Structure(Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")


def table(rows: list[tuple]) -> dict[str, list]:
    names = ("material_id", "composition", "cif", "description")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def test_every_key_by_hand(tmp_path):
    splits = {
        "train": table(
            [("a", "NaCl", "cif 1", "text 1"), ("a", "Na2Cl2", "cif 2", None), ("b", "MgO", "cif 3", "text 3")]
        ),
        "validation": table([("c", "Cl3Na3", "cif 4", ""), ("d", "MgO", "cif 3", "text 5")]),
        "test": table([("a", "FeO", "cif 6", "text 5"), ("a", "Fe2O3", "cif 7", None)]),
    }
    report = find(write_folder(tmp_path, "made", splits), structures=False)
    assert report.by("id").repeated == {"train": 1, "validation": 0, "test": 1}
    assert shared(report.by("id")) == {
        ("train", "validation"): (0, (0, 0)),
        ("train", "test"): (1, (2, 2)),
        ("validation", "test"): (0, (0, 0)),
    }
    assert shared(report.by("composition"))["train", "validation"] == (1, (1, 1))
    assert shared(report.by("reduced_formula"))["train", "validation"] == (2, (3, 2))
    assert shared(report.by("cif"))["train", "validation"] == (1, (1, 1))
    assert report.by("description").without == {"train": 1, "validation": 1, "test": 1}
    assert shared(report.by("description"))["validation", "test"] == (1, (1, 1))
    assert report.by("cif").examples[0].model_dump() == {"splits": ("train", "validation"), "ids": ("b", "d")}
    assert report.structure is None
    assert "as asked" in report.structure_note
    assert report.crosses_splits


def test_sodium_nitride_is_a_formula(tmp_path):
    splits = {"train": table([("a", "NaN", "1", "x")]), "test": table([("b", "NaN", "2", "y")])}
    report = find(write_folder(tmp_path, "made", splits), structures=False)
    assert report.by("reduced_formula").without == {"train": 0, "test": 0}
    assert report.by("reduced_formula").unreadable == 0
    assert report.by("reduced_formula").rows_across == 1
    assert not report.crosses_splits


def test_structures_match_in_another_cell_and_polymorphs_do_not(tmp_path):
    splits = {
        "train": table([("salt", "NaCl", rock_salt(5.64, primitive=False), "x")]),
        "test": table(
            [
                ("same", "NaCl", rock_salt(5.70, primitive=True), "y"),
                ("polymorph", "NaCl", caesium_chloride_type(3.4), "z"),
                ("broken", "NaCl", "data_x\nloop_ nonsense", "w"),
            ]
        ),
    }
    report = find(write_folder(tmp_path, "made", splits))
    structure = report.structure
    assert (structure.pairs, structure.compared, structure.matching, structure.complete) == (3, 3, 1, True)
    assert structure.unreadable == 1
    assert structure.identical_text == 0
    assert shared(structure) == {("train", "test"): (1, (1, 1))}
    assert structure.examples[0].ids == ("salt", "same")
    assert report.crosses_splits


def test_a_cap_is_reported_and_the_choice_repeats(tmp_path):
    splits = {
        "train": table([(f"a{row}", "NaCl", rock_salt(5.5 + row / 50, primitive=True), "x") for row in range(4)]),
        "test": table([(f"b{row}", "NaCl", rock_salt(5.5 + row / 50, primitive=True), "y") for row in range(4)]),
    }
    folder = write_folder(tmp_path, "made", splits)
    first, second = (find(folder, max_pairs=5) for _ in range(2))
    assert first == second
    assert (first.structure.pairs, first.structure.compared, first.structure.complete) == (16, 5, False)
    result = CliRunner().invoke(app, ["check", str(folder), "--max-pairs", "5"])
    assert "5 of 16 pairs of structures were compared" in result.output


def test_one_large_group_leaves_room_for_others_and_the_cap_is_used_up(tmp_path):
    large = [(f"{side}{row}", "NaCl", "nothing", "x") for side in "ab" for row in range(9)]
    small = [(f"{side}", "MgO", "nothing", "x") for side in "cd"]
    splits = {"train": table(large[:9] + small[:1]), "test": table(large[9:] + small[1:])}
    groups_first = find(write_folder(tmp_path, "made", splits), max_pairs=60).structure
    assert (groups_first.pairs, groups_first.compared) == (82, 60)


def test_published_rows_have_none_and_a_planted_one_is_found(tmp_path):
    splits = real_rows()
    clean = find(write_folder(tmp_path / "clean", "mp", splits))
    assert not clean.crosses_splits
    for values in splits["validation"].values():
        values.append(values[0])
    for name, values in splits["train"].items():
        splits["validation"][name].append(values[3])
    report = find(write_folder(tmp_path / "planted", "mp", splits))
    assert report.by("id").repeated == {"train": 0, "validation": 1}
    for key in ("id", "composition", "cif", "description", "reduced_formula"):
        assert report.by(key).rows_across == 1
    assert report.structure.matching == report.structure.identical_text == 1


def test_exit_status(tmp_path):
    runner = CliRunner()
    splits = {"train": table([("a", "NaCl", "1", "x")] * 2), "test": table([("b", "NaCl", "1", "y")])}
    folder = str(write_folder(tmp_path / "bad", "made", splits))
    assert runner.invoke(app, ["check", folder, "--no-structures"]).exit_code == 0
    failed = runner.invoke(app, ["check", folder, "--no-structures", "--fail-on-duplicates"])
    assert failed.exit_code == 1
    assert "the splits of made share crystals" in failed.output
    good = write_folder(tmp_path / "good", "made", split_rows(crystals(30)))
    assert runner.invoke(app, ["check", str(good), "--no-structures", "--fail-on-duplicates"]).exit_code == 0


KEYS = st.lists(st.tuples(st.sampled_from(["train", "validation", "test"]), st.sampled_from("abcdé ")), min_size=1)


@given(rows=KEYS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_against_sets_and_lists(tmp_path_factory, rows):
    splits: dict[str, dict[str, list]] = {}
    texts: dict[str, list[str]] = {}
    for split in ("train", "validation", "test"):
        texts[split] = [text for name, text in rows if name == split]
        if texts[split]:
            splits[split] = {"material_id": list(map(str, range(len(texts[split])))), "description": texts[split]}
    report = find(write_folder(tmp_path_factory.mktemp("sets"), "made", splits), structures=False).by("description")
    for split in splits:
        assert report.repeated[split] == len(texts[split]) - len(set(texts[split]))
    for first, second in combinations(splits, 2):
        both = set(texts[first]) & set(texts[second])
        counted = tuple(sum(text in both for text in texts[split]) for split in (first, second))
        assert shared(report)[first, second] == (len(both), counted)


def test_shards_do_not_matter(tmp_path):
    columns = crystals(50)
    columns["composition"][40:] = columns["composition"][:10]
    columns["cif"] = [f"data_{np.base_repr(row % 23, 36)}" for row in range(50)]
    one = find(write_folder(tmp_path / "a", "made", split_rows(columns)), structures=False)
    four = find(write_folder(tmp_path / "b", "made", split_rows(columns), shards=4), structures=False)
    assert one == four
    assert one.by("cif").rows_across > 0
