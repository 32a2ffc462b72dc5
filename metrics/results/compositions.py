"""Which elements the test materials of a task hold: read from the data's own column of formulas."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...dataset_builder.crystals.formulas import element_shares
from ...dataset_builder.dataset_folder.layout import ID_COLUMN
from ...dataset_builder.dataset_folder.reading import SourceFiles
from ...dataset_builder.dataset_folder.shard_files import iter_batches
from .truth import Truth

_COLUMN = "composition"


def element_presence(truth: Truth, symbols: tuple[str, ...]) -> NDArray[np.bool_] | None:
    """Say which test materials hold which elements.

    Args:
        truth: The task's truth; its files are read.
        symbols: The elements, ``m`` of them.

    Returns:
        Shape ``(n, m)``, rows in the order of the sorted ids; None where the data has no formulas. A formula that
        cannot be read holds nothing.
    """
    if _COLUMN not in truth.files.modalities:
        return None
    ids, presence = _read(_Files(truth.files), symbols)
    places = pc.index_in(truth.ids_by_id, value_set=ids)
    found: NDArray[np.bool_] = presence[pc.fill_null(places, 0).to_numpy()]
    found[np.asarray(places.is_null())] = False
    return found


class _Files:
    """Files of a source, the same while they are unchanged."""

    def __init__(self, files: SourceFiles) -> None:
        self.files, self.state = files, files.state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Files) and self.state == other.state

    def __hash__(self) -> int:
        return hash(self.state)


@lru_cache(maxsize=2)
def _read(key: _Files, symbols: tuple[str, ...]) -> tuple[pa.Array, NDArray[np.bool_]]:
    columns = {symbol: place for place, symbol in enumerate(symbols)}
    ids, parts = [], []
    for _, batch in iter_batches(key.files.shards["test"], [ID_COLUMN, _COLUMN], batch_rows=1 << 16):
        ids.append(batch.column(0).cast(pa.string()))
        part = np.zeros((batch.num_rows, len(symbols)), dtype=bool)
        for row, formula in enumerate(batch.column(1).to_pylist()):
            for symbol in element_shares(formula) or () if formula else ():
                if symbol in columns:
                    part[row, columns[symbol]] = True
        parts.append(part)
    all_ids = pa.chunked_array(ids, pa.string()).combine_chunks()
    return all_ids, np.concatenate(parts) if parts else np.zeros((0, len(symbols)), dtype=bool)
