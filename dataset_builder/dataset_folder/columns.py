"""Columns of a built dataset as numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...errors import DataError
from .reading import SourceFiles

Floats = NDArray[np.float64]


def numbers_of(source: SourceFiles, name: str, column: pa.ChunkedArray) -> Floats | None:
    """Convert a property column to float64, classes to their codes; None where it is free text.

    Raises:
        DataError: A column of classes holds text that is none of its classes.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if name not in source.classes:
            return None
        labels = pa.array(source.classes[name], type=kind)
        codes = pc.index_in(column, value_set=labels)
        if codes.null_count > column.null_count:
            odd = pc.unique(pc.filter(column, pc.and_(pc.is_null(codes), pc.is_valid(column))))[0].as_py()
            raise DataError(f"data/{source.name}: {name} holds '{odd}', not one of {', '.join(source.classes[name])}.")
        column = codes
    elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    # -1 is how ClassLabel columns write that there is no label.
    return np.where(values < 0, np.nan, values) if name in source.classes else values
