"""From predictions to counts and scores: one way for every run, every file and every check."""

import numpy as np
from numpy.typing import NDArray

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


_MOSTLY = 0.995
"""Share of the answers that have one of two values where these are labels."""
_ENOUGH_TO_TELL = 20
"""Answers from which on two values are no accident."""


def disguised_labels(answers: NDArray[np.float64], score_kind: ScoreKind) -> tuple[float, float] | None:
    """The two values of scores that are hard labels written otherwise, say 0.1 and 0.9; None for other scores.

    An AUC of two values is a balanced accuracy, whatever the two are called.

    Args:
        answers: Scores of a classifier, NaN where there is none.
        score_kind: What they are said to be.
    """
    there = answers[~np.isnan(answers)]
    if score_kind == "hard_label" or len(there) < _ENOUGH_TO_TELL:
        return None
    values, counts = np.unique(there, return_counts=True)
    if len(values) < 2:
        return None
    most = np.argsort(counts)[-2:]
    # A few other values among them make no probabilities of labels.
    if counts[most].sum() < _MOSTLY * len(there):
        return None
    low, high = sorted(float(value) for value in values[most])
    return low, high
