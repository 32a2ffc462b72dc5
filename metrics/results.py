"""The last step of every run, whatever the model: predictions, scores and record, whole or not at all."""

import time
from pathlib import Path
from typing import Any

from ..dataset_builder.catalogue import Modality, Task
from ..files import file_sha256, replace_folder
from .predictions import Predictions, read_predictions, write_predictions
from .protocols import ClassificationReport, RegressionReport, ScoreKind, score_classification, score_regression
from .provenance import provenance
from .record import (
    PREDICTIONS_FILE,
    Counts,
    DataRecord,
    ModelRecord,
    PredictionsRecord,
    ProtocolRecord,
    ResultRecord,
    write_record,
)


def score_predictions(
    predictions: Predictions, kind: str, *, training_mean: float | None, score_kind: ScoreKind = "probability"
) -> RegressionReport | ClassificationReport:
    """Score predictions by both protocols.

    Args:
        predictions: As read from a predictions file.
        kind: ``regression`` or ``classification``.
        training_mean: What a missing answer counts as (regression only); None where no answer is missing.
        score_kind: What the scores of a classifier are.
    """
    if kind == "regression":
        return score_regression(predictions.targets, predictions.answers, train_mean=training_mean)
    return score_classification(predictions.targets, predictions.answers, score_kind=score_kind)


def count(predictions: Predictions) -> Counts:
    """Count answered, missing and unreadable answers."""
    import numpy as np

    n_total = len(predictions)
    n_invalid = int(predictions.invalid.sum())
    n_scored = n_total - int(np.isnan(predictions.answers).sum())
    return Counts(
        n_total=n_total,
        n_scored=n_scored,
        n_missing=n_total - n_scored - n_invalid,
        n_invalid=n_invalid,
        coverage=n_scored / n_total,
    )


def finish_run(
    folder: Path,
    *,
    run_id: str,
    config_sha256: str,
    task: Task,
    modality: Modality,
    data: DataRecord,
    model: ModelRecord,
    protocol: ProtocolRecord,
    columns: dict[str, Any],
    score_kind: ScoreKind,
    started_at: str,
    clock: float,
) -> ResultRecord:
    """Write a run's folder: predictions first, then scores computed from the file as written, then the record.

    Args:
        folder: The run's folder; takes its name only when it is complete.
        run_id: Name of the run.
        config_sha256: Hash of everything that decides the run.
        task: What was predicted.
        modality: Which view of a crystal was read.
        data: Which data was seen.
        model: Which model answered.
        protocol: How it was trained or prompted.
        columns: Columns of the predictions file.
        score_kind: What the scores of a classifier are; of no meaning for regression.
        started_at: When the run began, ISO 8601.
        clock: ``time.perf_counter()`` at that moment.
    """
    with replace_folder(folder) as temporary:
        file = temporary / PREDICTIONS_FILE
        write_predictions(file, columns)
        predictions = read_predictions(file, task.kind)
        record = ResultRecord(
            run_id=run_id,
            config_sha256=config_sha256,
            task=task.name,
            unit=task.unit,
            modality=modality,
            data=data,
            model=model,
            protocol=protocol,
            counts=count(predictions),
            metrics=score_predictions(predictions, task.kind, training_mean=data.training_mean, score_kind=score_kind),
            predictions=PredictionsRecord(
                file=PREDICTIONS_FILE, sha256=file_sha256(file), size_bytes=file.stat().st_size
            ),
            provenance=provenance(started_at, time.perf_counter() - clock),
        )
        write_record(temporary, record)
    return record
