"""Run a model on a task: load, fit, save, predict, score, and leave one folder with predictions, record and model."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.dataset_folder import load_task
from ..errors import DataError, LLM4MatError, UsageError
from ..faults import first_fault
from ..files import replace_folder
from ..metrics.results.controls import other_crystals
from ..metrics.results.predictions import answer_columns
from ..metrics.results.record import RESULT_FILE, ModelIdentity, ResultRecord, RunConfig, TrainingProtocol, read_record
from ..metrics.results.runs import FinishedRun, OpenRun, open_run
from ..metrics.results.truth import read_data_record
from ..processors import available_processors
from ..progress import Progress, silent
from . import processes
from .artifacts import MODEL_FOLDER, copy_model, describe_model, read_whole_manifest
from .controls import train_subset
from .presets import preset_differences, preset_settings
from .protocol import Answers, Context, Settings, Split, TaskData
from .registry import Baseline, check_installed, check_reads, library_versions

Control = Literal["none", "shuffled"]
_SAVED = "fitted"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where its result lies.
        record: What it is and how well it did.
        already_there: An earlier call made it.
    """

    folder: Path
    record: ResultRecord
    already_there: bool


def read_settings(baseline: Baseline, given: dict[str, str], preset: str | None = None) -> Settings:
    """Read settings given as text, on top of those of a preset.

    Raises:
        UsageError: A setting is unknown or its value is of the wrong form, or there is no such preset.
    """
    try:
        return baseline.settings_model.model_validate({**preset_settings(preset, baseline.id), **given})
    except ValidationError as error:
        fault = first_fault(error)
        known = ", ".join(baseline.settings_model.model_fields) or "none"
        raise UsageError(f"setting {fault.where} {fault.what}. Settings of {baseline.id}: {known}") from error


