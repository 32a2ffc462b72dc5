"""Run a model on a task: load, fit, save, predict, score, and leave one folder with predictions and record."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.loading import load_task
from ..errors import DataError, UsageError
from ..files import replace_folder
from ..metrics.results.predictions import answer_columns
from ..metrics.results.record import ModelIdentity, RunConfig, TrainingProtocol
from ..metrics.results.runs import FinishedRun, open_run
from ..metrics.results.truth import read_data_record
from ..progress import Progress, silent
from .protocol import Context, Settings, Split, TaskData
from .registry import Baseline, check_installed, check_reads

if TYPE_CHECKING:
    pass

_SAVED = "fitted"


@dataclass(frozen=True)
class Run:
    """Where a run's result is, and whether this call made it."""

    folder: Path
    already_there: bool


def read_settings(baseline: Baseline, given: dict[str, str]) -> Settings:
    """Read settings given as text.

    Raises:
        UsageError: A setting is unknown or its value is of the wrong form.
    """
    try:
        return baseline.settings_model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(baseline.settings_model.model_fields) or "none"
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"setting {name}: {first['msg']}. Settings of {baseline.id}: {known}") from error


def train_baseline(
    baseline: Baseline,
    task: Task,
    modality: Modality,
    results: Path,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    source: str | None = None,
    revision: str | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = silent,
) -> Run:
    """Train a model and write ``results/source/property/modality/run_id/``.

    The same call again finds the finished run and does nothing. A run that is killed goes on from what its model left
    in the work folder beside it.

    Args:
        baseline: The model.
        task: What to predict.
        modality: Which view of a crystal it reads.
        results: Folder of all results.
        settings: Settings of the model; its defaults if None.
        seed: Seed of everything random in the model.
        source: Folder or Hub repo with the data; not needed for the embedded sample.
        revision: Revision of the Hub repo.
        overwrite: Train again where a finished run is found.
        threads: How many threads the model may use; all if None. They change no answer.
        progress: Called as the work goes on.

    Raises:
        UsageError: The model cannot read this modality, or the data is not at hand.
        DataError: The data or an earlier result is damaged.
    """
    check_reads(baseline, modality, task.kind)
    check_installed(baseline)
    settings = settings or baseline.settings_model()
    declaration = baseline.declaration
    progress("loading", 0, 0)
    config = RunConfig.of(
        task,
        modality,
        read_data_record(task, modality, source, revision=revision),
        ModelIdentity(id=baseline.id, revision=declaration.revision, kind=declaration.kind, pretraining_overlap="none"),
        TrainingProtocol(settings=settings.model_dump(mode="json"), seed=seed),
    )
    run = open_run(config, results, overwrite=overwrite)
    if isinstance(run, FinishedRun):
        return Run(run.folder, already_there=True)
    with run:
        splits = load_task(task, modality, source, revision=revision)
        train, validation, test = (Split(name, splits[name]) for name in ("train", "validation", "test"))
        saved = run.work / _SAVED
        if not saved.is_dir():  # a call that was killed while it predicted need not fit again
            context = Context(settings, seed, run.work, progress, threads or _cores())
            fitted = baseline.fit(TaskData(task, modality, train, validation), context)
            with replace_folder(saved) as temporary:
                fitted.save(temporary)
            del fitted
        progress("predicting", 0, len(test))
        # What answers is what was saved: a saved model predicts as in its run because it is the one that did.
        model = baseline.load(saved)
        values = model.predict(test.texts)
        _check_values(baseline, values, len(test))
        run.finish(
            answer_columns(task.kind, test.rows["material_id"][:], test.targets, values, declaration.score_kind),
            parameters=model.parameters,
            fitted=dict(model.facts),
            score_kind=declaration.score_kind,
            libraries=declaration.libraries,
        )
    return Run(run.folder, already_there=False)


def _check_values(baseline: Baseline, values: NDArray[np.float64], n_test: int) -> None:
    """A model that answers another number of rows, or infinities, is broken: do not write what it says."""
    if len(values) != n_test or np.isinf(values).any():
        raise DataError(f"{baseline.id} gave {len(values)} answers for {n_test} test rows, or infinite ones")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
