"""Hash every row once: eight bytes for each row and key, whatever the length of the texts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...progress import Advance, silent
from ..cleaning.keys import Keys, hash_formulas, hash_texts
from ..dataset_folder.layout import ID_COLUMN
from ..dataset_folder.reading import SourceFiles
from ..dataset_folder.shard_files import iter_batches


class KeyTable(NamedTuple):
    """Hashes by key, (rows,) each, 0 where a row has none; ``split`` gives the number of the row's split."""

    keys: dict[str, Keys]
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
                keys[key][here] = hash_texts(column)
            if "composition" in source.modalities:
                keys["reduced_formula"][here], odd = hash_formulas(batch.column(columns.index("composition")))
                unreadable += odd
            advance(batch.num_rows)
        offset += source.rows[name]
    return KeyTable(keys, split, tuple(source.shards), unreadable)
