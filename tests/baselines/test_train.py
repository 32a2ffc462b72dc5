"""Training: what a run leaves, that it is found again, and that a killed one leaves nothing half-written."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from llm4mat_bench import get_task, load_task
from llm4mat_bench.baselines.presets import preset_differences, preset_settings
from llm4mat_bench.baselines.registry import get_baseline, list_baselines
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.metrics.results.verify import find_runs, verify_results

TASK = "sample/band_gap"


def test_dummy_answers_the_training_mean(trained: Path) -> None:
    folder = next((trained / "sample" / "band_gap" / "composition").glob("dummy-*"))
    answers = pq.read_table(folder / "predictions.parquet")["prediction"].to_numpy()
    splits = load_task(TASK, "composition")
    assert np.unique(answers) == pytest.approx([np.mean(splits["train"]["target"][:])])
    assert pq.read_table(folder / "predictions.parquet")["material_id"].to_pylist() == splits["test"]["material_id"][:]


def test_boosting_beats_the_mean(trained: Path) -> None:
    """A real model on real crystals has learnt something: not by a hair, and in both kinds of task."""
    best = {
        (one.record.task, one.record.model.id): one.record.metrics.whole
        for one in verify_results(trained)
        if one.record is not None
    }
    assert best["sample/band_gap", "composition_gbm"].mad_mae.value > 1.5
    assert best["sample/is_stable", "composition_gbm"].roc_auc.value > 0.6
    assert best["sample/is_stable", "dummy"].roc_auc.value == 0.5


def test_the_same_call_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    baseline, task = get_baseline("composition_gbm"), get_task(TASK)
    quick = read_settings(baseline, {"n_estimators": "30"})
    folders = [
        train_baseline(baseline, task, "composition", tmp_path / name, settings=quick, seed=seed).folder
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    ]
    one, two, three = ((folder / "predictions.parquet").read_bytes() for folder in folders)
    assert one == two != three
    assert folders[0].name == folders[1].name != folders[2].name


def test_the_program_finds_the_finished_run(tmp_path: Path, call: Callable[..., Any]) -> None:
    words = ("train", "dummy", TASK, "--modality", "composition", "--out", tmp_path, "--json")
    first = json.loads(call(*words).out)
    record = Path(first["folder"]) / "result.json"
    before = record.stat().st_mtime_ns
    second = json.loads(call(*words).out)
    assert (first["already_there"], second["already_there"]) == (False, True)
    assert record.stat().st_mtime_ns == before
    third = json.loads(call(*words, "--overwrite").out)
    assert not third["already_there"]
    assert record.stat().st_mtime_ns > before
    assert len(find_runs(tmp_path)) == 1


def test_a_damaged_run_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    baseline, task = get_baseline("dummy"), get_task(TASK)
    folder = train_baseline(baseline, task, "composition", tmp_path).folder
    (folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="--overwrite"):
        train_baseline(baseline, task, "composition", tmp_path)
    train_baseline(baseline, task, "composition", tmp_path, overwrite=True)
    assert not verify_results(tmp_path)[0].faults


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("composition_gmb", TASK), 2, "Did you mean composition_gbm"),
        (("dummy", "sample/bandgap"), 2, "Did you mean sample/band_gap"),
        (("dummy", TASK, "--modality", "cfi"), 2, "Did you mean cif"),
        (("composition_gbm", TASK, "--modality", "cif"), 2, "composition_gbm reads composition, not cif"),
        (("composition_gbm", TASK, "--set", "trees=5"), 2, "setting trees"),
        (("composition_gbm", TASK, "--set", "n_estimators=many"), 2, "setting n_estimators"),
        (("composition_gbm", TASK, "--set", "n_estimators"), 2, "NAME=VALUE"),
        (("dummy", "mp/band_gap"), 2, "is not in the package"),
        (("dummy", "mp/band_gap", "--source", "./nowhere"), 2, "no such folder"),
        (("dummy",), 2, "Missing argument"),
    ],
)
def test_a_wrong_call_is_one_line(
    tmp_path: Path, call: Callable[..., Any], words: tuple[str, ...], status: int, message: str
) -> None:
    called = call("train", *words, "--out", tmp_path / "results")
    assert called.status == status
    assert message in " ".join(called.err.split())
    assert "Traceback" not in called.err
    assert not (tmp_path / "results").exists()


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match=r"learning_rate must be 1\.0 or less"):
        read_settings(get_baseline("composition_gbm"), {"learning_rate": "2"})


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_and_the_next_call_finishes(tmp_path: Path) -> None:
    """Kill at the worst moment: when the predictions stand in the temporary folder and the record does not."""
    script = (
        "import sys, time\n"
        "from llm4mat_bench.metrics.results import runs\n"
        "def stuck(*arguments):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(600)\n"
        "runs.write_result = stuck\n"
        "sys.argv = ['llm4mat-bench', *sys.argv[1:]]\n"
        "from llm4mat_bench.cli import main\n"
        "main()\n"
    )
    words = ["train", "dummy", TASK, "--modality", "composition", "--out", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    leftovers = list(tmp_path.rglob("predictions.parquet"))
    assert len(leftovers) == 1 and leftovers[0].parent.name.startswith(".")
    with pytest.raises(DataError, match=r"no result\.json"):
        find_runs(tmp_path)

    run = train_baseline(get_baseline("dummy"), get_task(TASK), "composition", tmp_path)
    assert not run.already_there
    assert not leftovers[0].exists()
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]
    assert not verify_results(tmp_path)[0].faults
    assert time.time() - run.folder.stat().st_mtime < 600


def test_a_run_that_died_after_its_fit_does_not_fit_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.baselines import dummy

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    baseline, task = get_baseline("dummy"), get_task(TASK)
    with monkeypatch.context() as dying:
        dying.setattr(dummy, "load", die)
        with pytest.raises(KeyboardInterrupt):
            train_baseline(baseline, task, "composition", tmp_path)
    assert not list(tmp_path.rglob("result.json"))
    with monkeypatch.context() as once:
        once.setattr(dummy, "fit", die)
        run = train_baseline(baseline, task, "composition", tmp_path)
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]
    assert not verify_results(tmp_path)[0].faults
    assert run.record.provenance.resumed


@pytest.mark.parametrize("values", [np.zeros(3), np.full(115, np.inf), np.zeros((115, 1))])
def test_a_broken_model_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: np.ndarray, call: Callable[..., Any]
) -> None:
    from llm4mat_bench.baselines import dummy

    monkeypatch.setattr(dummy.TrainingMean, "predict", lambda self, texts: values)
    called = call("train", "dummy", TASK, "--out", tmp_path)
    assert called.status == 1
    assert "for 115 test rows, or infinite ones" in " ".join(called.err.split())
    assert not list(tmp_path.rglob("result.json"))


def test_a_control_trains_nothing_where_its_whole_run_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in the same answers as one that trains for itself; a whole run that is damaged is not taken."""
    from llm4mat_bench.baselines import composition_gbm

    baseline, task = get_baseline("composition_gbm"), get_task(TASK)
    quick = read_settings(baseline, {"n_estimators": "20"})
    alone = train_baseline(baseline, task, "composition", tmp_path / "one", settings=quick, control="shuffled")
    whole = train_baseline(baseline, task, "composition", tmp_path / "two", settings=quick)

    def trained_again(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as never:
        never.setattr(composition_gbm, "fit", trained_again)
        control = train_baseline(baseline, task, "composition", tmp_path / "two", settings=quick, control="shuffled")
        trial = train_baseline(baseline, task, "composition", tmp_path / "two", settings=quick, limit=5)
        with pytest.raises(AssertionError):
            train_baseline(baseline, task, "composition", tmp_path / "two", settings=quick, seed=1, limit=5)
        trees = next(path for path in (whole.folder / "model").iterdir() if path.name != "model.json")
        trees.write_text(trees.read_text() + "\n")
        with pytest.raises(AssertionError):
            train_baseline(baseline, task, "composition", tmp_path / "two", settings=quick, limit=6)
    assert control.folder.name == alone.folder.name
    files = [(one.folder / "predictions.parquet").read_bytes() for one in (control, alone, whole)]
    assert files[0] == files[1] != files[2]
    assert trial.record.counts.n_scored == 5
    assert json.loads((control.folder / "model" / "model.json").read_text())["run_id"] == control.record.run_id


def own_data(place: Path, train: dict[str, Any], test: dict[str, Any]) -> Path:
    """Twenty made-up crystals of Materials Project's form to train on, six to test, with some columns changed."""
    from crystal_tables import crystals, write_folder

    def table(count: int, seed: int, changes: dict[str, Any]) -> dict[str, Any]:
        values = np.random.default_rng(seed).normal(size=count).tolist()
        columns = {**crystals(count, seed), "band_gap": values, "is_stable": [at % 2 == 0 for at in range(count)]}
        return columns | {name: change(columns.get(name)) for name, change in changes.items()}

    splits = {"train": table(20, 1, train), "validation": table(4, 2, {}), "test": table(6, 3, test)}
    return write_folder(place, "mp", splits)


@pytest.mark.parametrize(
    ("task", "train", "test", "message"),
    [
        ("mp/band_gap", {"band_gap": lambda _: [1.5] * 20}, {}, "all 20 training targets are equal"),
        ("mp/is_stable", {"is_stable": lambda _: [True] * 20}, {}, "all 20 training targets are of one class"),
        (
            "mp/band_gap",
            {"composition": lambda said: ["Xq2", *said[1:]]},
            {},
            "split train, row 1: 'Xq2' is no chemical formula; mend it",
        ),
        (
            "mp/band_gap",
            {},
            {"composition": lambda said: [*said[:5], "Xq2"]},
            "split test, row 6: 'Xq2' is no chemical formula; mend that row",
        ),
    ],
)
def test_rows_that_cannot_teach_or_be_read_are_one_line(
    task: str, train: Any, test: Any, message: str, call: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("lightgbm")
    data = own_data(tmp_path / "data", train, test)
    words = ("--data", data, "--set", "n_estimators=3", "--out", tmp_path / "out")
    called = call("train", "composition_gbm", task, *words)
    assert called.status == 1 and message in " ".join(called.err.split()) and "Traceback" not in called.err
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not list((tmp_path / "out").rglob(".*"))  # no work folder: nothing would go on from it


def test_a_full_disk_is_one_line_and_leaves_no_lock(call: Callable[..., Any], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    call("train", "dummy", TASK, "--out", tmp_path / "warm")  # what is unpacked once for all runs
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        called = call("train", "dummy", TASK, "--out", tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert called.status == 1 and "cannot be written" in " ".join(called.err.split())
    assert "Traceback" not in called.err
    assert not [path for path in (tmp_path / "full").rglob("*") if path.is_file() or path.name.startswith(".")]


def test_what_changes_no_answer_is_no_part_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever such a setting is, the run is found; what it was stands beside."""
    from llm4mat_bench.baselines import dummy, run
    from llm4mat_bench.baselines.protocol import Settings

    class Some(Settings):
        change_no_answer: ClassVar[tuple[str, ...]] = ("often",)
        often: int = 5
        other: int = 1

    monkeypatch.setattr(dummy, "Settings", Some)
    monkeypatch.setattr(run, "preset_differences", lambda preset, model: ("the order",) if preset else ())
    baseline, task = get_baseline("dummy"), get_task(TASK)
    first = train_baseline(baseline, task, "composition", tmp_path, settings=Some(often=3), preset="published")
    assert first.record.protocol.settings == {"often": 5, "other": 1}
    assert first.record.fitted["settings_beside"] == {"often": 3}
    assert first.record.fitted["not_as_published"] == ["the order"]
    assert json.loads((first.folder / "model" / "model.json").read_text())["settings"] == {"often": 5, "other": 1}
    again = train_baseline(baseline, task, "composition", tmp_path)
    assert again.already_there and again.folder == first.folder
    assert train_baseline(baseline, task, "composition", tmp_path, settings=Some(other=2)).folder != first.folder
    assert not [fault for one in verify_results(tmp_path) for fault in one.faults]


def test_defaults_name_a_run_as_they_are() -> None:
    """Of runs made before there were such settings, the ids stay; each name is that of a setting."""
    beside = {}
    for baseline in list_baselines():
        settings = baseline.settings_model()
        named = {k: v for k, v in settings.model_dump(mode="json").items() if k not in settings.came_later}
        assert settings.that_answer() == named and not settings.beside()
        beside[baseline.id] = settings.change_no_answer
    pinned = read_settings(get_baseline("encoder"), {"tokenizer": "org/words", "tokenizer_revision": "abc"})
    assert pinned.that_answer()["tokenizer_revision"] == "abc"
    assert beside["cgcnn"] == ("checkpoint_steps",)
    assert beside["llmprop"] == beside["lora"] == ("checkpoint_steps", "report_to")
    changed = read_settings(get_baseline("encoder"), {"checkpoint_steps": "3", "report_to": "tensorboard"})
    assert changed.that_answer() == get_baseline("encoder").settings_model().that_answer()
    assert changed.beside() == {"checkpoint_steps": 3, "report_to": "tensorboard"}


def test_a_preset_says_what_it_does_otherwise() -> None:
    for model in ("llmprop", "matbert", "cgcnn"):
        differences = preset_differences("published", model)
        assert differences and all("(published" in one for one in differences)
    assert preset_differences("fast", "llmprop") == preset_differences(None, "llmprop") == ()
    with pytest.raises(UsageError, match=r"says nothing of dummy; it has cgcnn, llmprop, matbert$"):
        preset_settings("published", "dummy")
