"""Scores as plain functions of NumPy arrays: targets first, predictions second, a Python float out.

All compute in float64 and refuse, with a :class:`~llm4mat_bench.metrics.errors.ScoreError`, what has no score: empty,
NaN, infinite, mismatched, textual or not one-dimensional input, and whatever makes the score itself undefined.
Missing answers are the business of :mod:`llm4mat_bench.metrics.protocols`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import (
    Floats,
    as_numbers,
    binary_labels,
    centred,
    differences,
    finite_pair,
    is_constant,
    require_both_classes,
    require_finite,
    require_same_length,
    times_power_of_two,
)
from .errors import ScoreError

__all__ = ["ScoreError", "mad_mae", "mae", "mean_absolute_deviation", "r2", "rmse", "roc_auc", "spearman"]


def mean_absolute_deviation(targets: ArrayLike) -> float:
    """Return the mean absolute deviation of the targets from their mean: ``mean(|t - mean(t)|)``.

    Args:
        targets: shape ``(n,)``, any unit; the result has the same.

    Returns:
        The MAD; 0.0 exactly where all targets are equal.

    Raises:
        ScoreError: the input is not a vector of finite numbers.
    """
    true = as_numbers(targets, "targets")
    require_finite(true, "targets")
    if is_constant(true):
        return 0.0
    deviations, exponent = centred(true)
    return times_power_of_two(float(np.abs(deviations).mean()), exponent, "MAD")


def mad_mae(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return MAD:MAE, the benchmark's score for regression: how many times better than answering the mean.

    The mean absolute deviation of the targets from their mean, divided by the mean absolute error of the predictions
    (Choudhary & DeCost 2021, doi:10.1038/s41524-021-00650-1, who call a model useful from about 5). 1 is as good as
    always answering the mean of the targets; higher is better.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``, same unit.

    Returns:
        The ratio, without unit; ``math.inf`` where every prediction is exact (MAE 0).

    Raises:
        ScoreError: the targets are all equal (MAD 0: the ratio says nothing), or the input is not two vectors of finite
            numbers of one length.
    """
    true, predicted = finite_pair(targets, predictions)
    _require_spread(true, "MAD is 0 and MAD:MAE is undefined")
    deviations, deviation_exponent = centred(true)
    errors, error_exponent = differences(true, predicted)
    error = float(np.abs(errors).mean())
    if error == 0.0:
        return math.inf
    ratio = float(np.abs(deviations).mean()) / error
    return times_power_of_two(ratio, deviation_exponent - error_exponent, "MAD:MAE")


def mae(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the targets.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``, same unit.

    Raises:
        ScoreError: the input is not two vectors of finite numbers of one length, or the result exceeds float64.
    """
    errors, exponent = differences(*finite_pair(targets, predictions))
    return times_power_of_two(float(np.abs(errors).mean()), exponent, "MAE")


def rmse(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the root mean squared error, in the unit of the targets.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``, same unit.

    Raises:
        ScoreError: the input is not two vectors of finite numbers of one length, or the result exceeds float64.
    """
    errors, exponent = differences(*finite_pair(targets, predictions))
    return times_power_of_two(math.sqrt(float(np.square(errors).mean())), exponent, "RMSE")


def r2(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the coefficient of determination, ``1 - sum((p - t)^2) / sum((t - mean(t))^2)``.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``, same unit.

    Returns:
        At most 1; 0 is as good as always answering the mean of the targets.

    Raises:
        ScoreError: the targets are all equal, the input is not two vectors of finite numbers of one length, or the
            predictions are so far off that the result exceeds float64.
    """
    true, predicted = finite_pair(targets, predictions)
    _require_spread(true, "R2 is undefined")
    deviations, deviation_exponent = centred(true)
    errors, error_exponent = differences(true, predicted)
    ratio = float(np.square(errors).sum()) / float(np.square(deviations).sum())
    return 1.0 - times_power_of_two(ratio, 2 * (error_exponent - deviation_exponent), "R2")


def spearman(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return Spearman's rank correlation; ties share the average of their ranks.

    Args:
        targets: shape ``(n,)``.
        predictions: shape ``(n,)``.

    Returns:
        Between -1 and 1.

    Raises:
        ScoreError: all targets or all predictions are equal, or the input is not two vectors of finite numbers of one
            length.
    """
    true, predicted = finite_pair(targets, predictions)
    _require_spread(true, "a rank correlation is undefined")
    if is_constant(predicted):
        raise ScoreError(f"all {predicted.size} predictions equal {predicted[0]:g}: a rank correlation is undefined")
    middle = (true.size + 1) / 2
    first, second = ranks(true) - middle, ranks(predicted) - middle
    # Ranks are whole or half numbers, so equal rankings give sums equal bit for bit and a correlation of exactly 1.
    product, norms = float((first * second).sum()), [float(np.square(side).sum()) for side in (first, second)]
    correlation = product / norms[0] if norms[0] == norms[1] else product / math.sqrt(norms[0]) / math.sqrt(norms[1])
    return max(-1.0, min(1.0, correlation))


def roc_auc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: the chance that a positive outranks a negative, ties counting one half.

    Only the order of the scores matters: probabilities and their logits give the same area, labels rounded to 0 and 1
    do not (see docs/scores.md).

    Args:
        targets: shape ``(n,)``, class labels 0/1 or False/True.
        scores: shape ``(n,)``, higher for the positive class; any monotone scale.

    Returns:
        Between 0 and 1; 0.5 is as good as chance.

    Raises:
        ScoreError: only one class is present, a label is not 0 or 1, or the scores are not a vector of finite numbers
            of the same length.
    """
    positive, values = labelled_scores(targets, scores)
    return area(positive, ranks(values))


def labelled_scores(targets: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Return labels as booleans and finite scores of one length, both classes being present."""
    positive, values = binary_labels(targets), as_numbers(scores, "scores")
    require_same_length(positive.astype(np.float64), values, "scores")
    require_finite(values, "scores")
    require_both_classes(positive)
    return positive, values


def area(positive: NDArray[np.bool_], all_ranks: Floats) -> float:
    """Return the AUC from the ranks of all scores (Mann and Whitney's statistic), exact up to the last division."""
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    twice = round(2 * float(all_ranks[positive].sum())) - n_positive * (n_positive + 1)
    return twice / (2 * n_positive * n_negative)


def ranks(values: Floats) -> Floats:
    """Return ranks from 1, ties sharing their average."""
    # By hand: scipy.stats has it too, and takes a second to import in each process that scores.
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(values))
    found = np.empty(len(values))
    found[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return found


def _require_spread(targets: Floats, consequence: str) -> None:
    if is_constant(targets):
        which = "the only target is" if targets.size == 1 else f"all {targets.size} targets equal"
        raise ScoreError(f"{which} {targets[0]:g}: {consequence}")
