import json
from pathlib import Path

import numpy as np
import pytest
from crystal_tables import crystals, real_rows, split_rows, write_folder
from typer.testing import CliRunner

pytest.importorskip("pymatgen.core")

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.dataset_folder import open_dataset_folder
from llm4mat_bench.dataset_builder.leakage import LeakageReport, Limits, card_section, check_leakage, update_card
from llm4mat_bench.dataset_builder.leakage.features import text_features
from llm4mat_bench.dataset_builder.leakage.numerals import NUMERAL, read_numeral
from llm4mat_bench.errors import DataError

ROWS = 160
AVOGADRO = 1.66053906660  # g/cm³ for one u/Å³, CODATA 2018


def check(tmp_path: Path, columns: dict, **limits) -> LeakageReport:
    folder = write_folder(tmp_path, "made", split_rows(columns))
    return check_leakage(open_dataset_folder(folder), limits=Limits(**limits))


def found(report: LeakageReport, target: str, modality: str):
    return next(one for one in report.findings if (one.target, one.modality) == (target, modality))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> LeakageReport:
    """One folder with targets of all kinds; their names say nothing of what they are."""
    columns = crystals(ROWS)
    rng = np.random.default_rng(5)
    volume, atoms, mass, angle = (np.array(columns[name]) for name in ("_volume", "_atoms", "_mass", "_angle"))
    columns["t_copied"] = volume.tolist()
    columns["t_per_atom"] = (volume / atoms).tolist()
    columns["t_density"] = (AVOGADRO * mass / volume).tolist()
    columns["t_product"] = (mass * volume * 0.37).tolist()
    columns["t_prose"] = angle.tolist()
    columns["t_prose_scaled"] = (angle * 0.0174533).tolist()
    columns["t_half_missing"] = [value if row % 2 else None for row, value in enumerate(volume)]
    columns["t_noise"] = rng.normal(size=ROWS).tolist()
    columns["t_zeros"] = np.where(rng.uniform(size=ROWS) < 0.7, 0.0, rng.uniform(0, 3, ROWS)).tolist()
    columns["t_near"] = (volume * (1 + 0.02 * rng.normal(size=ROWS))).tolist()
    columns["t_mostly"] = np.where(rng.uniform(size=ROWS) < 0.8, volume, rng.uniform(100, 900, ROWS)).tolist()
    columns["t_large"] = (volume > np.median(volume)).tolist()
    columns["t_coin"] = (rng.uniform(size=ROWS) < 0.5).tolist()
    columns["t_one_value"] = [1.5] * ROWS
    return check(tmp_path_factory.mktemp("planted"), columns)


@pytest.mark.parametrize(
    ("target", "modality", "verdict", "words"),
    [
        ("t_copied", "cif", "copied", ("_cell_volume",)),
        ("t_per_atom", "cif", "derived", ("_cell_volume / atoms of",)),
        ("t_density", "cif", "derived", ("1.6605", "mass of", "/ _cell_volume")),
        ("t_product", "cif", "derived", ("0.37 ·", "mass of", "_cell_volume")),
        ("t_prose", "description", "copied", ("tilt angle is #",)),
        ("t_prose_scaled", "description", "derived", ("0.0174", "tilt angle is #")),
        ("t_half_missing", "cif", "copied", ("_cell_volume",)),
        ("t_large", "cif", "derived", ("_cell_volume >",)),
    ],
)
def test_planted_leaks_are_found(planted, target, modality, verdict, words):
    finding = found(planted, target, modality)
    assert finding.verdict == verdict
    for word in words:
        assert word in finding.expression
    if finding.kind == "regression":
        assert finding.coverage >= 0.95
        assert finding.control < 0.2
        assert finding.median_relative_error < 1e-3
        assert finding.r2 > 0.999


def test_nothing_else_is_called_a_leak(planted):
    expected = {
        *(("cif", name) for name in ("t_copied", "t_per_atom", "t_density", "t_product", "t_half_missing", "t_large")),
        ("description", "t_prose"),
        ("description", "t_prose_scaled"),
    }
    assert {(one.modality, one.target) for one in planted.leaks} == expected


def test_a_noisy_copy_is_near_with_its_r2(planted):
    finding = found(planted, "t_near", "cif")
    assert finding.verdict == "near"
    assert 0.97 < finding.r2 < 1
    # MAD/MAE of 2 % noise: the spread of the volumes over 0.02 · E|z| · volume, some 20 to 50.
    assert 10 < finding.mad_mae < 100


def test_a_copy_in_four_rows_of_five_is_no_leak(planted):
    assert found(planted, "t_mostly", "cif").verdict in ("none", "near")


