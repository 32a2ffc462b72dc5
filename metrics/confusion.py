"""The four outcomes of a yes-or-no answer, and the rates made of them."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats

Rate = Literal["accuracy", "balanced_accuracy", "precision", "recall", "f1"]


class Confusion(NamedTuple):
    """Counts of outcomes: single numbers, or arrays of one shape for many tables at once."""

    true_positive: float | Floats
    false_positive: float | Floats
    false_negative: float | Floats
    true_negative: float | Floats


def confusion(positive: NDArray[np.bool_], answered_positive: NDArray[np.bool_]) -> Confusion:
    """Count the outcomes.

    Args:
        positive: shape ``(n,)``, the true class.
        answered_positive: shape ``(n,)``, the class answered.
    """
    hits = int((positive & answered_positive).sum())
    positives, answers = int(positive.sum()), int(answered_positive.sum())
    return Confusion(hits, answers - hits, positives - hits, positive.size - positives - answers + hits)


def rates(table: Confusion) -> dict[Rate, Floats]:
    """Return accuracy, balanced accuracy, precision, recall and F1; NaN where a rate is 0/0.

    Args:
        table: counts; each rate has their shape.
    """
    tp, fp, fn, tn = (np.asarray(count, dtype=np.float64) for count in table)
    with np.errstate(invalid="ignore"):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        return {
            "accuracy": (tp + tn) / (tp + fp + fn + tn),
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": tp / (tp + fp),
            "recall": recall,
            "f1": 2 * tp / (2 * tp + fp + fn),
        }
