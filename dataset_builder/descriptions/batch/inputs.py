"""Where structures come from: a CIF, a folder or zip of CIFs, a column of a table or of several.

A source is read twice, once to learn its size and hash and once to work, and never held whole: each reading yields
entries in the same order.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import entries
from .crystal_files import STDIN, is_crystal_file, open_file, open_files, open_folder, open_stdin, open_zip
from .entries import Entry, Source
from .errors import DescribeInputError, DescribeUsageError

COLUMNS = ("cif", "cif_structure", "structure")
"""Columns looked for where none is named."""

ID_COLUMNS = ("material_id", "id")


class Scan(NamedTuple):
    """What one reading of a source found."""

    rows: int
    weight: int
    """Length of all texts: what progress is measured in."""
    sha256: str


class Fingerprint:
    """Size and hash of the entries seen so far."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0
        self._weight = 0

    def add(self, entry: Entry) -> None:
        """Take one entry in."""
        for part in entry:
            data = b"" if part is None else part.encode("utf-8", "surrogatepass")
            self._hash.update(b"%d:" % (-1 if part is None else len(data)))
            self._hash.update(data)
        self._rows += 1
        self._weight += weight(entry)

    def result(self) -> Scan:
        """Sum up."""
        return Scan(self._rows, self._weight, self._hash.hexdigest())


def weight(entry: Entry) -> int:
    """Estimate the work in an entry: the length of its text, and a little for each row."""
    return len(entry.text or "") + 100


def open_source(path: Path, column: str | None = None, id_column: str | None = None) -> Source:
    """Find out what ``path`` is.

    Args:
        path: A ``.cif``, ``.mcif``, ``.cif.gz``, ``POSCAR``, ``.vasp`` or ``.json``, a folder or ``.zip`` of them, a
            ``.csv`` or ``.parquet``, or ``-`` for standard input.
        column: The column of a table that holds the structures; one of ``COLUMNS`` where left out.
        id_column: The column that names them; one of ``ID_COLUMNS``, or the row's number, where left out.

    Raises:
        DescribeInputError: It does not exist or holds no structures.
        DescribeUsageError: A column that is not there, or columns named for something that has none.
    """
    suffix = path.suffix.lower()
    if str(path) == STDIN:
        _no_columns(path, column, id_column)
        return open_stdin()
    if not path.exists():
        raise DescribeInputError(f"{path} does not exist")
    if path.is_dir():
        _no_columns(path, column, id_column)
        return open_folder(path)
    if suffix == ".parquet":
        return _parquet(path, column, id_column)
    if suffix == ".csv":
        return _csv(path, column, id_column)
    _no_columns(path, column, id_column)
    if suffix == ".zip":
        return open_zip(path)
    if is_crystal_file(path.name) or suffix == ".json":
        return open_file(path)
    raise DescribeInputError(
        f"{path}: give a .cif (.mcif, .cif.gz), POSCAR, .vasp, .json, .zip, .csv or .parquet file, or a folder"
    )


def open_sources(paths: Sequence[Path], column: str | None = None, id_column: str | None = None) -> Source:
    """Open several files of crystals, one after the other, or one of anything. See `open_source`."""
    if len(paths) == 1:
        return open_source(paths[0], column, id_column)
    _no_columns(paths[0], column, id_column)
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise DescribeInputError(f"{missing} does not exist")
    for path in paths:
        if path.is_dir() or not (is_crystal_file(path.name) or path.suffix.lower() == ".json"):
            raise DescribeUsageError(
                f"{path}: several inputs in one call must be files of crystals (.cif, POSCAR, ...)"
            )
    return open_files(paths)


def _no_columns(path: Path, column: str | None, id_column: str | None) -> None:
    if column or id_column:
        raise DescribeUsageError(f"{path} has no columns: leave out --column and --id-column")


# Tables


def _choose(path: Path, columns: list[str], wanted: str | None, usual: tuple[str, ...], option: str) -> str | None:
    if wanted is not None:
        if wanted not in columns:
            raise DescribeUsageError(f"{path} has no column {wanted!r}; it has: {', '.join(columns)}. Use {option}")
        return wanted
    return next((name for name in usual if name in columns), None)


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
    if len(value) > entries.MAX_TEXT:
        return Entry(identifier, origin, None, f"longer than {entries.MAX_TEXT // 2**20} MiB")
    return Entry(identifier, origin, value)


def _csv(path: Path, column: str | None, id_column: str | None) -> Source:
    csv.field_size_limit(max(csv.field_size_limit(), 4 * entries.MAX_TEXT))

    def rows() -> Iterator[list[str]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                yield from reader
            except csv.Error as error:
                raise DescribeInputError(f"{path}: line {reader.line_num}: {error}") from error
            except UnicodeDecodeError as error:
                raise DescribeInputError(
                    f"{path}: after line {reader.line_num}: not UTF-8 ({error.reason}); save it as UTF-8"
                ) from error

    header = next(rows(), None)
    if not header:
        raise DescribeInputError(f"{path} is empty: the first line must name the columns")
    chosen, named = _choose_both(path, header, column, id_column)
    text_at, id_at = header.index(chosen), None if named is None else header.index(named)

    def each() -> Iterator[Entry]:
        lines = rows()
        next(lines, None)
        for number, row in enumerate(line for line in lines if line):
            identifier = row[id_at] if id_at is not None and id_at < len(row) and row[id_at] else str(number)
            if len(row) != len(header):
                yield Entry(identifier, None, None, f"the row has {len(row)} fields, the header {len(header)}")
            else:
                yield _cell(identifier, None, row[text_at])

    return Source("csv", each)


def _parquet(path: Path, column: str | None, id_column: str | None) -> Source:
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

    def each() -> Iterator[Entry]:
        for table, text, name in chosen:
            yield from _parquet_entries(table, table.relative_to(folder).as_posix(), text, name)

    return Source("dataset", each)
