"""The command ``describe``: what it reads and prints, with a stand-in for the describer."""

import csv
import gzip
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Called
from pymatgen.core import Lattice, Structure

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
Run = Callable[..., Called]
QUICK = ("--describer", "fake_describers:quick", "--workers", "1")


def salt(name: str = "NaCl", metal: str = "Na", more: str = "") -> str:
    lines = [f"data_{name}", "_symmetry_space_group_name_H-M 'F m -3 m'", f"_chemical_formula_sum '{metal} Cl{more}'"]
    lines += [f"_cell_length_{axis} 5.64" for axis in "abc"]
    lines += [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    lines += ["loop_", *(f"_atom_site_{column}" for column in ("label", "fract_x", "fract_y", "fract_z"))]
    return "\n".join([*lines, f"{metal}1 0 0 0", "Cl1 .5 .5 .5", ""])


TWO = salt() + "data_pattern\n_pd_meas 1\n" + salt("KCl", "K")
STRUCTURE = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
POSCAR = "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nCs Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"


@pytest.fixture
def run(call: Callable[..., Called]) -> Callable[..., Called]:
    """Call ``describe`` with a stand-in for the describer."""
    return lambda *arguments: call("describe", *arguments, *QUICK)


def test_every_kind_of_file(run: Run, tmp_path: Path) -> None:
    atoms = {
        "lattice_mat": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
        "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
        "elements": ["Cs", "Cl"],
        "cartesian": False,
    }
    files = {
        "a.cif": (salt().encode(), "NaCl"),
        "b.CIF": (salt().upper().encode(), "NaCl"),
        "c.mcif": (salt().encode(), "NaCl"),
        "d.cif.gz": (gzip.compress(salt().encode()), "NaCl"),
        "utf16.cif": (salt().encode("utf-16"), "NaCl"),
        "POSCAR": (POSCAR.encode(), "CsCl"),
        "CONTCAR.relaxed": (POSCAR.encode(), "CsCl"),
        "x.vasp": (POSCAR.encode(), "CsCl"),
        "pymatgen.json": (json.dumps(STRUCTURE.as_dict()).encode(), "CsCl"),
        "jarvis.json": (json.dumps({"jid": "JVASP-1", "atoms": atoms}).encode(), "CsCl"),
    }
    for name, (data, _) in files.items():
        (tmp_path / name).write_bytes(data)
    found = run(*(tmp_path / name for name in files))
    assert found.status == 0, found.err
    names = ["a", "b", "c", "d", "utf16", "POSCAR", "CONTCAR.relaxed", "x", "pymatgen", "jarvis"]
    formulas = [formula for _, formula in files.values()]
    for line, name, formula in zip(found.out.splitlines(), names, formulas, strict=True):
        assert line.startswith(f"{name}: {formula} is a crystal of")


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(salt().encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert run("-").out.startswith("NaCl is a crystal of 8 sites")


def test_two_phases_are_two_rows(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mix.cif"
    path.write_text(TWO)
    lines = run(path).out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["mix:NaCl", "mix:KCl"]
    assert "KCl is a crystal" in lines[1]


def test_json_of_one_nests_what_is_condensed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(salt())
    answer = json.loads(run(tmp_path / "a.cif", "--json").out)
    assert answer["condensed"]["formula"] == "NaCl"
    (tmp_path / "b.cif").write_text("nothing")
    both = run(tmp_path / "a.cif", tmp_path / "b.cif", "--json")
    assert both.status == 1
    assert [one["status"] for one in json.loads(both.out)] == ["ok", "bad_cif"]


@pytest.mark.parametrize(("form", "where"), [("jsonl", "-"), ("csv", "ending"), ("parquet", "file"), ("jsonl", "file")])
def test_forms(run: Run, tmp_path: Path, form: str, where: str) -> None:
    files = [tmp_path / f"{name}.cif" for name in "ab"]
    files[0].write_text(salt())
    files[1].write_text(salt("x", "K", more=" H2"))
    out = {"file": tmp_path / "rows", "ending": tmp_path / f"rows.{form}", "-": "-"}[where]
    found = run(*files, "--out", out, *(["--format", form] if where != "ending" else []))
    assert found.status == 0
    text = found.out if where == "-" else Path(out).read_bytes()
    if form == "parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        text = text if isinstance(text, str) else text.decode()
        rows = (
            [json.loads(line) for line in text.splitlines()]
            if form == "jsonl"
            else list(csv.DictReader(io.StringIO(text)))
        )
    assert [row["id"] for row in rows] == ["a", "b"]
    assert rows[0]["description"].startswith("NaCl is a crystal")
    assert (
        rows[0]["condensed"]["formula"] if form == "jsonl" else json.loads(rows[0]["condensed"])["formula"]
    ) == "NaCl"
    assert rows[1]["status"] == "bad_cif"
    assert "hydrogen" in rows[1]["reason"]
    if where == "file":
        again = run(*files, "--out", out, "--format", form)
        assert again.status == (0 if form == "parquet" else 1)
        assert form == "parquet" or "exists: choose another --out" in again.err
        assert run(*files, "--out", out, "--format", form, "--overwrite").status == 0


def test_a_form_that_is_not_the_ending(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(salt())
    assert "--format is csv" in run(tmp_path / "a.cif", "--out", tmp_path / "x.jsonl", "--format", "csv").err
    assert ".parquet, .jsonl or .csv" in run(tmp_path / "a.cif", "--out", tmp_path / "x.txt").err


def test_a_formula_that_is_not_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(salt(more=" H2"))
    refused = run(tmp_path / "a.cif")
    assert refused.status == 1
    assert "no position is given for hydrogen" in refused.err
    found = run(tmp_path / "a.cif", "--allow-formula-mismatch", "--out", tmp_path / "x.parquet")
    assert "1 described with a remark" in found.out
    (row,) = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert row["status"] == "ok"
    assert "no position is given for hydrogen" in row["reason"]


def test_what_is_passed_over_is_said(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.cif").write_text(salt())
    (folder / "POSCAR").write_text(POSCAR)
    (folder / "b.json").write_text(json.dumps(STRUCTURE.as_dict()))
    (folder / "settings.json").write_text("{}")
    (folder / "notes.txt").write_text("x")
    found = run(folder, "--out", tmp_path / "x.parquet")
    assert "passed over: notes.txt, settings.json" in found.out
    assert pq.read_table(tmp_path / "x.parquet")["id"].to_pylist() == ["POSCAR", "a", "b"]
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("a.cif", salt())
        archive.writestr("A/a.cif.gz", gzip.compress(salt("x", "K").encode()))
        archive.writestr("__MACOSX/a.cif", "junk")
        archive.writestr("__MACOSX/._a.cif", "junk")
    answer = json.loads(run(tmp_path / "in.zip", "--out", tmp_path / "y.parquet", "--json").out)
    assert answer["rows"] == 2
    assert answer["passed_over"] == ["__MACOSX/._a.cif", "__MACOSX/a.cif"]


def test_names_that_are_the_same_without_their_endings(run: Run, tmp_path: Path) -> None:
    for name in ("a.cif", "a.mcif"):
        (tmp_path / name).write_text(salt())
    run(tmp_path, "--out", tmp_path / "out.jsonl")
    assert [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").open()] == ["a.cif", "a.mcif"]


def test_several_inputs_must_be_files_of_crystals(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(salt())
    (tmp_path / "t.csv").write_text("cif\nx\n")
    found = run(tmp_path / "a.cif", tmp_path / "t.csv")
    assert found.status == 2
    assert "must be files of crystals" in found.err
    assert run(tmp_path / "a.cif", tmp_path / "gone.cif").status == 1
