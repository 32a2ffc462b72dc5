"""Compare the structures of rows that share a reduced formula across splits."""

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, islice

import numpy as np

from ...progress import Advance, silent
from ..cleaning.keys import NO_KEY, Keys
from ..dataset_folder.reading import SourceFiles
from ..dataset_folder.shard_files import iter_batches
from .groups import Groups, Rows, crossing_groups
from .keys import KeyTable
from .matching import StructureComparer

Pair = tuple[int, int]
_PAIRS_PER_GROUP = 50


def count_pairs(groups: Groups) -> int:
    """Count the pairs of rows of two splits in one group, over all groups."""
    total = groups.counts.sum(axis=1)
    return int(((total**2 - (groups.counts**2).sum(axis=1)) // 2).sum())


def choose_pairs(groups: Groups, table: KeyTable, cap: int) -> list[Pair]:
    """Choose pairs of rows of two splits that share a group, the row of the earlier split first.

    All of them where the cap allows it. Otherwise first a few of each group, the groups in the order of their hashes,
    and then the rest: one formula with thousands of rows does not use up the whole cap, and the choice depends on the
    data alone.
    """
    order = np.flatnonzero((groups.counts > 0).sum(axis=1) > 1)
    if count_pairs(groups) <= cap:
        order = crossing_groups(groups)
        return [pair for group in order for pair in _pairs_of(groups.members(int(group)), table)]
    few = (islice(_pairs_of(groups.members(int(group)), table), _PAIRS_PER_GROUP) for group in order)
    rest = (islice(_pairs_of(groups.members(int(group)), table), _PAIRS_PER_GROUP, None) for group in order)
    return list(islice(chain.from_iterable(chain(few, rest)), cap))


def read_texts(source: SourceFiles, column: str, rows: Iterable[int]) -> dict[int, str | None]:
    """Read the cells of some rows, numbered over all splits."""
    wanted = np.unique(np.fromiter(rows, dtype=np.int64))
    texts: dict[int, str | None] = {}
    offset = 0
    for split, paths in source.shards.items():
        if np.searchsorted(wanted, offset) < np.searchsorted(wanted, offset + source.rows[split]):
            for start, batch in iter_batches(paths, [column], batch_rows=2048):
                first = offset + start
                low, high = np.searchsorted(wanted, [first, first + batch.num_rows])
                for row in wanted[low:high]:
                    value = batch.column(0)[int(row) - first].as_py()
                    texts[int(row)] = None if value is None else str(value)
        offset += source.rows[split]
    return texts


def matching_pairs(
    pairs: list[Pair],
    texts: dict[int, str | None],
    hashes: Keys,
    advance: Advance = silent,
) -> tuple[list[Pair], int, int]:
    """Compare the pairs.

    Returns:
        The pairs that match, how many of them have the same CIF text, and how many CIFs could not be read.
    """
    comparer = StructureComparer()
    matching: list[Pair] = []
    identical = 0
    for first, second in pairs:
        if hashes[first] == hashes[second] != NO_KEY:
            identical += 1
            matching.append((first, second))
        elif comparer.same(texts.get(first), texts.get(second)):
            matching.append((first, second))
        advance(1)
    rows = {row for pair in pairs for row in pair}
    unreadable = sum(1 for row in rows if not (text := texts.get(row)) or comparer.failed(text))
    return matching, identical, unreadable


def _pairs_of(members: Rows, table: KeyTable) -> Iterator[Pair]:
    by_split = [members[table.split[members] == number].tolist() for number in range(len(table.split_names))]
    for earlier, later in combinations(by_split, 2):
        for second in later:
            for first in earlier:
                yield first, second
