"""Places in a column and of rows: who is first, who shares a place, who cannot be told from the best."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from .models import Cell, Entry
from .resampling import Floats

_LEVEL = 0.95


class Comparison(NamedTuple):
    """The difference of two scores over the same resamples, and its 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def real(self) -> bool:
        """Whether chance in the choice of test materials does not explain it."""
        return self.low > 0 or self.high < 0


def compare(first: float, second: float, resampled_first: Floats, resampled_second: Floats) -> Comparison:
    """Compare two scores in pairs.

    Args:
        first: A score.
        second: Another.
        resampled_first: The first over resamples, shape ``(n,)``.
        resampled_second: The second over the same.
    """
    differences = resampled_first - resampled_second
    low, high = np.quantile(differences, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Comparison(first - second, float(low), float(high))


def standing(*groups: Iterable[Cell | None]) -> tuple[float, ...] | None:
    """What rows are put in order by, the least first: how many means a row has, then how high they are on average.

    Scores of regression and of classification have no common unit, so they are groups of their own: one decides, the
    next only where those before it are equal.

    Args:
        groups: Means of a row over the tasks of a source; those that lack tasks do not count.

    Returns:
        None where there is no mean that counts: such a row is compared with nothing.
    """
    found: list[float] = []
    for cells in groups:
        ranks = [cell.rank for cell in cells if cell is not None and cell.scored]
        found += [-len(ranks), -fmean(ranks) if ranks else math.inf]
    return tuple(found) if any(found[::2]) else None


def parts_last(*groups: Iterable[Cell | None]) -> tuple[float, ...]:
    """What rows with equal standings are put in order by: means over those tasks that are there."""
    parts = [[cell.partial_rank for cell in its if cell and cell.partial_rank is not None] for its in groups]
    return tuple(-fmean(its) if its else math.inf for its in parts)


def in_places(standings: Sequence[tuple[float, ...] | None]) -> list[int | None]:
    """Places of rows in their order; equal standings share one, who has none has no place."""
    places: list[int | None] = []
    for number, one in enumerate(standings, start=1):
        same = number > 1 and one == standings[number - 2]
        places.append(None if one is None else places[-1] if same else number)
    return places


def ranked(
    entries: Sequence[Entry],
    get: Callable[[Entry], Cell | None],
    resamples: Callable[[Entry], Floats | None] = lambda entry: None,
) -> dict[str, Cell]:
    """Give the cells of one column their places.

    An AUC of hard labels gets a place but is never marked as the best: it is another quantity.

    Args:
        entries: Rows that are ranked.
        get: The cell of the column, None where a row has none.
        resamples: Scores of a cell over the shared resamples, None where there are none.

    Returns:
        The cells by row.
    """
    there = [(entry, cell) for entry in entries if (cell := get(entry)) is not None]
    there.sort(key=lambda pair: -pair[1].rank)
    with_score = (pair for pair in there if pair[1].scored)
    best = next((pair for pair in with_score if not pair[1].hard_labels), None)
    top = resamples(best[0]) if best is not None else None
    found, place, before = {}, 0, None
    for number, (entry, cell) in enumerate(there, start=1):
        if not cell.scored:
            found[entry.id] = cell
            continue
        if cell.rank != before:
            place, before = number, cell.rank
        first = best is not None and not cell.hard_labels and cell.rank == best[1].rank
        tied = False
        if best is not None and not first and not cell.hard_labels and top is not None and best[1].value is not None:
            own = resamples(entry)
            if own is not None and cell.value is not None:
                tied = not compare(best[1].value, cell.value, top, own).real
        found[entry.id] = cell.model_copy(update={"place": place, "best": first, "tied": tied})
    return found
