"""A trained model: saved, loaded, asked; damaged and foreign ones are refused in one line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench import load_model, load_task
from llm4mat_bench.baselines.inputs import read_questions
from llm4mat_bench.dataset_builder.sample import read_sample
from llm4mat_bench.errors import DataError, UsageError


def run_of(trained: Path, model: str, task: str) -> Path:
    return next((trained / task / "composition").glob(f"{model}-*"))


@pytest.mark.parametrize("task", ["sample/band_gap", "sample/is_stable"])
@pytest.mark.parametrize("model", ["dummy", "composition_gbm"])
def test_a_loaded_model_predicts_as_in_its_run(trained: Path, model: str, task: str) -> None:
    folder = run_of(trained, model, task)
    loaded = load_model(folder)
    stored = pq.read_table(folder / "predictions.parquet")
    column = "prediction" if task == "sample/band_gap" else "score"
    texts = load_task(task, "composition")["test"]["text"][:]
    np.testing.assert_array_equal(loaded.predict(texts), stored[column].to_numpy())
    # and each crystal alone as among the others
    np.testing.assert_array_equal(loaded.predict(texts[5:6]), stored[column].to_numpy()[5:6])
    assert loaded.manifest.task == task
    assert loaded.manifest.unit == ("eV" if task == "sample/band_gap" else None)


def test_a_model_folder_of_its_own_is_as_good_as_a_run(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(run_of(trained, "composition_gbm", "sample/band_gap") / "model", tmp_path / "mine")
    assert np.isfinite(load_model(tmp_path / "mine").predict(["NaCl"])).all()


def test_nothing_is_pickled_and_no_path_of_this_machine_is_written(trained: Path) -> None:
    for file in trained.rglob("model/*"):
        content = file.read_bytes()
        assert file.suffix in (".json", ".txt")
        content.decode("utf-8")
        assert str(trained).encode() not in content


def change(folder: Path, /, **values: object) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | values))


def add_outside(model: Path) -> None:
    (model.parent.parent / "secret").write_text("x")
    files = json.loads((model / "model.json").read_text())["files"]
    change(model, files={"../../secret": {"sha256": "0" * 64, "size_bytes": 1}, **files})


def rehash(model: Path, name: str, content: str) -> None:
    import hashlib

    (model / name).write_text(content)
    files = json.loads((model / "model.json").read_text())["files"]
    digest = hashlib.sha256(content.encode()).hexdigest()
    change(model, files=files | {name: {"sha256": digest, "size_bytes": len(content.encode())}})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda model: (model / "trees.txt").write_text("tree"), "trees.txt: changed since it was saved"),
        (lambda model: (model / "trees.txt").unlink(), "trees.txt: missing"),
        (lambda model: (model / "model.json").write_text("{"), "model.json: the whole file"),
        (lambda model: (model / "model.json").write_text("[]"), "model.json: the whole file"),
        (lambda model: change(model, revision="0"), "saved by revision 0 of composition_gbm"),
        (lambda model: change(model, model="composition_gmb"), "Did you mean composition_gbm"),
        (lambda model: change(model, format=2), "model.json: format"),
        (add_outside, "is not a file of this folder"),
        (lambda model: rehash(model, "trees.txt", "no trees"), "LightGBM cannot read it"),
        (lambda model: rehash(model, "fit.json", "[]"), "composition_gbm cannot read what is saved there"),
        (lambda model: rehash(model, "elements.json", '{"properties": ["Z"], "elements": {}}'), "train again"),
        (lambda model: (model / "model.json").unlink(), "no trained model here"),
    ],
)
def test_a_damaged_or_foreign_model_is_one_line(
    trained: Path, tmp_path: Path, call: Callable[..., Any], harm: Callable[[Path], None], message: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_of(trained, "composition_gbm", "sample/band_gap"), run)
    harm(run / "model")
    called = call("predict", run, "NaCl")
    assert called.status in (1, 2)
    assert message in " ".join(called.err.split())
    assert "Traceback" not in called.err
    with pytest.raises((DataError, UsageError)):
        load_model(run)


@pytest.mark.parametrize("name", ["./nowhere", "nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_place_that_is_none(call: Callable[..., Any], name: str) -> None:
    called = call("predict", name, "NaCl")
    assert called.status == 2
    assert "no such folder" in called.err


def test_predict_takes_formulas_files_tables_and_cifs(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    """Whatever form a crystal comes in, the answer is that of its formula; a bad row is told and costs only itself."""
    folder = run_of(trained, "composition_gbm", "sample/band_gap")
    sample = read_sample("test", ["material_id", "composition", "cif"]).slice(0, 3)
    formulas = sample["composition"].to_pylist()
    expected = dict(zip(formulas, load_model(folder).predict(formulas).tolist(), strict=True))

    (tmp_path / "formulas.txt").write_text("\n".join([formulas[0], "", "Xq3", formulas[1]]) + "\n")
    cifs = tmp_path / "cifs"
    cifs.mkdir()
    for name, cif in zip("abc", sample["cif"].to_pylist(), strict=True):
        (cifs / f"{name}.cif").write_text(cif)
    (cifs / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    pq.write_table(sample, tmp_path / "table.parquet")
    pq.write_table(sample.drop_columns("composition"), tmp_path / "only_cifs.parquet")
    (tmp_path / "table.csv").write_text(f'id,formula,other\none,{formulas[2]},1\ntwo,"NaN",2\nthree,,3\n')

    called = call(
        "predict", folder, formulas[0], "not a formula", tmp_path / "formulas.txt", cifs, cifs / "gone.cif",
        tmp_path / "table.parquet", tmp_path / "only_cifs.parquet", tmp_path / "table.csv", "--json",
    )  # fmt: skip
    answer = json.loads(called.out)
    assert called.status == 1
    assert (answer["unit"], answer["task"]) == ("eV", "sample/band_gap")
    by_place = {one["input"]: one for one in answer["predictions"]}
    assert answer["n_total"] == len(answer["predictions"]) == 1 + 1 + 3 + 4 + 1 + 3 + 3 + 3
    values = [by_place[str(cifs / f"{name}.cif")]["value"] for name in "abc"]
    assert values == [expected[formula] for formula in formulas]
    for table in ("table.parquet", "only_cifs.parquet"):
        found = [by_place[f"{tmp_path / table}, row {row}"] for row in (1, 2, 3)]
        assert [one["value"] for one in found] == [expected[formula] for formula in formulas]
        assert [one["name"] for one in found] == sample["material_id"].to_pylist()
    assert by_place[f"{tmp_path / 'formulas.txt'}:4"]["value"] == expected[formulas[1]]
    assert by_place[f"{tmp_path / 'table.csv'}, row 1"]["value"] == expected[formulas[2]]
    assert by_place[f"{tmp_path / 'table.csv'}, row 2"]["value"] is not None, "NaN is sodium nitride"

    bad = {one["input"]: one["error"] for one in answer["predictions"] if one["error"]}
    assert answer["n_failed"] == len(bad) == 5
    assert "'not a formula' is no chemical formula" in bad["not a formula"]
    assert "'Xq3' is no chemical formula" in bad[f"{tmp_path / 'formulas.txt'}:3"]
    assert bad[f"{tmp_path / 'table.csv'}, row 3"]
    assert bad[str(cifs / "broken.cif")]
    assert bad[str(cifs / "gone.cif")]
    assert "5 of 19 could not be predicted" in called.err


def test_rows_without_ids_are_named_by_their_place(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    (tmp_path / "table.csv").write_text("formula\nNaCl\nSi\n")
    (tmp_path / "ids.csv").write_text("id,formula\nseven,NaCl\n")
    words = (tmp_path / "table.csv", tmp_path / "ids.csv", "--json")
    said = json.loads(call("predict", run_of(trained, "dummy", "sample/band_gap"), *words).out)["predictions"]
    assert [one["name"] for one in said] == ["0", "1", "seven"]
    shown = call("predict", run_of(trained, "dummy", "sample/band_gap"), *words[:2]).out
    assert "row 1: 0" not in shown and "row 2: 1" not in shown and "seven" in shown


def test_predict_writes_all_rows_and_prints_some(trained: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    folder = run_of(trained, "composition_gbm", "sample/is_stable")
    test = load_task("sample/is_stable", "composition")["test"]
    (tmp_path / "all.txt").write_text("\n".join(test["text"][:]))
    for suffix in ("csv", "parquet", "jsonl"):
        called = call("predict", folder, tmp_path / "all.txt", "--out", tmp_path / f"answers.{suffix}")
        assert called.status == 0
        assert f"{len(test) - 50:,} more" in called.out
    stored = pq.read_table(folder / "predictions.parquet")
    table = pq.read_table(tmp_path / "answers.parquet")
    np.testing.assert_array_equal(table["value"].to_numpy(), stored["score"].to_numpy())
    labels = [("no", "yes")[label] for label in stored["prediction"].to_pylist()]
    classes = load_model(folder).manifest.classes
    assert classes is not None
    assert table["class"].to_pylist() == [classes[label] for label in stored["prediction"].to_pylist()], labels[:2]
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert pa.Table.from_pylist(lines, table.schema).equals(table)
    assert (tmp_path / "answers.csv").read_text().count("\n") == len(test) + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("NaCl", "--column", "formula"), "--column is of use with a .csv or .parquet table only"),
        (("table.csv",), "no column"),
        (("table.csv", "--column", "formla"), "formla"),
        (("NaCl", "--out", "answers.xlsx"), "must end in .csv, .parquet, .jsonl"),
        ((), "Missing argument"),
    ],
)
def test_a_wrong_call_is_one_line(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., Any],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("x,y\n1,2\n")
    called = call("predict", run_of(trained, "dummy", "sample/band_gap"), *words)
    assert called.status == 2
    assert message in " ".join(called.err.split())
    assert "Traceback" not in called.err
    assert not list(tmp_path.glob("answers*"))


def test_a_cif_becomes_what_the_model_reads(tmp_path: Path) -> None:
    """The text that a model is asked with is the one that it was trained on: the sample's own."""
    sample = read_sample("test", ["composition", "cif", "description"]).slice(10, 4).to_pylist()
    for number, row in enumerate(sample):
        (tmp_path / f"{number}.cif").write_text(row["cif"])
    for modality in ("composition", "cif", "description"):
        questions = list(read_questions([str(tmp_path)], modality))
        assert [one.error for one in questions] == [None] * 4
        assert [one.text for one in questions] == [row[modality] for row in sample]


@pytest.mark.slow
def test_asking_about_many_crystals_takes_no_memory(trained: Path, tmp_path: Path) -> None:
    """200,000 formulas and 20,000: the peak differs by less than formulas and answers would take as lists."""
    folder = run_of(trained, "dummy", "sample/band_gap")
    peaks = []
    for rows in (20_000, 200_000):
        table = pa.table({"formula": [f"Fe{row}O{row + 1}" for row in range(rows)]})
        pq.write_table(table, tmp_path / "many.parquet", row_group_size=10_000)
        command = (
            "import resource, sys; from llm4mat_bench.cli import main\n"
            "try: main()\nexcept SystemExit as left: assert not left.code\n"
            "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        words = ["predict", str(folder), str(tmp_path / "many.parquet"), "--out", str(tmp_path / "answers.parquet")]
        called = subprocess.run([sys.executable, "-c", command, *words], capture_output=True, text=True, check=True)
        assert pq.read_metadata(tmp_path / "answers.parquet").num_rows == rows
        peaks.append(int(called.stdout.split()[-1]))
    assert peaks[1] - peaks[0] < 40
