"""Test materials that are duplicates of training rows: the same id, CIF or description stands in both splits."""

import numpy as np
import pyarrow as pa

from ...dataset_builder.cleaning.keys import NO_KEY
from ...dataset_builder.crossings.keys import hash_rows
from ...dataset_builder.dataset_folder.layout import ID_COLUMN
from ...dataset_builder.dataset_folder.reading import SourceFiles
from ...dataset_builder.dataset_folder.shard_files import read_column
from ...progress import Progress, advance_of, silent

_NO_DUPLICATE = ("composition", "reduced_formula")
"""Keys that polymorphs share: an equal formula is no equal crystal."""


def seen_in_training(files: SourceFiles, progress: Progress = silent) -> pa.Array | None:
    """Ids of the test materials that training rows duplicate.

    Args:
        files: The source; all its texts are read once, from the Hub where they lie there.
        progress: Told how far the reading is.

    Returns:
        None where it is not known: there are only formulas.
    """
    if not {"train", "test"} <= files.shards.keys():
        return None
    if not any(name.startswith(("cif", "description")) for name in files.modalities):
        return None
    table = hash_rows(files, advance_of(f"{files.name}: duplicates", files.total_rows, progress))
    train, test = (table.split == table.split_names.index(name) for name in ("train", "test"))
    seen = np.zeros(int(test.sum()), dtype=bool)
    for name, keys in table.keys.items():
        if not name.startswith(_NO_DUPLICATE):
            known = np.unique(keys[train])
            seen |= np.isin(keys[test], known[known != NO_KEY])
    ids = read_column(files.shards["test"], ID_COLUMN).cast(pa.string())
    return ids.filter(pa.array(seen)).combine_chunks()