def test_what_cannot_be_tested_is_said(planted):
    finding = found(planted, "t_one_value", "cif")
    assert finding.verdict == "untested"
    assert "one value" in finding.note


def test_volume_is_still_found_where_only_the_lattice_is_given(tmp_path):
    columns = crystals(ROWS)
    columns["cif"] = [
        "\n".join(line for line in text.splitlines() if "_cell_volume" not in line) for text in columns["cif"]
    ]
    columns["anything"] = columns["_volume"]
    columns["other"] = (np.array(columns["_volume"]) / np.array(columns["_atoms"])).tolist()
    report = check(tmp_path, columns)
    finding = found(report, "anything", "cif")
    assert (finding.verdict, finding.expression) == ("derived", "cell volume of lengths and angles")
    assert found(report, "other", "cif").is_leak


def test_a_further_cif_column_is_looked_at_too(tmp_path):
    columns = crystals(ROWS)
    columns["cif_stripped"] = [
        "\n".join(line for line in text.splitlines() if not line.startswith(("_cell_volume", "_cell_length_a")))
        for text in columns["cif"]
    ]
    columns["t"] = columns["_volume"]
    report = check(tmp_path, columns)
    assert found(report, "t", "cif").verdict == "copied"
    assert not found(report, "t", "cif_stripped").is_leak


@pytest.mark.parametrize("seed", range(3))
def test_no_false_alarm_on_random_targets(tmp_path, seed):
    columns = crystals(60, seed)
    rng = np.random.default_rng(seed + 100)
    columns["normal"] = rng.normal(size=60).tolist()
    columns["wide"] = rng.lognormal(0, 2, 60).tolist()
    columns["narrow"] = (5 + 0.01 * rng.normal(size=60)).tolist()
    columns["rounded"] = rng.uniform(0, 3, 60).round(2).tolist()
    columns["small_count"] = rng.integers(1, 6, 60).astype(float).tolist()
    columns["mostly_zero"] = (rng.uniform(0, 3, 60) * (rng.uniform(size=60) > 0.7)).tolist()
    columns["nearly_constant"] = [1.0] * 57 + [2.0, 3.0, 4.0]
    columns["coin"] = (rng.uniform(size=60) > 0.5).tolist()
    columns["rare"] = (rng.uniform(size=60) > 0.9).tolist()
    report = check(tmp_path, columns)
    assert [(one.target, one.modality, one.expression) for one in [*report.leaks, *report.hints]] == []


def test_a_value_somewhere_in_the_text_is_found(tmp_path):
    columns = crystals(ROWS)
    rng = np.random.default_rng(1)
    values = rng.uniform(0.1, 5, ROWS)
    fillers = ["Measured", "It follows that we get", "Then", "One reads"]
    columns["description"] = [
        f"{text} {fillers[row % 4]} {' '.join(['so'] * (row % 7))} {values[row]:.3f} {'eV' if row % 2 else ''}"
        for row, text in enumerate(columns["description"])
    ]
    columns["gap"] = values.tolist()
    # The last number of the text says it too, unless something follows.
    columns["description"] = [f"{text} Table {row % 9 + 1}." for row, text in enumerate(columns["description"])]
    finding = found(check(tmp_path, columns), "gap", "description")
    assert finding.verdict == "copied"
    assert finding.control < 0.2


def test_a_class_written_in_the_text_is_found(tmp_path):
    columns = crystals(ROWS)
    flags = np.random.default_rng(2).uniform(size=ROWS) < 0.3
    columns["description"] = [
        f"{text} The material is {'metallic' if flag else 'insulating'}."
        for text, flag in zip(columns["description"], flags, strict=True)
    ]
    columns["c"] = flags.tolist()
    finding = found(check(tmp_path, columns), "c", "description")
    assert finding.verdict == "copied"
    assert "metallic" in finding.expression or "insulating" in finding.expression


def test_real_rows_volume_density_and_volume_per_atom(tmp_path):
    splits = real_rows()
    names = {"volume": "p1", "density": "p2", "density_atomic": "p3"}
    for columns in splits.values():
        for old, new in names.items():
            columns[new] = columns.pop(old)
    report = check_leakage(open_dataset_folder(write_folder(tmp_path, "renamed", splits)))
    assert {(one.target, one.modality) for one in report.leaks} == {("p1", "cif"), ("p2", "cif"), ("p3", "cif")}
    assert found(report, "p1", "cif").expression == "_cell_volume"
    assert found(report, "p2", "cif").expression.startswith("1.6605")


def test_the_report_does_not_depend_on_shards_and_repeats(tmp_path):
    columns = crystals(60)
    columns["t"] = columns["_volume"]
    whole = write_folder(tmp_path / "a", "made", split_rows(columns))
    parts = write_folder(tmp_path / "b", "made", split_rows(columns), shards=3)
    first, second = (check_leakage(open_dataset_folder(folder), limits=Limits(rows=40)) for folder in (whole, parts))
    assert first.model_dump_json() == second.model_dump_json()
    assert first.rows_sampled == {"made": 40}