def train_baseline(
    baseline: Baseline,
    task: Task,
    modality: Modality,
    results: Path,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    data: str | None = None,
    revision: str | None = None,
    limit: int | None = None,
    train_rows: int | None = None,
    control: Control = "none",
    preset: str | None = None,
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
        data: Folder or Hub repo with the data; not needed for the embedded sample.
        revision: Revision of the Hub repo.
        limit: Answer only so many test rows, the first: a trial, which is no result.
        train_rows: Train on only so many rows, the first of an order that ``seed`` shuffles, for learning curves.
        control: ``shuffled`` gives each test crystal another one's text: what is still right then was not read there.
        preset: Name that the settings go by, for the record.
        overwrite: Train again where a finished run is found.
        threads: How many threads the model may use; all if None. They change no answer.
        progress: Called as the work goes on.

    Raises:
        UsageError: The model cannot read this modality, or the data is not at hand.
        DataError: The data or an earlier result is damaged.
    """
    processes.check_can(baseline)
    check_reads(baseline, modality, task.kind)
    check_installed(baseline)
    settings = baseline.resolve(settings or baseline.settings_model(), task)
    declaration = baseline.declaration
    progress(f"looking at {task.name}", 0, 0)
    config = RunConfig.of(
        task,
        modality,
        read_data_record(task, modality, data, revision=revision, progress=progress),
        ModelIdentity(
            id=baseline.id,
            revision=declaration.revision,
            kind=declaration.kind,
            pretraining_overlap=baseline.pretraining_overlap(settings, task),
        ),
        TrainingProtocol(
            settings=settings.that_answer(),
            seed=seed,
            preset=preset,
            control=control,
            limit=limit,
            train_rows=train_rows,
            places=baseline.places(settings),
        ),
    )
    if train_rows is not None and train_rows > config.data.n_train:
        raise UsageError(f"--train-rows {train_rows}: {task.name} has {config.data.n_train} training rows")
    run = open_run(config, results, overwrite=overwrite)
    if isinstance(run, FinishedRun):
        processes.share(None)
        return Run(run.folder, run.record, already_there=True)
    with run:
        splits = load_task(task, modality, data, revision=revision, progress=progress)
        train, validation, test = (Split(name, splits[name]) for name in ("train", "validation", "test"))
        if train_rows is not None:
            train = train_subset(train, train_rows, seed)
        context = Context(settings, seed, run.work, progress, threads or _threads())
        whole = None if overwrite else _whole_run(baseline, config, results)
        learnt = TaskData(task, modality, train, validation)
        saved = _fitted(baseline, learnt, context, run, whole)
        record = _answered(baseline, saved, test, run, progress, settings.beside())
    return Run(run.folder, record, already_there=False)


def train_along(
    baseline: Baseline,
    task: Task,
    modality: Modality,
    *,
    seed: int = 0,
    data: str | None = None,
    revision: str | None = None,
    train_rows: int | None = None,
    threads: int | None = None,
) -> None:
    """What a process does that is not the first: wait until that one trains, and train with it.

    Arguments are those of `train_baseline`. All else, settings among it, the first process says.
    """
    shared = processes.share(None)
    if shared is None:  # the run was there, or what it needs had been trained before
        return
    settings = baseline.settings_model.model_validate(shared["settings"])
    splits = load_task(task, modality, data, revision=revision)
    train, validation = (Split(name, splits[name]) for name in ("train", "validation"))
    if train_rows is not None:
        train = train_subset(train, train_rows, seed)
    context = Context(settings, seed, Path(shared["work"]), threads=threads or _threads())
    baseline.fit(TaskData(task, modality, train, validation), context)
    processes.leave()


def _threads() -> int:
    """Threads for this process, where several share the machine."""
    return max(1, available_processors() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _whole_run(baseline: Baseline, config: RunConfig, results: Path) -> Path | None:
    """The model of a finished run that was trained just so and asked otherwise: a control or a trial trains nothing.

    It is taken only if it is whole and what trained it is what would train it now.
    """
    asked = config.protocol.model_copy(update={"control": "none", "limit": None})
    whole = config.model_copy(update={"protocol": asked})
    folder = results / whole.place
    if whole == config or not (folder / RESULT_FILE).is_file():
        return None
    try:
        if read_record(folder / RESULT_FILE).config_sha256 != whole.sha256:
            return None
        manifest = read_whole_manifest(folder / MODEL_FOLDER)
    except LLM4MatError:
        return None
    return folder / MODEL_FOLDER if manifest.libraries == library_versions(baseline) else None


def _fitted(
    baseline: Baseline, data: TaskData, context: Context[Settings], run: OpenRun, whole: Path | None = None
) -> Path:
    """Fit and save, unless a call that was killed while it predicted has done so, or another run trained the same."""
    saved = run.work / _SAVED
    if not saved.is_dir():
        fitted = None
        if whole is None:
            processes.share({"work": str(context.work.resolve()), "settings": context.settings.model_dump(mode="json")})
            fitted = baseline.fit(data, context)
            processes.leave()
        else:
            processes.share(None)
        with replace_folder(saved) as temporary:
            if fitted is not None:
                fitted.save(temporary)
            elif whole is not None:
                shutil.copytree(whole, temporary, dirs_exist_ok=True)
            describe_model(temporary, baseline, data.task, data.modality, context, run.config.run_id)
    else:
        processes.share(None)
    return saved


def _answered(
    baseline: Baseline, saved: Path, test: Split, run: OpenRun, progress: Progress, beside: dict[str, JsonValue]
) -> ResultRecord:
    """Answer the test rows and finish the run; ``beside`` are settings that are recorded and no part of what it is.

    What answers is what was saved: a saved model predicts as in its run because it is the one that did.
    """
    protocol = run.config.protocol
    texts = test.texts
    if protocol.control == "shuffled":
        texts = texts.take(other_crystals(len(test), protocol.seed))
    asked = len(test) if protocol.limit is None else min(protocol.limit, len(test))
    progress("predicting", 0, asked)
    model = baseline.load(saved)
    model.progress = progress
    try:
        answers = model.answer(texts[:asked])
    except DataError as error:
        shutil.rmtree(saved, ignore_errors=True)  # with that row mended it is another run, which goes on from nothing
        raise DataError(f"split test, {error}; mend that row, or leave it empty: it counts as missing") from error
    values = np.full(len(test), np.nan)
    values[:asked] = _checked(baseline, answers.values, asked)
    declaration = baseline.declaration
    columns = answer_columns(run.config.kind, test.material_ids, test.targets, values, declaration.score_kind)
    facts = dict(model.facts)
    if beside:
        facts["settings_beside"] = beside
    if differences := preset_differences(protocol.preset, baseline.id):
        facts["not_as_published"] = list(differences)
    if (statuses := answers.columns.get("parse_status")) is not None:
        facts["parse_status"] = dict(sorted(Counter(one or "missing" for one in statuses).items()))
    return run.finish(
        {**columns, **_beside(answers, len(test))},
        parameters=model.parameters,
        fitted=facts,
        score_kind=declaration.score_kind,
        libraries=declaration.libraries,
        save=lambda folder: copy_model(saved, folder),
    )


def _beside(answers: Answers, rows: int) -> dict[str, object]:
    """What else is kept of each answer; rows that were not asked have nothing."""
    import pyarrow as pa

    return {
        name: pa.array([*column, *[None] * (rows - len(column))], pa.string())
        for name, column in answers.columns.items()
    }


def _checked(baseline: Baseline, values: NDArray[np.float64], asked: int) -> NDArray[np.float64]:
    """A model that answers another number of rows, or infinities, is broken: do not write what it says."""
    if np.shape(values) != (asked,) or np.isinf(values).any():
        raise DataError(
            f"{baseline.id} gave answers of shape {np.shape(values)} for {asked} test rows, or infinite ones"
        )
    return values
