"""Tables with a column of structures: CSV, Parquet, several Parquet files in a row."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import entries
from .entries import Entry, Source, text_entry
from .errors import DescribeInputError, DescribeUsageError

COLUMNS = ("cif", "cif_structure", "structure")
"""Columns looked for where none is named."""

ID_COLUMNS = ("material_id", "id")


def _choose(path: Path, columns: list[str], wanted: str | None, usual: tuple[str, ...], option: str) -> str | None:
    if wanted is not None:
        if wanted not in columns:
            raise DescribeUsageError(f"{path} has no column {wanted!r}; it has: {', '.join(columns)}. Use {option}")
        chosen: str | None = wanted
    else:
        chosen = next((name for name in usual if name in columns), None)
    if chosen is not None and columns.count(chosen) > 1:
        raise DescribeUsageError(f"{path}: column {chosen!r} stands {columns.count(chosen)} times; rename all but one")
    return chosen


def _choose_both(path: Path, columns: list[str], column: str | None, id_column: str | None) -> tuple[str, str | None]:
    chosen = _choose(path, columns, column, COLUMNS, "--column")
    if chosen is None:
        raise DescribeUsageError(f"{path}: say with --column which holds the structures: {', '.join(columns)}")
    return chosen, _choose(path, columns, id_column, ID_COLUMNS, "--id-column")


def _cell(identifier: str, origin: str | None, value: Any) -> Entry:  # noqa: ANN401 - whatever a column holds
    """Make an entry of one cell of a table."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        value = json.dumps(value)
    if value is None or not value.strip():
        return Entry(identifier, origin, None, "the cell is empty")
    return text_entry(identifier, origin, value)


def open_csv(path: Path, column: str | None, id_column: str | None) -> Source:
    """Find the columns of a CSV file."""
    csv.field_size_limit(max(csv.field_size_limit(), 4 * entries.MAX_TEXT))

    def rows() -> Iterator[list[str]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                yield from reader
            except csv.Error as error:
                raise DescribeInputError(f"{path}: line {reader.line_num}: {error}") from error
            except UnicodeDecodeError as error:
                raise DescribeInputError(_not_utf8(path)) from error

    header = next(rows(), None)
    if not header:
        raise DescribeInputError(f"{path} is empty: the first line must name the columns")
    _refuse_other_separators(path, header)
    chosen, named = _choose_both(path, header, column, id_column)
    text_at, id_at = header.index(chosen), None if named is None else header.index(named)

    def read_all() -> Iterator[Entry]:
        lines = rows()
        next(lines, None)
        for number, row in enumerate(line for line in lines if line):
            identifier = row[id_at] if id_at is not None and id_at < len(row) and row[id_at] else str(number)
            if len(row) != len(header):
                yield Entry(identifier, None, None, f"the row has {len(row)} fields, the header {len(header)}")
            else:
                yield _cell(identifier, None, row[text_at])

    return Source("csv", read_all)


def _not_utf8(path: Path) -> str:
    """Say which line is not UTF-8, and what the file may be instead."""
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return f"{path}: UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"
        file.seek(0)
        number = next((number for number, line in enumerate(file, start=1) if not _is_utf8(line)), 1)
    return (
        f"{path}: line {number} is not UTF-8 (Latin-1 or Windows-1252?); convert the file "
        "(iconv -f WINDOWS-1252 -t UTF-8)"
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_other_separators(path: Path, header: Sequence[str]) -> None:
    """Refuse a table whose fields are not separated by commas."""
    if len(header) > 1:
        return
    counts = {name: header[0].count(sign) for sign, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"))}
    most = max(counts, key=lambda name: counts[name])
    if counts[most]:
        raise DescribeInputError(f"{path}: the fields are separated by {most}, not by commas; write it as CSV")


def open_parquet(path: Path, column: str | None, id_column: str | None) -> Source:
    """Find the columns of a Parquet file."""
    chosen, named = _choose_both(path, _parquet_columns(path), column, id_column)
    return Source("parquet", lambda: _parquet_entries(path, None, chosen, named))


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DescribeInputError(f"{path} is not a readable Parquet file: {error}") from error


def _parquet_entries(path: Path, origin: str | None, column: str, id_column: str | None) -> Iterator[Entry]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            wanted = [column] if id_column is None else [column, id_column]
            kind = file.schema_arrow.field(column).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
            if not pa.types.is_struct(kind) and not any(is_text(kind) for is_text in texts):
                raise DescribeUsageError(f"{path}: column {column!r} holds {kind}, not text. Use --column")
            for batch in file.iter_batches(batch_size=256, columns=wanted):
                values = batch.column(column).to_pylist()
                names = [None] * len(values) if id_column is None else batch.column(id_column).to_pylist()
                for name, value in zip(names, values, strict=True):
                    yield _cell(str(number if name is None else name), origin, value)
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise DescribeInputError(f"{path}: after row {number}: {error}") from error


def open_tables(
    folder: Path, tables: Sequence[Path], column: str | None = None, id_column: str | None = None
) -> Source:
    """Read several Parquet files of a folder one after the other. See `open_source`."""
    chosen = [(table, *_choose_both(table, _parquet_columns(table), column, id_column)) for table in tables]

    def read_all() -> Iterator[Entry]:
        for table, text, name in chosen:
            yield from _parquet_entries(table, table.relative_to(folder).as_posix(), text, name)

    return Source("dataset", read_all)
