"""What every harness does with an answer: our parser reads it, our scores count it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...answers.parser import parse_answer
from ...dataset_builder.catalogue import get_task
from ...metrics.headline import whole_headline
from ...metrics.protocols import score_classification, score_regression


class Answered(NamedTuple):
    """One answer beside the truth; classes are 0 and 1.

    Attributes:
        prediction: What was read; None where nothing could be.
        target: The true value.
        training_mean: What a missing answer counts as.
        task: Name of the task.
    """

    prediction: float | None
    target: float
    training_mean: float
    task: str


def read_value(text: str, task: str, finish_reason: str | None = None) -> float | None:
    """Read the value from a model's words: a number in the task's unit, or 0 or 1; None where there is none."""
    value = parse_answer(text, task, finish_reason=finish_reason).value
    return None if value is None else float(value)


def headline_of(answers: Sequence[Answered]) -> float:
    """MAD:MAE, or for classes the AUC of hard labels, over all questions: a missing answer counts as the training mean.

    Harnesses hand over words without probabilities, so that an AUC is one of labels. A perfect regression, which has no
    MAD:MAE, gives infinity.
    """
    targets = np.array([one.target for one in answers])
    values = np.array([np.nan if one.prediction is None else one.prediction for one in answers])
    report = (
        score_regression(targets, values, train_mean=answers[0].training_mean, confidence=None)
        if get_task(answers[0].task).kind == "regression"
        else score_classification(targets, values, "hard_label", confidence=None)
    )
    score = whole_headline(report)
    return float("inf") if score.value is None and score.status == "infinite" else float(score)


def coverage_of(answers: Sequence[Answered]) -> float:
    """Share of the questions whose answer could be read."""
    return sum(one.prediction is not None for one in answers) / len(answers)
