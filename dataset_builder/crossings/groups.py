"""Count what rows share, from their hashes."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cleaning.keys import NO_KEY, Keys
from .keys import KeyTable
from .models import SharedKeys

Rows = NDArray[np.int64]


class Groups(NamedTuple):
    """Rows with a key that another row has too, sorted by key; ``starts`` are the bounds of the groups."""

    rows: Rows
    starts: Rows
    counts: NDArray[np.int64]
    """(groups, splits): rows of each group in each split."""

    def members(self, group: int) -> Rows:
        """Row numbers of one group, in order."""
        return self.rows[self.starts[group] : self.starts[group + 1]]


def group_rows(hashes: Keys, table: KeyTable) -> Groups:
    """Group rows by equal hashes; rows without a key and rows alone with theirs are left out."""
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    in_group = np.zeros(len(ordered), dtype=bool)
    in_group[1:] |= same
    in_group[:-1] |= same
    in_group &= ordered != NO_KEY
    rows, ordered = order[in_group], ordered[in_group]
    bounds = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.array([])
    starts = np.append(bounds, len(ordered)).astype(np.int64)
    counts = np.zeros((max(0, len(starts) - 1), len(table.split_names)), dtype=np.int64)
    group = np.repeat(np.arange(len(counts)), np.diff(starts))
    np.add.at(counts, (group, table.split[rows]), 1)
    return Groups(rows, starts, counts)


def repeated_rows(groups: Groups, names: tuple[str, ...]) -> dict[str, int]:
    """Count, for each split, the rows beyond the first of their group in that split."""
    extra = np.maximum(groups.counts - 1, 0).sum(axis=0)
    return {name: int(count) for name, count in zip(names, extra, strict=True)}


def shared_keys(groups: Groups, names: tuple[str, ...]) -> tuple[SharedKeys, ...]:
    """Count, for each pair of splits, the groups with rows in both, and these rows."""
    result = []
    for first, second in combinations(range(len(names)), 2):
        both = (groups.counts[:, first] > 0) & (groups.counts[:, second] > 0)
        rows = groups.counts[both][:, [first, second]].sum(axis=0)
        result.append(
            SharedKeys(splits=(names[first], names[second]), keys=int(both.sum()), rows=(int(rows[0]), int(rows[1])))
        )
    return tuple(result)


def crossing_groups(groups: Groups) -> Rows:
    """Numbers of the groups that have rows in two splits or more, by their first row."""
    crossing = np.flatnonzero((groups.counts > 0).sum(axis=1) > 1)
    return crossing[np.argsort(groups.rows[groups.starts[crossing]], kind="stable")]
