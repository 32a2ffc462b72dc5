"""Hash every row once: eight bytes for each row and key, whatever the length of the texts."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from ...progress import Advance, silent
from ..crystals.formulas import composition_facts
from ..dataset_folder.layout import ID_COLUMN
from ..dataset_folder.reading import SourceFiles
from ..dataset_folder.shard_files import iter_batches

Hashes = NDArray[np.uint64]
NO_KEY = np.uint64(0)


class KeyTable(NamedTuple):
    """Hashes by key, (rows,) each, 0 where a row has none; ``split`` gives the number of the row's split."""

    keys: dict[str, Hashes]
    split: NDArray[np.int8]
    split_names: tuple[str, ...]
    unreadable_formulas: int


def hash_rows(source: SourceFiles, advance: Advance = silent) -> KeyTable:
    """Stream a source once and hash ids, texts and reduced formulas.

    Args:
        source: The source.
        advance: Called with the number of rows done.

    Raises:
        DataError: A shard cannot be read.
    """
    columns = [ID_COLUMN, *source.modalities]
    names = ["id", *source.modalities]
    keys = {name: np.zeros(source.total_rows, dtype=np.uint64) for name in names}
    if "composition" in keys:
        keys["reduced_formula"] = np.zeros(source.total_rows, dtype=np.uint64)
    split = np.zeros(source.total_rows, dtype=np.int8)
    unreadable = 0
    offset = 0
    for number, (name, paths) in enumerate(source.shards.items()):
        split[offset : offset + source.rows[name]] = number
        for start, batch in iter_batches(paths, columns, batch_rows=2048):
            here = slice(offset + start, offset + start + batch.num_rows)
            for key, column in zip(names, batch.columns, strict=True):
                keys[key][here] = _hash_texts(column)
            if "composition" in source.modalities:
                formulas, odd = _reduced(batch.column(columns.index("composition")))
                keys["reduced_formula"][here] = _hash_texts(formulas)
                unreadable += odd
            advance(batch.num_rows)
        offset += source.rows[name]
    return KeyTable(keys, split, tuple(source.shards), unreadable)


def _hash_texts(column: pa.Array) -> Hashes:
    """Hash the bytes of each text in place, without making a Python string of it."""
    if not pa.types.is_large_binary(column.type):
        column = column.cast(pa.large_string()).cast(pa.large_binary())
    hashes = np.zeros(len(column), dtype=np.uint64)
    _, offsets_buffer, data_buffer = column.buffers()
    if len(column) == 0 or data_buffer is None:
        return hashes
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    data = memoryview(data_buffer)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    for index in np.flatnonzero(valid & (np.diff(offsets) > 0)):
        # 0 is kept for rows without a text.
        hashes[index] = xxhash.xxh3_64_intdigest(data[offsets[index] : offsets[index + 1]]) or 1
    return hashes


def _reduced(column: pa.Array) -> tuple[pa.Array, int]:
    unreadable = 0
    formulas: list[str | None] = []
    for formula in column.to_pylist():
        facts = composition_facts(formula) if formula else None
        unreadable += bool(formula) and facts is None
        formulas.append(formula if facts is None else facts.reduced)
    return pa.array(formulas, type=pa.string()), unreadable
