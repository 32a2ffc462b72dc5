"""Raw rows as readers give them to the cleaning: every cell as bytes."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..catalogue import Source

TEXTS = ("material_id", "composition", "cif", "description")


class Broken(NamedTuple):
    """A row that cannot be read."""

    row: int
    why: str


@dataclass(frozen=True)
class RawBatch:
    """Raw cells: every column binary, null where the source has nothing to give.

    Attributes:
        table: Columns ``TEXTS`` and then the properties under their dataset names.
        rows: Row numbers in the file, counted from 1.
        broken: Rows that are not in the table.
        repaired: Rule of the cleaning policy: mask of rows the reader itself repaired.
        marked: Rule of the cleaning policy: mask of rows with a fault that only the reader can see.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    broken: tuple[Broken, ...] = ()
    repaired: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    marked: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


def raw_table(source: Source, columns: dict[str, pa.Array], length: int) -> pa.Table:
    """Assemble a raw table; columns that are not given are null throughout."""
    names = [*TEXTS, *(prop.name for prop in source.properties)]
    return pa.table(
        [columns.get(name, pa.nulls(length, pa.binary())) for name in names],
        schema=pa.schema([pa.field(name, pa.binary()) for name in names]),
    )
