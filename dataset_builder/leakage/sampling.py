"""Draw the rows that the search looks at, and turn their texts into tables of numbers.

Rows are drawn by a hash of their id, so that neither the order of rows nor the cut into shards matters. Each target
gets its own rows, because some targets are labelled in one row of a hundred. Texts are streamed and not kept.
"""

from array import array
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from ...progress import Advance, silent
from ..dataset_folder.columns import numbers_of
from ..dataset_folder.layout import ID_COLUMN
from ..dataset_folder.reading import SourceFiles
from ..dataset_folder.shard_files import iter_batches, read_column
from .features import text_features

Floats = NDArray[np.float64]


class Target(NamedTuple):
    """One property over the sampled rows: values (class codes for classes), NaN where there is no label."""

    name: str
    kind: str
    values: Floats


class FeatureTable(NamedTuple):
    """Numbers of the texts of one modality.

    ``values`` and ``half_units`` have one row for each sampled row and one column for each name; NaN where the text
    does not have that number. ``words`` are presence flags, ``word_names`` their names. ``hits`` and ``chance_hits``
    say for each target whether the row's text holds its value as printed, and whether it holds the value of another
    row; NaN where there is no label.
    """

    names: list[str]
    values: Floats
    half_units: Floats
    word_names: list[str]
    words: NDArray[np.bool_]
    hits: dict[str, Floats]
    chance_hits: dict[str, Floats]


def read_targets(source: SourceFiles) -> dict[str, Floats]:
    """Read every property as numbers, over all splits in order; infinities and missing values become NaN.

    Raises:
        DataError: A column of classes holds text that is none of its classes.
    """
    paths = [path for paths in source.shards.values() for path in paths]
    targets = {}
    for name in source.properties:
        values = numbers_of(source, name, read_column(paths, name))
        if values is not None:
            targets[name] = np.where(np.isfinite(values), values, np.nan)
    return targets


def draw_rows(source: SourceFiles, targets: dict[str, Floats], rows: int, seed: int) -> NDArray[np.int64]:
    """Draw, for each target, ``rows`` labelled rows; return their numbers in order of their keys.

    The first rows of a target in this order are its own sample.
    """
    keys = row_keys(source, seed)
    # A material that is in the data twice counts once, or it could be fitted and judged on.
    order = np.unique(keys, return_index=True)[1]
    wanted = np.zeros(len(keys), dtype=bool)
    for values in targets.values():
        labelled = order[np.isfinite(values[order])]
        wanted[labelled[:rows]] = True
    return order[wanted[order]].astype(np.int64)


def row_keys(source: SourceFiles, seed: int) -> NDArray[np.uint64]:
    """Hash every id: one uint64 for each row, over all splits in order."""
    keys = np.empty(source.total_rows, dtype=np.uint64)
    at = 0
    for paths in source.shards.values():
        for _, batch in iter_batches(paths, [ID_COLUMN], batch_rows=1 << 16):
            for identifier in batch.column(0).to_pylist():
                keys[at] = xxhash.xxh3_64_intdigest(str(identifier).encode(), seed=seed)
                at += 1
    return keys


def read_features(
    source: SourceFiles,
    modality: str,
    rows: NDArray[np.int64],
    targets: list[Target],
    advance: Advance = silent,
) -> FeatureTable:
    """Stream a modality's texts and take the numbers of the drawn rows.

    Args:
        source: The source to read.
        modality: A text column.
        rows: Numbers of the drawn rows over all splits, in the order wanted.
        targets: The targets over these rows, to look for their values among the numerals of the text.
        advance: Called with the number of rows streamed.
    """
    place = {int(row): index for index, row in enumerate(rows)}
    sorted_rows = np.sort(rows)
    # Flat arrays of (row, value, half unit): a table of objects would take ten times the memory.
    numbers: dict[str, array[float]] = {}
    words: dict[str, array[int]] = {}
    hits = {target.name: np.full(len(rows), np.nan) for target in targets}
    chance_hits = {target.name: np.full(len(rows), np.nan) for target in targets}
    others = {target.name: _other_rows(target.values) for target in targets}
    offset = 0
    for split, paths in source.shards.items():
        for start, batch in iter_batches(paths, [modality], batch_rows=1024):
            first = offset + start
            low, high = np.searchsorted(sorted_rows, [first, first + batch.num_rows])
            for row in sorted_rows[low:high]:
                text = batch.column(0)[int(row) - first].as_py()
                if not text:
                    continue
                index = place[int(row)]
                taken = text_features(modality, text)
                for name, number in taken.numbers.items():
                    numbers.setdefault(name, array("d")).extend((index, number.value, number.half_unit))
                for word in taken.words:
                    words.setdefault(word, array("q")).append(index)
                shown = np.array([one.value for one in taken.numerals])
                reach = np.array([one.half_unit * (1 + 1e-9) for one in taken.numerals])
                for target in targets:
                    if np.isfinite(target.values[index]):
                        hits[target.name][index] = _shown(target.values[index], shown, reach)
                        chance_hits[target.name][index] = _shown(others[target.name][index], shown, reach)
            advance(batch.num_rows)
        offset += source.rows[split]
    return _table(len(rows), numbers, words, hits, chance_hits)


def _shown(value: float, shown: Floats, reach: Floats) -> float:
    return float(bool(np.any(np.abs(shown - value) <= reach)))


def _other_rows(values: Floats) -> Floats:
    """Give every labelled row the value of another labelled row, for the control."""
    labelled = np.flatnonzero(np.isfinite(values))
    other = np.full_like(values, np.nan)
    other[labelled] = values[np.roll(labelled, max(1, len(labelled) // 2))]
    return other


def _table(
    count: int,
    numbers: dict[str, "array[float]"],
    words: dict[str, "array[int]"],
    hits: dict[str, Floats],
    chance_hits: dict[str, Floats],
) -> FeatureTable:
    # What stands in less than one text of twenty cannot give a target away in nearly all rows.
    names = [name for name, cells in numbers.items() if len(cells) >= 3 * max(3, count // 20)]
    names.sort(key=lambda name: (-len(numbers[name]), name))
    values = np.full((count, len(names)), np.nan)
    half_units = np.zeros((count, len(names)))
    for column, name in enumerate(names):
        cells = np.frombuffer(numbers[name], dtype=np.float64).reshape(-1, 3)
        index = cells[:, 0].astype(np.int64)
        values[index, column], half_units[index, column] = cells[:, 1], cells[:, 2]
    word_names = sorted(word for word, found in words.items() if max(3, count // 50) <= len(found) < count)
    flags = np.zeros((count, len(word_names)), dtype=bool)
    for column, word in enumerate(word_names):
        flags[np.frombuffer(words[word], dtype=np.int64), column] = True
    return FeatureTable(names, values, half_units, word_names, flags, hits, chance_hits)
