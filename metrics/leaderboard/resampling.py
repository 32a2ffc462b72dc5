"""Scores of all rows of a task over the same resamples of its materials, so that any two can be compared in pairs.

Each material gets a Poisson(1) weight in each resample that follows from its id alone (the Poisson bootstrap). So rows
that were scored apart share their resamples, and so do the tasks of a source that share materials: the difference of
two rows over the resamples, or of their means over a source, is distributed as it should be.

No sum that is rounded goes through a BLAS, so that a page has the same bytes whatever processor made it.
"""

import base64
import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...dataset_builder.cleaning.keys import hash_texts
from ..exact_sums import ExactSums

N_RESAMPLES = 500
_AT_A_TIME = 25
_STEPS = 65535
_GOLDEN = 0x9E3779B97F4A7C15
_FARTHEST = 1e9
"""Times the largest target: answers beyond are as far as that."""
_MOST = 12
"""Largest weight: a Poisson(1) variable exceeds it once in 60 billion draws."""

Floats = NDArray[np.float64]


class Packed(NamedTuple):
    """Scores over the resamples, as text: ``low + step * n`` for the 16-bit numbers ``n`` in ``data`` (base64)."""

    low: float
    step: float
    data: str


def weights_of(ids: pa.Array, first: int, count: int) -> Floats:
    """Weights of materials in some resamples, shape ``(count, n)``.

    Args:
        ids: Ids of the materials, ``n`` of them.
        first: Number of the first resample.
        count: How many.
    """
    keys = hash_texts(ids)
    steps = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(_MOST)])
    weights = np.empty((count, len(keys)))
    for row in range(count):
        salt = np.uint64((first + row + 1) * _GOLDEN % 2**64)
        uniform = (_mixed(keys + salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        weights[row] = np.searchsorted(steps, uniform, side="right")
    return weights


def resampled_mad_mae(ids: pa.Array, targets: Floats, answers: Floats) -> Floats:
    """MAD:MAE of several runs over the resamples, shape ``(runs, N_RESAMPLES)``.

    Args:
        ids: Of the materials, ``n``.
        targets: True values, shape ``(n,)``.
        answers: Shape ``(runs, n)``, without gaps.
    """
    # An error beyond makes a score of 0 whatever it is, and must not hide the others where it is not drawn.
    largest = _FARTHEST * (float(np.abs(targets).max()) or 1.0)
    errors = np.abs(np.clip(answers, -largest, largest) - targets)
    of_errors = ExactSums(np.concatenate([targets[None], errors]), _MOST * len(targets))
    found = np.empty((len(answers), N_RESAMPLES))
    for first in range(0, N_RESAMPLES, _AT_A_TIME):
        weights = weights_of(ids, first, min(_AT_A_TIME, N_RESAMPLES - first))
        total = np.maximum(weights.sum(axis=1), 1)
        sums = of_errors.weighted(weights) / total
        mad = (weights * np.abs(targets - sums[0][:, None])).sum(axis=1) / total
        with np.errstate(divide="ignore", invalid="ignore"):
            found[:, first : first + len(weights)] = mad / sums[1:]
    return found


def resampled_auc(ids: pa.Array, targets: Floats, answers: Floats) -> Floats:
    """AUC of several runs over the resamples; arguments as above, targets 0 or 1."""
    positive = targets > 0.5
    orders = [np.argsort(row, kind="stable") for row in answers]
    # Where the materials with one answer end, in its order.
    ends = [np.flatnonzero(np.diff(row[order], append=np.inf)) for row, order in zip(answers, orders, strict=True)]
    found = np.empty((len(answers), N_RESAMPLES))
    for first in range(0, N_RESAMPLES, _AT_A_TIME):
        # A material a row: those of a run's order are copied whole, and summed for all resamples at once.
        weights = np.ascontiguousarray(weights_of(ids, first, min(_AT_A_TIME, N_RESAMPLES - first)).T)
        up, down = weights * positive[:, None], weights * ~positive[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            for run, order in enumerate(orders):
                pairs = _pairs_in_order(up[order], down[order], ends[run])
                found[run, first : first + weights.shape[1]] = pairs / (up.sum(axis=0) * down.sum(axis=0))
    return found


def _pairs_in_order(up: Floats, down: Floats, ends: NDArray[np.intp]) -> Floats:
    """Pairs of a positive and a negative of which the positive has the higher answer; those with one answer are half.

    Args:
        up: Weights of positives, shape ``(n, resamples)``, by answer.
        down: Of negatives.
        ends: Places of the last material of each answer.
    """
    below = np.cumsum(down, axis=0)[ends]
    if len(ends) < len(up):
        up = np.add.reduceat(up, np.append(0, ends[:-1] + 1), axis=0)
    below[1:] += below[:-1].copy()
    found: Floats = np.einsum("ij,ij->j", up, below) / 2
    return found


def packed(values: Floats) -> Packed | None:
    """Pack scores to two bytes each; None where one is not finite."""
    if not np.isfinite(values).all():
        return None
    low, high = float(values.min()), float(values.max())
    step = (high - low) / _STEPS
    numbers = np.zeros(len(values), "<u2") if step == 0 else np.rint((values - low) / step).astype("<u2")
    return Packed(low, step, base64.b64encode(numbers.tobytes()).decode())


def unpacked(one: Packed) -> Floats:
    """The scores again, to one part in 65,535 of their range."""
    numbers: Floats = np.frombuffer(base64.b64decode(one.data), "<u2").astype(np.float64)
    return one.low + one.step * numbers


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: as good as random, the same on every machine."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
