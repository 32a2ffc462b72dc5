"""From predictions to counts and scores: one way for every run, every file and every check."""

import numpy as np

from ...dataset_builder.catalogue import Kind
from ..protocols import (
    ClassificationReport,
    RegressionReport,
    ScoreKind,
    kind_of_scores,
    score_classification,
    score_regression,
)
from .predictions import Predictions
from .record import Counts


def score_answers(
    predictions: Predictions,
    kind: Kind,
    *,
    training_mean: float | None,
    score_kind: ScoreKind = "probability",
) -> RegressionReport | ClassificationReport:
    """Score answers by both protocols.

    Args:
        predictions: With targets, in the order of their ids.
        kind: What the task asks for.
        training_mean: What a missing answer counts as (regression only); None where no answer is missing.
        score_kind: What the scores of a classifier are said to be; scores that are all 0 or 1 are hard labels whatever
            is said.
    """
    targets, answers = predictions.targets, predictions.answers
    assert targets is not None  # noqa: S101 - they are read with them, or are the data's
    if kind == "regression":
        return score_regression(targets, answers, train_mean=training_mean)
    return score_classification(targets, answers, score_kind=kind_of_scores(answers, score_kind))


def count(predictions: Predictions) -> Counts:
    """Count answered, missing and unreadable answers."""
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
