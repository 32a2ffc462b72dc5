"""Parse pieces of a CSV file into columns of raw bytes; nothing is guessed, so a formula "NaN" stays what it is."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ...errors import DataError
from ..cleaning.raw import Broken
from .base import FIELD_LIMIT, Piece


class CsvBatch(NamedTuple):
    """Columns asked for, row numbers, and rows that have another number of fields than the header."""

    table: pa.Table
    rows: NDArray[np.int64]
    broken: tuple[Broken, ...]
    another: Callable[[str], pa.Array]  # parses the same rows once more for a column that is seldom needed


def read_piece(piece: Piece, columns: Sequence[str]) -> Iterator[CsvBatch]:
    """Read the named columns of a piece, batch by batch, as binary.

    Raises:
        DataError: The bytes are no CSV.
    """
    row = piece.first_row
    with piece.path.open("rb") as handle:
        handle.seek(piece.offsets[0])
        for start, end in zip(piece.offsets, piece.offsets[1:], strict=False):
            data = handle.read(end - start)
            if len(data) != end - start:
                raise DataError(f"{piece.path}: the file became shorter while it was read")
            batch = parse_csv(data, piece.columns, columns, row, str(piece.path))
            row += len(batch.rows) + len(batch.broken)
            yield batch


def parse_csv(data: bytes, header: Sequence[str], columns: Sequence[str], first_row: int, name: str) -> CsvBatch:
    """Parse whole rows of CSV text; blank lines are no rows.

    Args:
        data: Bytes of whole rows, without the header.
        header: Names of all columns.
        columns: Names of those wanted.
        first_row: Number of the first row.
        name: Name of the file, for messages.
    """
    if not _is_utf8(data):
        return _parse_slowly(data, header, columns, first_row)
    broken: list[Broken] = []

    def note(row: pa_csv.InvalidRow) -> str:
        broken.append(Broken(first_row + row.number - 1, _uneven(row.actual_columns, row.expected_columns)))
        return "skip"

    # Header names may be empty or (Unnamed: 0) useless; positions are what counts.
    positions = {column: f"{header.index(column)}" for column in columns}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            pa_csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=[str(i) for i in range(len(header))]
            ),
            pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            pa_csv.ConvertOptions(
                check_utf8=False,
                include_columns=list(positions.values()),
                column_types={position: pa.binary() for position in positions.values()},
                strings_can_be_null=False,
                null_values=[],
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{name}: rows from {first_row} on: {error}") from error
    count = table.num_rows + len(broken)
    rows = np.delete(np.arange(first_row, first_row + count), [bad.row - first_row for bad in broken])

    def another(column: str) -> pa.Array:
        return parse_csv(data, header, [column], first_row, name).table[column].combine_chunks()

    return CsvBatch(table.rename_columns(list(columns)).combine_chunks(), rows, tuple(broken), another)


def _is_utf8(data: bytes) -> bool:
    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _parse_slowly(data: bytes, header: Sequence[str], columns: Sequence[str], first_row: int) -> CsvBatch:
    """Parse text with bytes that are no UTF-8, which Arrow's parser cannot show us where a row is broken."""
    broken, rows, kept = [], [], []
    limit = csv.field_size_limit(FIELD_LIMIT)
    try:
        # Latin-1 has a character for every byte, so that the cells come back as the bytes they were.
        lines = csv.reader(io.StringIO(data.decode("latin-1"), newline=""))
        for number, cells in enumerate((cells for cells in lines if cells), start=first_row):
            if len(cells) == len(header):
                rows.append(number)
                kept.append(cells)
            else:
                broken.append(Broken(number, _uneven(len(cells), len(header))))
    finally:
        csv.field_size_limit(limit)

    def column(name: str) -> pa.Array:
        place = header.index(name)
        return pa.array([cells[place].encode("latin-1") for cells in kept], pa.binary())

    table = pa.table({name: column(name) for name in columns})
    return CsvBatch(table, np.asarray(rows, np.int64), tuple(broken), column)


def _uneven(fields: int, expected: int) -> str:
    return f"{fields} fields where the header has {expected}"
