"""The program: its help, its light start, and how calls fail."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench import load_task

HEAVY = ("torch", "evaluate", "datasets", "pymatgen", "lightgbm", "sklearn", "pandas", "scipy", "numpy", "pydantic")


def test_help_starts_without_the_heavy_libraries() -> None:
    """What makes `--help` answer at once: nothing heavy is imported for it."""
    script = f"import sys, llm4mat_bench.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_command_has_help(call: Callable[..., Any]) -> None:
    top = call("--help")
    assert top.status == 0
    for command in ("demo", "sources", "tasks", "build", "train", "score", "verify", "leaderboard"):
        assert command in top.out
        assert call(command, "--help").status == 0


def test_sources_and_tasks_as_json(call: Callable[..., Any]) -> None:
    assert len(json.loads(call("sources", "--json").out)) == 10
    assert len(json.loads(call("tasks", "--json").out)) == 65
    assert json.loads(call("sources", "mp", "--json").out)["published"]["rows"] == 146143
    assert json.loads(call("tasks", "mp/band_gap", "--json").out)["unit"] == "eV"


def test_tables_say_what_people_ask_for(call: Callable[..., Any]) -> None:
    assert "CC BY-NC" in call("sources").out
    assert "10.1063/1.4812323" in call("sources", "mp").out
    assert "eV" in call("tasks", "mp/band_gap").out
    assert "65 tasks" in call("tasks").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sources", "mpp"), "Did you mean mp"),
        (("tasks", "mp/bandgap"), "Did you mean mp/band_gap"),
        (("taks",), "No such command"),
        (("score", "x.parquet"), "say --task"),
        (("score", "x.parquet", "--task", "sample/band_gap", "--kind", "regression"), "leave out --kind"),
    ],
)
def test_a_wrong_call_exits_with_2(call: Callable[..., Any], words: tuple[str, ...], message: str) -> None:
    called = call(*words)
    assert called.status == 2
    assert message in " ".join(called.err.split())


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A right predictions file for sample/band_gap, in another order than the data."""
    test = load_task("sample/band_gap", "composition")["test"]
    table = pa.table({"material_id": test["material_id"][:], "target": test["target"][:]})
    table = table.append_column("prediction", [[value + 0.1 for value in test["target"][:]]])
    path = tmp_path / "answers.parquet"
    pq.write_table(table.sort_by("target"), path)
    return path


def test_score_checks_ids_and_targets_against_the_task(answers: Path, call: Callable[..., Any]) -> None:
    answer = json.loads(call("score", answers, "--task", "sample/band_gap", "--json").out)
    assert answer["ids_checked"]
    assert answer["whole"]["mae"]["value"] == pytest.approx(0.1)
    assert answer["coverage"] == 1.0


def test_score_needs_no_task_with_a_kind(answers: Path, call: Callable[..., Any]) -> None:
    called = call("score", answers, "--kind", "regression")
    assert called.status == 0
    assert "0.1000" in called.out
    assert "not compared" in called.out


def test_score_reads_the_record_beside_a_run(trained: Path, call: Callable[..., Any]) -> None:
    folder = next((trained / "sample" / "is_stable" / "composition").glob("dummy-*"))
    answer = json.loads(call("score", folder / "predictions.parquet", "--json").out)
    assert answer["whole"]["roc_auc"]["value"] == 0.5


def test_a_missing_answer_costs(answers: Path, call: Callable[..., Any]) -> None:
    table = pq.read_table(answers)
    values = table["prediction"].to_pylist()
    values[0] = values[-1] = None
    pq.write_table(table.set_column(2, "prediction", pa.array(values)), answers)
    answer = json.loads(call("score", answers, "--task", "sample/band_gap", "--json").out)
    assert answer["n_missing"] == 2
    assert answer["whole"]["mae"]["value"] > answer["published"]["mae"]["value"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(3), "3 of"),
        (lambda t: pa.concat_tables([t, t.slice(0, 2)]), "2 ids occur more than once"),
        (
            lambda t: t.set_column(0, "material_id", [[f"x-{i}" for i in range(len(t))]]),
            "ids are not in the test split",
        ),
        (lambda t: t.set_column(1, "target", [[0.0] * len(t)]), "values differ from the data"),
        (lambda t: t.set_column(2, "prediction", [["n/a"] * len(t)]), "numbers are needed"),
    ],
)
def test_bad_predictions_exit_with_1_and_one_line(
    answers: Path, call: Callable[..., Any], change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    pq.write_table(change(pq.read_table(answers)), answers)
    called = call("score", answers, "--task", "sample/band_gap")
    assert called.status == 1
    assert message in called.err
    assert str(answers) in called.err
    assert len(called.err.strip().splitlines()) == 1
    assert called.out == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "error: the disk is full. Make room and run again"),
        (OSError(28, "No space left on device", "/a/b"), "error: /a/b: the disk is full. Make room and run again"),
        (PermissionError(13, "Permission denied", b"/a/b"), "error: /a/b: Permission denied"),
        (ConnectionError("no way\nto the Hub"), "error: ConnectionError: no way to the Hub"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    """Wherever in a command it happens."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("llm4mat_bench.dataset_builder.catalogue.list_sources", fail)
    called = call("sources")
    assert called.status == 1
    assert called.err == said + "\n"


def test_a_place_where_nothing_can_be_written(call: Callable[..., Any], tmp_path: Path) -> None:
    """The writers themselves say so, so that each command does."""
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "out"
    for command in (
        ("build", "sample", "--out", out),
        ("train", "dummy", "sample/band_gap", "--out", out),
        ("demo", "--out", out),
    ):
        called = call(*command)
        assert called.status == 2, called.err
        assert f"cannot be written: {tmp_path}/file is a file, not a folder" in called.err
        assert len(called.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_demo_does_the_whole_chain_and_then_nothing(tmp_path: Path, call: Callable[..., Any]) -> None:
    first = json.loads(call("demo", "--out", tmp_path, "--json").out)
    assert first["trained"] == len(first["records"]) == 18
    kinds = {record["metrics"]["kind"] for record in first["records"]}
    assert kinds == {"regression", "classification"}
    assert Path(first["page"]).is_file()
    assert call("verify", tmp_path / "results").status == 0
    second = call("demo", "--out", tmp_path)
    assert "0 runs trained, 18 found finished" in second.out
    assert "composition_gbm" in second.out


def test_models_are_listed_with_their_settings(call: Callable[..., Any]) -> None:
    found = json.loads(call("models", "--json").out)
    assert {"dummy", "composition_gbm"} <= {one["id"] for one in found}
    one = json.loads(call("models", "composition_gbm", "--json").out)
    assert one["install"] == "pip install 'llm4mat-bench[baselines]'"
    assert one["settings"]["learning_rate"]["default"] == 0.03
    assert "composition_gbm" in call("models").out
    assert "early_stopping_rounds" in call("models", "composition_gbm").out
    assert "nothing to set" in call("models", "dummy").out
    wrong = call("models", "composition_gmb")
    assert wrong.status == 2 and "Did you mean composition_gbm" in wrong.err
