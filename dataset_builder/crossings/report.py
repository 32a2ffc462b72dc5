"""The whole search: every source, every key, and the structures."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ...progress import Progress, advance_of, silent
from ..cleaning.keys import NO_KEY
from ..dataset_folder.layout import ID_COLUMN
from ..dataset_folder.reading import DatasetFolder, SourceFiles
from .groups import Groups, Rows, crossing_groups, group_rows, repeated_rows, shared_keys
from .keys import KeyTable, hash_rows
from .models import DuplicatesReport, Example, KeyReport, SharedKeys, SourceDuplicates, StructureReport
from .structures import Pair, choose_pairs, count_pairs, matching_pairs, read_texts

_EXAMPLES = 5
_ROWS_OF_EXAMPLE = 6


def find_duplicates(
    folder: DatasetFolder,
    *,
    sources: Sequence[str] | None = None,
    structures: bool = True,
    max_pairs: int = 1000,
    progress: Progress = silent,
) -> DuplicatesReport:
    """Find rows that are the same by id, text, reduced formula or structure, inside splits and across them.

    Args:
        folder: The dataset.
        sources: Names of the sources to look at; all of them if left out.
        structures: Compare structures of rows with the same reduced formula (slow: about 0.1 s a pair).
        max_pairs: Pairs of structures to compare in each source; the report says when there were more.
        progress: Called as the work goes on.

    Raises:
        DataError: A shard cannot be read.
        UsageError: An unknown source.
    """
    return DuplicatesReport(
        sources=tuple(_of_source(source, structures, max_pairs, progress) for source in folder.select(sources))
    )


def _of_source(source: SourceFiles, structures: bool, max_pairs: int, progress: Progress) -> SourceDuplicates:
    table = hash_rows(source, advance_of(f"{source.name}: hashing", source.total_rows, progress))
    grouped = {key: group_rows(hashes, table) for key, hashes in table.keys.items()}
    chosen = {key: crossing_groups(groups)[:_EXAMPLES] for key, groups in grouped.items()}
    shown = [
        int(row)
        for key, groups in grouped.items()
        for group in chosen[key]
        for row in _spread(groups.members(int(group)), table)
    ]
    ids = read_texts(source, ID_COLUMN, shown)
    reports = []
    for key, groups in grouped.items():
        missing = np.bincount(table.split[table.keys[key] == NO_KEY], minlength=len(table.split_names))
        reports.append(
            KeyReport(
                key=key,
                without={name: int(count) for name, count in zip(table.split_names, missing, strict=True)},
                unreadable=table.unreadable_formulas if key == "reduced_formula" else 0,
                repeated=repeated_rows(groups, table.split_names),
                shared=shared_keys(groups, table.split_names),
                examples=tuple(
                    _example(_spread(groups.members(int(group)), table), table, ids) for group in chosen[key]
                ),
            )
        )
    structure, note = None, None
    if not structures:
        note = "structures were not compared, as asked"
    elif "reduced_formula" not in grouped or "cif" not in grouped:
        note = "structures were not compared: there is no column composition or cif"
    else:
        structure = _compare(source, grouped["reduced_formula"], table, max_pairs, progress)
    return SourceDuplicates(
        source=source.name, rows=dict(source.rows), keys=tuple(reports), structure=structure, structure_note=note
    )


def _compare(
    source: SourceFiles, groups: Groups, table: KeyTable, max_pairs: int, progress: Progress
) -> StructureReport:
    pairs = choose_pairs(groups, table, max_pairs)
    texts = read_texts(source, "cif", {row for pair in pairs for row in pair})
    matching, identical, unreadable = matching_pairs(
        pairs, texts, table.keys["cif"], advance_of(f"{source.name}: comparing structures", len(pairs), progress)
    )
    examples = matching[:_EXAMPLES]
    ids = read_texts(source, ID_COLUMN, {row for pair in examples for row in pair})
    total = count_pairs(groups)
    return StructureReport(
        pairs=total,
        compared=len(pairs),
        cap=max_pairs,
        complete=len(pairs) == total,
        unreadable=unreadable,
        matching=len(matching),
        identical_text=identical,
        shared=_shared_by_structure(matching, table),
        examples=tuple(_example(np.array(pair), table, ids) for pair in examples),
    )


def _shared_by_structure(matching: list[Pair], table: KeyTable) -> tuple[SharedKeys, ...]:
    pairs: Counter[tuple[int, int]] = Counter()
    rows: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for first, second in matching:
        splits = (int(table.split[first]), int(table.split[second]))
        pairs[splits] += 1
        earlier, later = rows.setdefault(splits, (set(), set()))
        earlier.add(first)
        later.add(second)
    return tuple(
        SharedKeys(
            splits=(table.split_names[first], table.split_names[second]),
            keys=pairs[first, second],
            rows=(
                len(rows.get((first, second), ((), ()))[0]),
                len(rows.get((first, second), ((), ()))[1]),
            ),
        )
        for first, second in combinations(range(len(table.split_names)), 2)
    )


def _spread(members: Rows, table: KeyTable) -> Rows:
    """Take a few rows of a group, of every split at least one."""
    splits = table.split[members]
    firsts = np.array([int(np.flatnonzero(splits == number)[0]) for number in np.unique(splits)])
    rest = np.setdiff1d(np.arange(len(members)), firsts)[: max(0, _ROWS_OF_EXAMPLE - len(firsts))]
    return np.asarray(members[np.sort(np.concatenate([firsts, rest]))])


def _example(rows: Rows, table: KeyTable, ids: dict[int, str | None]) -> Example:
    return Example(
        splits=tuple(table.split_names[int(table.split[row])] for row in rows),
        ids=tuple(ids.get(int(row)) for row in rows),
    )
