"""Whether two runs say the same but for noise: by the places of their answers among one another.

A copy of somebody's answers may be shifted, scaled, bent, sprinkled with noise, or changed in a few rows: the order of
the answers stays. Two models, or two seeds of one, put far more rows in another order, even where both are good.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scores import ranks

NEAR = 0.1
"""Of the distance between answers and truth: answers that lie nearer to one another have the same place. Of all pairs
of seeds in docs/results those of boosted trees come nearest, with 0.57 (`benchmarks/likeness.py`)."""
SHARE = 0.9
"""Of the rows: where so many have the same place, one run is a copy of the other."""
FEWEST = 20
"""Rows below which alike places say nothing."""
_MOST_TIED = 0.02
"""Of the answers: where more rows share one answer (a class, a round number), its place says nothing."""
_MOST_ROWS = 2048
_TOP = 65534
_NOWHERE = 65535


class Places(NamedTuple):
    """Where the answers of a run stand among one another.

    Attributes:
        of_rows: 16-bit numbers, little endian, of some rows of the test split, the same for all runs: 0 for the lowest
            answer, 65534 for the highest, 65535 where there is none or many are alike.
        error: How far a row's place is from that of its true value: the median.
    """

    of_rows: bytes
    error: float


def places_of(answers: NDArray[np.float64], targets: NDArray[np.float64]) -> Places | None:
    """Find the places of answers.

    Args:
        answers: Shape ``(n,)``, in the order of the ids; NaN where there is none.
        targets: True values, shape ``(n,)``.

    Returns:
        None where fewer than ``FEWEST`` rows have a place.
    """
    found = _among(answers)
    known = found != _NOWHERE
    if known.sum() < FEWEST:
        return None
    true = (ranks(targets) - 1) / max(len(targets) - 1, 1) * _TOP
    error = float(np.median(np.abs(found[known] - true[known])))
    chosen = np.linspace(0, len(answers) - 1, min(len(answers), _MOST_ROWS)).astype(np.intp)
    return Places(found[chosen].astype("<u2").tobytes(), error)


def alike(one: Places, others: Sequence[Places]) -> NDArray[np.bool_]:
    """Tell which of some runs on the same rows are copies of one, or it of them.

    Args:
        one: A run.
        others: Others, ``m`` of them.

    Returns:
        Shape ``(m,)``.
    """
    mine = np.frombuffer(one.of_rows, "<u2").astype(np.int32)
    theirs = np.frombuffer(b"".join(other.of_rows for other in others), "<u2").reshape(len(others), -1)
    near = NEAR * np.minimum(one.error, np.array([other.error for other in others]))
    both = (theirs != _NOWHERE) & (mine != _NOWHERE)
    same = np.abs(theirs.astype(np.int32) - mine) <= near[:, None]
    n = both.sum(axis=1)
    found: NDArray[np.bool_] = (n >= FEWEST) & ((both & same).sum(axis=1) >= SHARE * n)
    return found


def _among(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(answers), float(_NOWHERE))
    there = ~np.isnan(answers)
    given = answers[there]
    if given.size > 1:
        _, which, counts = np.unique(given, return_inverse=True, return_counts=True)
        places = np.rint((ranks(given) - 1) / (given.size - 1) * _TOP)
        few = counts[which] <= max(_MOST_TIED * given.size, 1)
        found[there] = np.where(few, places, _NOWHERE)
    return found
