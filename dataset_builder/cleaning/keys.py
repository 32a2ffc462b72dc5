"""64-bit hashes of texts and formulas, by which rows are compared: 0 where there is nothing to compare.

They find repeats and guard against nobody; two texts of a million collide with probability 3e-8.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from ..crystals.formulas import reduced_formula

Keys = NDArray[np.uint64]
NO_KEY = np.uint64(0)


def hash_texts(values: pa.Array) -> Keys:
    """Hash (XXH3) each text of a column in place, without making a Python string of it.

    A null and an empty text have no key: neither says that two rows are the same.
    """
    if pa.types.is_dictionary(values.type) or pa.types.is_string_view(values.type) or pa.types.is_null(values.type):
        values = values.cast(pa.large_string())
    found = np.zeros(len(values), np.uint64)
    _, offsets_buffer, data = values.buffers()
    if not len(values) or data is None:
        return found
    width = np.int64 if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type) else np.int32
    offsets = np.frombuffer(offsets_buffer, width)[values.offset : values.offset + len(values) + 1]
    valid = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    view, bounds = memoryview(data), offsets.tolist()
    for index in np.flatnonzero(valid & (np.diff(offsets) > 0)).tolist():
        found[index] = xxh3_64_intdigest(view[bounds[index] : bounds[index + 1]]) or 1
    return found


def hash_formulas(formulas: pa.Array) -> tuple[Keys, int]:
    """Hash each formula reduced, so that ``Na2Cl2`` and ``ClNa`` have one key.

    Returns:
        The keys, and the number of formulas that cannot be read; those are compared as they are written.
    """
    unreadable = 0
    reduced: list[str | None] = []
    for formula in formulas.to_pylist():
        same = reduced_formula(formula) if formula else None
        unreadable += bool(formula) and same is None
        reduced.append(formula if same is None else same)
    return hash_texts(pa.array(reduced, pa.string())), unreadable
