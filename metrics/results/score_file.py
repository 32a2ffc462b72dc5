"""Score a predictions file of anyone's making."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Kind, Task
from ...errors import UsageError
from ..protocols import ClassificationReport, RegressionReport, ScoreKind
from .places import Place, Truths
from .predictions import read_predictions
from .record import RESULT_FILE, read_record
from .scoring import score_answers


class ScoredFile(BaseModel):
    """Scores of one predictions file and how they came about.

    Attributes:
        report: The scores.
        task: Name of the task, None where only its kind is known.
        unit: Unit of the target.
        ids_checked: Whether ids and targets were compared with the data.
        place: Name of the place of that data.
    """

    model_config = ConfigDict(frozen=True)

    report: RegressionReport | ClassificationReport
    task: str | None
    unit: str | None
    ids_checked: bool
    place: str | None = None


def score_file(
    path: Path,
    *,
    task: str | None = None,
    kind: Kind | None = None,
    score_kind: ScoreKind | None = None,
    train_mean: float | None = None,
    places: Sequence[Place | str] = (),
    revision: str | None = None,
    truths: Truths | None = None,
) -> ScoredFile:
    """Score a predictions file.

    With a task, the ids must be exactly those of its test split; the scores are made from the data's targets, and a
    column ``target`` in the file, which is not needed, must agree with them. A file beside a ``result.json`` is of the
    task that stands there.

    Args:
        path: Parquet, CSV, TSV or JSON lines, also packed; or a folder of Parquet files.
        task: The task.
        kind: ``regression`` or ``classification``, where no task is given and no record lies beside the file.
        score_kind: What the scores of a classifier are: probabilities unless said otherwise or all 0 or 1.
        train_mean: What a missing answer counts as in a regression, where no data says so.
        places: Where data is, for tasks that are not of the embedded sample.
        revision: Revision of the Hub repo.
        truths: Places already opened, to score many files; takes the place of ``places``.

    Raises:
        UsageError: Neither a task nor a kind is known, or an option has nothing to act on.
        DataError: The file does not hold what it should.
        ScoreError: Its numbers have no score.
    """
    truths = truths or Truths(places)
    wanted = None if task is None else truths.task(task)
    dataset: str | None = None
    labels: str | None = None
    mean_in_record: float | None = None
    if task is None and kind is None:
        beside = path.parent / RESULT_FILE
        if not beside.is_file():
            raise UsageError(
                f"{path}: no {RESULT_FILE} beside it; say --task SOURCE/PROPERTY or --kind regression|classification"
            )
        record = read_record(beside)
        wanted = truths.task(record.task)
        dataset, labels = record.data.dataset, record.data.labels_sha256
        revision = revision or record.data.revision
        mean_in_record = record.data.training_mean
        if record.metrics.kind == "classification":
            score_kind = score_kind or record.metrics.score_kind
    found_kind = kind if wanted is None else wanted.kind
    assert found_kind is not None  # noqa: S101 - one of the two is given
    _refuse_idle(found_kind, score_kind, train_mean)
    truth = None if wanted is None else truths.find(wanted, dataset, revision, labels)
    if truth is None and task is not None:
        raise _no_data(truths.task(task), truths)
    if truth is not None and train_mean is not None:
        raise UsageError(f"--train-mean: {truth.place} has the mean of {truth.task}; leave the option out")
    predictions = read_predictions(path, found_kind, targets_needed=truth is None)
    if truth is None:
        predictions, mean = predictions.by_id(), mean_in_record if train_mean is None else train_mean
    else:
        predictions, mean = truth.matched(predictions, path), truth.training_mean
    report = score_answers(predictions, found_kind, training_mean=mean, score_kind=score_kind or "probability")
    return ScoredFile(
        report=report,
        task=wanted.name if wanted else None,
        unit=wanted.unit if wanted else None,
        ids_checked=truth is not None,
        place=truth.place if truth else None,
    )


def _refuse_idle(kind: Kind, score_kind: ScoreKind | None, train_mean: float | None) -> None:
    """Refuse options that this kind of task has no use for.

    Raises:
        UsageError: There is one.
    """
    if kind == "regression" and score_kind is not None:
        raise UsageError("--score-kind is for classification; this is a regression")
    if kind == "classification" and train_mean is not None:
        raise UsageError("--train-mean is for regression; in a classification a missing answer takes no side")
    if train_mean is not None and not np.isfinite(train_mean):
        raise UsageError(f"--train-mean {train_mean}: a finite number is needed")


def _no_data(task: Task, truths: Truths) -> UsageError:
    if truths.places:
        given = ", ".join(f"--data {place}" for place in truths.places)
        return UsageError(f"{given}: no data of {task.name} there; `llm4mat-bench build {task.source.id}` makes it")
    return UsageError(
        f"the data of {task.name} is not in the package. Give --data: a folder made by `llm4mat-bench build "
        f"{task.source.id}`, or a dataset repo on the Hub"
    )
