"""Train a baseline on a task: load, fit, predict, score, and leave one folder with predictions and record."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.loading import load_task
from ..errors import DataError, UsageError
from ..metrics.results.predictions import answer_columns
from ..metrics.results.record import ModelIdentity, RunConfig, TrainingProtocol
from ..metrics.results.runs import FinishedRun, open_run
from ..metrics.results.truth import read_data_record
from .models import Answers, Baseline, Progress, Rows, Settings, check_reads

if TYPE_CHECKING:
    from datasets import Dataset


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
    progress: Progress = lambda share, words: None,
) -> Run:
    """Train a baseline and write ``results/source/property/modality/run_id/``.

    The same call again finds the finished run and does nothing. A run that is killed leaves no folder.

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
        progress: Called as the work goes on.

    Raises:
        UsageError: The model cannot read this modality, or the data is not at hand.
        DataError: The data or an earlier result is damaged.
    """
    check_reads(baseline, modality)
    settings = settings or baseline.settings_model()
    progress(0.0, "loading")
    config = RunConfig.of(
        task,
        modality,
        read_data_record(task, modality, source, revision=revision),
        ModelIdentity(id=baseline.id, revision=baseline.revision, kind=baseline.kind, pretraining_overlap="none"),
        TrainingProtocol(settings=settings.model_dump(mode="json"), seed=seed),
    )
    run = open_run(config, results, overwrite=overwrite)
    if isinstance(run, FinishedRun):
        return Run(run.folder, already_there=True)
    with run:
        splits = load_task(task, modality, source, revision=revision)
        test = splits["test"]
        answers = baseline.fit_and_predict(
            _rows(splits["train"]), _rows(splits["validation"]), test["text"][:], task.kind, settings, seed, progress
        )
        _check_answers(baseline, answers, test.num_rows)
        run.finish(
            answer_columns(task.kind, test["material_id"][:], test["target"][:], answers.values),
            parameters=answers.parameters,
            fitted=dict(answers.fitted),
            libraries=baseline.libraries,
        )
    return Run(run.folder, already_there=False)


def _rows(split: "Dataset") -> Rows:
    return Rows(texts=split["text"][:], targets=np.asarray(split["target"][:], dtype=np.float64))


def _check_answers(baseline: Baseline, answers: Answers, n_test: int) -> None:
    """A model that answers another number of rows, or infinities, is broken: do not write what it says."""
    if len(answers.values) != n_test or np.isinf(answers.values).any():
        raise DataError(f"{baseline.id} gave {len(answers.values)} answers for {n_test} test rows, or infinite ones")
