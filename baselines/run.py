"""Run a model on a task: load, fit, save, predict, score, and leave one folder with predictions and record."""

import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.dataset_folder import EMBEDDED, load_task, task_identity
from ..dataset_builder.splits import ids_sha256
from ..errors import DataError, UsageError
from ..files import file_sha256, replace_folder
from ..metrics.record import (
    PREDICTIONS_FILE,
    RESULT_FILE,
    DataRecord,
    ModelRecord,
    ProtocolRecord,
    json_sha256,
    read_record,
)
from ..metrics.results import finish_run
from ..progress import Progress, silent
from .protocol import Context, Settings, Split, TaskData
from .registry import Baseline, check_installed, check_reads

if TYPE_CHECKING:
    from datasets import Dataset

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
    started_at, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    progress("loading", 0, 0)
    splits = load_task(task, modality, source, revision=revision)
    data_sha256 = task_identity(task, modality, source, revision=revision).sha256
    config: dict[str, JsonValue] = {
        "model": baseline.id,
        "model_revision": baseline.declaration.revision,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "task": task.name,
        "modality": modality,
        "data_sha256": data_sha256,
    }
    config_sha256 = json_sha256(config)
    run_id = f"{baseline.id}-seed{seed}-{config_sha256[:10]}"
    folder = results / task.source.id / task.property.name / modality / run_id
    if folder.exists() and not overwrite:
        _check_finished(folder)
        return Run(folder, already_there=True)

    train, validation, test = (Split(name, splits[name]) for name in ("train", "validation", "test"))
    work = folder.parent / f".{run_id}.work"
    work.mkdir(parents=True, exist_ok=True)
    saved = work / _SAVED
    if not saved.is_dir():  # a call that was killed while it predicted need not fit again
        context = Context(settings, seed, work, progress, threads or _cores())
        fitted = baseline.fit(TaskData(task, modality, train, validation), context)
        with replace_folder(saved) as temporary:
            fitted.save(temporary)
        del fitted
    progress("predicting", 0, len(test))
    # What answers is what was saved: a saved model predicts as in its run because it is the one that did.
    model = baseline.load(saved)
    values = model.predict(test.texts)
    _check_values(baseline, values, len(test))
    finish_run(
        folder,
        run_id=run_id,
        config_sha256=config_sha256,
        task=task,
        modality=modality,
        data=DataRecord(
            dataset=EMBEDDED if source is None else (Path(source).name if Path(source).is_dir() else source),
            revision=revision,
            sha256=data_sha256,
            test_ids_sha256=ids_sha256(splits["test"]["material_id"][:]),
            n_train=len(train),
            n_validation=len(validation),
            training_mean=float(np.mean(train.targets)),
        ),
        model=ModelRecord(
            id=baseline.id,
            revision=baseline.declaration.revision,
            kind=baseline.declaration.kind,
            parameters=model.parameters,
        ),
        protocol=ProtocolRecord(settings=settings.model_dump(mode="json"), seed=seed, fitted=dict(model.facts)),
        columns=_columns(splits["test"], values, task),
        score_kind=baseline.declaration.score_kind,
        started_at=started_at,
        clock=clock,
    )
    shutil.rmtree(work)
    return Run(folder, already_there=False)


def _columns(test: "Dataset", values: NDArray[np.float64], task: Task) -> dict[str, Any]:
    """The columns of the predictions file; a missing answer is null."""
    import pyarrow as pa

    answers = pa.array(values, from_pandas=True)
    columns: dict[str, Any] = {"material_id": test["material_id"][:]}
    if task.kind == "regression":
        return columns | {"target": pa.array(test["target"][:], pa.float64()), "prediction": answers}
    hard = pa.array((values > 0.5).astype(np.int8), mask=np.isnan(values))
    return columns | {"target": pa.array(test["target"][:], pa.int8()), "prediction": hard, "score": answers}


def _check_values(baseline: Baseline, values: NDArray[np.float64], n_test: int) -> None:
    """A model that answers another number of rows, or infinities, is broken: do not write what it says."""
    if len(values) != n_test or np.isinf(values).any():
        raise DataError(f"{baseline.id} gave {len(values)} answers for {n_test} test rows, or infinite ones")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_finished(folder: Path) -> None:
    """A finished run has a record and the predictions that it names.

    Raises:
        DataError: It has not.
    """
    record = read_record(folder / RESULT_FILE)
    predictions = folder / PREDICTIONS_FILE
    if not predictions.is_file() or file_sha256(predictions) != record.predictions.sha256:
        raise DataError(f"{predictions}: missing or changed since the run; train again with --overwrite")
