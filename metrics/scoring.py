"""Score a predictions file of anyone's making."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..dataset_builder.catalogue import get_task
from ..dataset_builder.dataset_folder import read_labels
from ..errors import DataError, UsageError
from .predictions import check_ids, read_predictions
from .protocols import ClassificationReport, RegressionReport, ScoreKind
from .record import RESULT_FILE, read_record
from .results import score_predictions


class ScoredFile(BaseModel):
    """Scores of one predictions file and how they came about."""

    model_config = ConfigDict(frozen=True)

    report: RegressionReport | ClassificationReport
    task: str | None
    unit: str | None
    ids_checked: bool


def score_file(
    path: Path,
    *,
    task: str | None = None,
    kind: str | None = None,
    score_kind: ScoreKind = "probability",
    train_mean: float | None = None,
    source: str | None = None,
    revision: str | None = None,
) -> ScoredFile:
    """Score a predictions file.

    Args:
        path: Parquet or CSV.
        task: The task; the ids must then be exactly those of its test split, and the targets its targets.
        kind: ``regression`` or ``classification``, where no task is given and no record lies beside the file.
        score_kind: What the scores of a classifier are.
        train_mean: What a missing answer counts as, where no task is given.
        source: Folder or Hub repo with the data of the task.
        revision: Revision of the Hub repo.

    Raises:
        UsageError: Neither a task nor a kind is known.
        DataError: The file does not hold what it should.
        ScoreError: Its numbers have no score.
    """
    beside = path.parent / RESULT_FILE
    if task is None and kind is None:
        if not beside.is_file():
            raise UsageError(
                f"{path}: no {RESULT_FILE} beside it; say --task SOURCE/PROPERTY or --kind regression|classification"
            )
        record = read_record(beside)
        kind, unit, name = record.metrics.kind, record.unit, record.task
        if record.metrics.kind == "classification":
            score_kind = record.metrics.score_kind
        predictions = read_predictions(path, kind)
        report = score_predictions(
            predictions,
            kind,
            training_mean=record.data.training_mean if train_mean is None else train_mean,
            score_kind=score_kind,
        )
        return ScoredFile(report=report, task=name, unit=unit, ids_checked=False)
    if task is None:
        assert kind is not None  # noqa: S101 - one of the two is given
        predictions = read_predictions(path, kind)
        report = score_predictions(predictions, kind, training_mean=train_mean, score_kind=score_kind)
        return ScoredFile(report=report, task=None, unit=None, ids_checked=False)
    wanted = get_task(task)
    predictions = read_predictions(path, wanted.kind)
    splits = read_labels(wanted, source, revision=revision).splits
    test = splits["test"]
    check_ids(predictions.material_ids, test.material_ids.combine_chunks(), path)
    by_id = dict(zip(test.material_ids.to_pylist(), test.targets, strict=True))
    true = np.array([by_id[material_id] for material_id in predictions.material_ids.to_pylist()])
    wrong = ~np.isclose(true, predictions.targets, rtol=1e-6, atol=1e-9)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{path}: column 'target': {int(wrong.sum())} values differ from the data "
            f"(first: {predictions.material_ids[first]}, {predictions.targets[first]} for {true[first]})"
        )
    mean = float(np.mean(splits["train"].targets))
    report = score_predictions(predictions, wanted.kind, training_mean=mean, score_kind=score_kind)
    return ScoredFile(report=report, task=wanted.name, unit=wanted.unit, ids_checked=True)
