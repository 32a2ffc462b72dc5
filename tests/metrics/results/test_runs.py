"""The frame of every run: found again, one process at a time, killed and resumed, whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toy_runs import toy_answers, toy_config, toy_run

from llm4mat_bench import get_task
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.metrics.results.predictions import answer_columns
from llm4mat_bench.metrics.results.record import RunConfig, read_record
from llm4mat_bench.metrics.results.runs import FinishedRun, OpenRun, open_run
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import find_runs, verify_run


def columns(task: str = "sample/band_gap") -> dict[str, object]:
    truth = read_truth(get_task(task))
    return answer_columns(get_task(task).kind, truth.test_ids, truth.test_targets, toy_answers(task))


def opened(config: RunConfig, results: Path, *, overwrite: bool = False) -> OpenRun:
    found = open_run(config, results, overwrite=overwrite)
    assert isinstance(found, OpenRun)
    return found


def test_a_finished_run_is_found_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = toy_run(tmp_path)
    found = open_run(toy_config(), tmp_path)
    assert isinstance(found, FinishedRun)
    assert found.folder == folder
    assert found.record == read_record(folder / "result.json")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert sorted(path.name for path in folder.iterdir()) == ["predictions.parquet", "result.json"]
    assert not verify_run(folder).faults


def test_the_id_says_what_can_change_an_answer_and_nothing_else() -> None:
    config = toy_config()
    same = [
        toy_config(preset="published"),
        config.model_copy(update={"data": config.data.model_copy(update={"dataset": "elsewhere", "revision": "abc"})}),
        config.model_copy(update={"model": config.model.model_copy(update={"pretraining_overlap": "known"})}),
    ]
    assert {one.run_id for one in same} == {config.run_id}
    other = [
        toy_config(seed=1),
        toy_config(settings={"depth": 4, "rate": 0.1}),
        toy_config(model="toy2"),
        toy_config(modality="cif"),
        toy_config("sample/formation_energy_per_atom"),
        toy_config(control="shuffled"),
        toy_config(limit=10),
        toy_config(train_rows=100),
        config.model_copy(update={"data": config.data.model_copy(update={"texts_sha256": "0" * 64})}),
        config.model_copy(update={"data": config.data.model_copy(update={"labels_sha256": "0" * 64})}),
    ]
    assert len({one.sha256 for one in [config, *other]}) == 1 + len(other)
    assert "shuffled" in toy_config(control="shuffled").run_id
    assert "limit10" in toy_config(limit=10).run_id


@pytest.mark.parametrize("name", ["org/model", "../../x", "a b", "\u202eevil", ".hidden", "x" * 199, "€"])
def test_a_model_of_any_name_has_a_folder_of_its_own_within_the_results(tmp_path: Path, name: str) -> None:
    folder = toy_run(tmp_path, model=name)
    assert folder.parent == tmp_path / "sample" / "band_gap" / "composition"
    assert find_runs(tmp_path) == [folder]
    assert not verify_run(folder).faults
    assert read_record(folder / "result.json").model.id == name


def test_the_work_folder_outlives_a_failure_and_goes_when_the_run_is_finished(tmp_path: Path) -> None:
    config = toy_config()
    with pytest.raises(ZeroDivisionError), opened(config, tmp_path) as run:
        assert not run.resumed
        (run.work / "checkpoint").write_text("epoch 3")
        raise ZeroDivisionError
    with pytest.raises(DataError, match=r"no result\.json"):
        find_runs(tmp_path)
    with opened(config, tmp_path) as run:
        assert run.resumed
        assert (run.work / "checkpoint").read_text() == "epoch 3"
        record = run.finish(columns(), parameters=None)
        assert record.provenance.resumed
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]


def test_the_work_of_another_run_is_not_gone_on_from(tmp_path: Path) -> None:
    with opened(toy_config(), tmp_path) as run:
        (run.work / "checkpoint").write_text("epoch 3")
    with opened(toy_config(seed=1), tmp_path) as other:
        (other.work / "checkpoint").write_text("epoch 1")
    shutil.rmtree(other.work)
    shutil.copytree(run.work, other.work)
    with pytest.raises(DataError, match=r"holds what another run has begun; --overwrite"):
        open_run(toy_config(seed=1), tmp_path)
    with opened(toy_config(seed=1), tmp_path, overwrite=True) as other:
        assert not other.resumed and not (other.work / "checkpoint").exists()


def test_a_failure_before_any_work_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), opened(toy_config(), tmp_path) as run:
        raise ZeroDivisionError
    assert list(run.folder.parent.iterdir()) == []


def test_to_overwrite_is_to_begin_anew(tmp_path: Path) -> None:
    config = toy_config()
    with opened(config, tmp_path) as run:
        (run.work / "checkpoint").touch()
    with opened(config, tmp_path, overwrite=True) as run:
        assert not run.resumed
        assert not (run.work / "checkpoint").exists()
        run.finish(columns(), parameters=1)
    with opened(config, tmp_path, overwrite=True) as run:
        assert (
            read_record(run.folder / "result.json").model.parameters == 1
        )  # the old one stands until the new is whole
        run.finish(columns(), parameters=2)
    assert read_record(run.folder / "result.json").model.parameters == 2


def test_what_fails_while_finishing_leaves_no_run(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        assert (folder / "predictions.parquet").exists()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), opened(toy_config(), tmp_path) as run:
        (run.work / "checkpoint").touch()
        run.finish(columns(), parameters=1, save=broken)
    assert [path.name for path in run.folder.parent.iterdir()] == [run.work.name]


def test_what_a_model_saves_is_hashed_and_may_be_removed_but_not_changed(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "trees.txt").write_text("trees")

    with opened(toy_config(), tmp_path) as run:
        record = run.finish(columns(), parameters=1, save=save)
    assert list(record.artifacts) == ["model/trees.txt"]
    assert not verify_run(run.folder).faults
    (run.folder / "model" / "trees.txt").write_text("other")
    assert any("trees.txt: changed since the run" in fault for fault in verify_run(run.folder).faults)
    (run.folder / "model" / "trees.txt").unlink()
    assert not verify_run(run.folder).faults


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"material_id": [f"x{i}" for i in range(len(c["target"]))]}, "other rows than the test split"),
        (lambda c: {name: values[:-1] for name, values in c.items()}, "other rows than the test split"),
        (lambda c: c | {"prediction": np.full(len(c["target"]), np.inf)}, "NaN or infinite"),
    ],
)
def test_answers_that_are_none_are_refused(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(DataError, match=message), opened(toy_config(), tmp_path) as run:
        run.finish(change(columns()), parameters=1)  # type: ignore[operator]
    assert list(run.folder.parent.iterdir()) == []


def test_scores_that_are_all_0_or_1_are_hard_labels_whatever_is_said(tmp_path: Path) -> None:
    truth = read_truth(get_task("sample/is_stable"))
    folder = toy_run(tmp_path, "sample/is_stable", answers=(toy_answers("sample/is_stable") > 0.5).astype(float))
    record = read_record(folder / "result.json")
    assert record.metrics.kind == "classification"
    assert record.metrics.score_kind == "hard_label"
    assert record.counts.n_total == len(truth.test_targets)


def test_a_damaged_run_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    folder = toy_run(tmp_path)
    (folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="--overwrite"):
        open_run(toy_config(), tmp_path)
    (folder / "result.json").write_text("{")
    with pytest.raises(DataError, match="--overwrite"):
        open_run(toy_config(), tmp_path)
    opened(toy_config(), tmp_path, overwrite=True).close()


_HOLD = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from toy_runs import toy_config
from llm4mat_bench.metrics.results.runs import open_run
run = open_run(toy_config(), Path(sys.argv[1]))
(run.work / "checkpoint").touch()
print(type(run).__name__, flush=True)
sys.stdin.read()
"""


