"""Whether two runs say the same but for noise: by the places of their answers among one another.

A copy of somebody's answers may be shifted, scaled, bent, sprinkled with noise, or changed in a few rows: the order of
the answers stays. Two models, or two seeds of one, put far more rows in another order, even where both are good.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEAR = 0.2
"""Of the distance between answers and truth: answers that lie nearer to one another have the same place. Of all pairs
of seeds in docs/results those of boosted trees come nearest, with 0.57 (`benchmarks/likeness.py`)."""
SHARE = 0.9
"""Of the rows: where so many have the same place, one run is a copy of the other."""
FEWEST = 20
"""Rows below which alike places say nothing."""
_MOST_TIED = 0.02
"""Of the answers: where more rows share one answer (a class, a round number), its place says nothing."""
_MOST_ROWS = 2048
_PROBE, _PROBE_SHARE = 64, 0.5
"""Rows that are looked at first, and the share of them that must agree for all to be looked at."""
_MOST_COPIES = 100
_TOP = 65534
_NOWHERE = 65535


class Places(NamedTuple):
    """Where the answers of a run stand among one another.

    Attributes:
        of_rows: 16-bit numbers, little endian, of some rows of the test split, the same for all runs: 0 for the lowest
            answer, 65534 for the highest, 65535 where there is none or many are alike.
        error: How far a row's place is from that of its true value: the median.
        step: How far two rows are that follow one another.
    """

    of_rows: bytes
    error: float
    step: float


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
    true, _ = _places(targets)
    error = float(np.median(np.abs(found[known] - true[known])))
    chosen = np.linspace(0, len(answers) - 1, min(len(answers), _MOST_ROWS)).astype(np.intp)
    return Places(found[chosen].astype("<u2").tobytes(), error, _TOP / (len(answers) - 1) + 1)


def alike(runs: Sequence[Places | None]) -> list[list[int]]:
    """Tell which runs on the same rows are copies of which before them.

    Args:
        runs: Any number of runs; those of another number of rows are on other data, those without places are like
            none.

    Returns:
        For each run the numbers of the earlier ones that it is a copy of, or that are copies of it; a hundred of them
        at the most.
    """
    found: list[list[int]] = [[] for _ in runs]
    by_size: dict[int, list[tuple[int, Places]]] = defaultdict(list)
    for number, run in enumerate(runs):
        if run is not None:
            by_size[len(run.of_rows)].append((number, run))
    for placed in by_size.values():
        numbers, its = [number for number, _ in placed], [run for _, run in placed]
        # Among few rows a place more or less is nothing.
        step = max(run.step for run in its)
        rows = np.frombuffer(b"".join(run.of_rows for run in its), "<u2").reshape(len(its), -1)
        errors = np.array([run.error for run in its])
        # Most runs are far apart, which a few rows tell.
        probe = rows[:, np.linspace(0, rows.shape[1] - 1, min(rows.shape[1], _PROBE)).astype(np.intp)]
        for last in range(1, len(its)):
            near = np.maximum(NEAR * np.minimum(errors[:last], errors[last]), step)
            maybe = np.flatnonzero(_agree(probe[:last], probe[last], near, _PROBE_SHARE, fewest=0))
            if len(maybe) > _MOST_COPIES:
                maybe = np.concatenate([maybe[: _MOST_COPIES // 2], maybe[-_MOST_COPIES // 2 :]])
            sure = maybe[_agree(rows[maybe], rows[last], near[maybe], SHARE, fewest=FEWEST)]
            found[numbers[last]] = [numbers[one] for one in sure]
    return found


def _agree(
    rows: NDArray[np.uint16], one: NDArray[np.uint16], near: NDArray[np.float64], share: float, *, fewest: int
) -> NDArray[np.bool_]:
    """Whether such a share of the rows that have a place in both have the same."""
    both = (rows != _NOWHERE) & (one != _NOWHERE)
    same = both & (np.abs(rows.astype(np.int32) - one.astype(np.int32)) <= near[:, None])
    n = both.sum(axis=1)
    found: NDArray[np.bool_] = (n >= fewest) & (same.sum(axis=1) >= share * n)
    return found


def _among(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(answers), float(_NOWHERE))
    there = ~np.isnan(answers)
    if there.sum() > 1:
        places, alike_rows = _places(answers[there])
        few = alike_rows <= max(_MOST_TIED * len(places), 1)
        found[there] = np.where(few, np.rint(places), _NOWHERE)
    return found


def _places(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Places of values, the mean of them where several are equal, and how many are."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2
    return ranks[which] / (len(values) - 1) * _TOP, counts[which]