def test_rarely_labelled_targets_get_rows_of_their_own(tmp_path):
    columns = crystals(400)
    columns["common"] = np.random.default_rng(0).normal(size=400).tolist()
    columns["rare"] = [value if row % 10 == 0 else None for row, value in enumerate(columns["_volume"])]
    finding = found(check(tmp_path, columns, rows=40), "rare", "cif")
    assert finding.rows_fitted + finding.rows_held_out == 40
    assert finding.verdict == "copied"


@pytest.mark.parametrize(
    ("text", "numerals"),
    [
        ("volume 633.18 Å", ["633.18"]),
        ("(2.31 Å)", ["2.31"]),
        ("Na(1)–O(13) in P2_1/m", []),
        ("633.18Å", ["633.18"]),
        ("-1.5e-3, .5", ["-1.5e-3", ".5"]),
        ("version 1.2.3", []),
    ],
)
def test_numerals(text, numerals):
    assert NUMERAL.findall(text) == numerals


def test_uncertainties_in_brackets_are_read():
    assert read_numeral("7.407(3)") == (7.407, 0.0005)
    assert read_numeral("P1") is None


@pytest.mark.parametrize(
    "text", ["", "data_", "loop_\n_a\n_b\n1 2 3", "_cell_volume ?", "\x00", "data_x\n_a 'unclosed"]
)
def test_damaged_cifs_do_not_stop_the_search(text):
    text_features("cif", text)


def test_card_section_is_replaced_and_the_rest_kept(tmp_path, planted):
    card = tmp_path / "README.md"
    card.write_text("---\nconfigs: []\n---\n# Title\n\nText.\n", encoding="utf-8")
    section = card_section(planted)
    assert update_card(card, section)
    assert not update_card(card, section)
    once = card.read_text(encoding="utf-8")
    assert once.startswith("---\nconfigs: []\n---\n# Title\n\nText.\n")
    assert "| `made/t_copied` | cif | copied | _cell_volume |" in once
    card.write_text(once + "\nAfter.\n", encoding="utf-8")
    update_card(card, section.replace("rows hit", "ROWS"))
    again = card.read_text(encoding="utf-8")
    assert again.count("## Leakage") == 1
    assert "ROWS" in again
    assert again.rstrip().endswith("After.")
    card.write_text("<!-- leakage: written by `llm4mat-bench check`, do not edit -->\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no end"):
        update_card(card, section)


def test_command_writes_reports_and_fails_when_asked(tmp_path):
    columns = crystals(60)
    columns["t"] = columns["_volume"]
    folder = write_folder(tmp_path / "data set", "made", split_rows(columns))
    (folder / "README.md").write_text("# Card\n", encoding="utf-8")
    runner = CliRunner()
    done = runner.invoke(app, ["check", str(folder), "--no-structures", "--fail-on-leak"])
    assert done.exit_code == 1
    assert "1 targets stand in their own input" in done.output
    assert "## Leakage" in (folder / "README.md").read_text(encoding="utf-8")
    stored = json.loads((folder / "leakage.json").read_text(encoding="utf-8"))
    assert LeakageReport.model_validate(stored).leaks
    aside = runner.invoke(app, ["check", str(folder), "--no-structures", "--json", "--out", str(tmp_path / "aside")])
    assert aside.exit_code == 0
    assert json.loads(aside.stdout)["leakage"] == stored
    assert (tmp_path / "aside" / "duplicates.json").is_file()


def test_command_on_what_is_no_dataset(tmp_path):
    runner = CliRunner()
    missing = runner.invoke(app, ["check", str(tmp_path / "nowhere")])
    assert "no such folder" in str(missing.exception)
    empty = runner.invoke(app, ["check", str(tmp_path)])
    assert "not a dataset folder" in str(empty.exception)
    assert empty.exception.exit_code == 2


def test_truncated_and_missing_shards_are_named(tmp_path):
    columns = crystals(20)
    folder = write_folder(tmp_path / "a", "made", split_rows(columns), shards=2)
    shard = folder / "data" / "made" / "train-00001-of-00002.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet: not a whole Parquet file"):
        open_dataset_folder(folder)
    shard.unlink()
    with pytest.raises(DataError, match="lacks 1 of 2 shards"):
        open_dataset_folder(folder)
    # The footer is whole, the pages are not.
    damaged = bytearray(content)
    damaged[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
    shard.write_bytes(bytes(damaged))
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet"):
        check_leakage(open_dataset_folder(folder), limits=Limits(rows=20))