def test_two_processes_on_one_run_are_refused_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    doubles = str(Path(__file__).resolve().parents[2] / "doubles")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path), doubles],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "OpenRun\n"
        with pytest.raises(UsageError, match=f"process {holder.pid} on .* is at work on this run"):
            open_run(toy_config(), tmp_path)
        with pytest.raises(UsageError, match="is at work on this run"):
            open_run(toy_config(), tmp_path, overwrite=True)
        opened(toy_config(seed=1), tmp_path).close()  # another run is free
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with opened(toy_config(), tmp_path) as run:
        assert run.resumed
        assert (run.work / "checkpoint").exists()
        run.finish(columns(), parameters=1)
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]


def test_a_run_killed_between_its_last_two_steps_is_finished(tmp_path: Path) -> None:
    folder = toy_run(tmp_path)
    work = folder.with_name(f".{folder.name}.work")
    work.mkdir()
    (work / "checkpoint").touch()
    assert isinstance(open_run(toy_config(), tmp_path), FinishedRun)
    assert not work.exists()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file, not a folder"):
        open_run(toy_config(), tmp_path / "file")


def test_an_old_record_says_how_to_make_it_again(tmp_path: Path) -> None:
    folder = toy_run(tmp_path)
    record = json.loads((folder / "result.json").read_text())
    record["schema_version"] = 1
    (folder / "result.json").write_text(json.dumps(record))
    (fault,) = verify_run(folder).faults
    assert "a record of form 1" in fault
    assert "llm4mat-bench train toy sample/band_gap -m composition --seed 0" in fault
    record["schema_version"] = 3
    (folder / "result.json").write_text(json.dumps(record))
    assert "install a newer one" in verify_run(folder).faults[0]


def test_a_path_counts_by_what_lies_there() -> None:
    """Runs of before, whose paths are part of their id, keep theirs."""

    def named(path: str, **places: str) -> str:
        return toy_config(settings={"model_id": path, "epochs": 3}, places=places).run_id

    assert named("here", model_id="a" * 64) == named("/there", model_id="a" * 64)
    assert named("here", model_id="a" * 64) != named("here", model_id="b" * 64)
    assert named("here") == toy_config(settings={"model_id": "here", "epochs": 3}).run_id != named("/there")
