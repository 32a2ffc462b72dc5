"""Where structures come from: a CIF, a folder or zip of CIFs, a column of a table or of several.

A source is read twice, once to learn its size and hash and once to work, and never held whole: each reading yields
entries in the same order.
"""

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .errors import DescribeInputError, DescribeUsageError

MAX_TEXT = 64 * 2**20
"""Bytes. A longer text is reported and not read: a CIF of a million atoms is shorter."""

MAX_ZIP_RATIO = 200
"""CIFs shrink to a tenth; what unpacks to more than this (and to more than ``MAX_TEXT``) is made to fill a disk."""

COLUMNS = ("cif", "cif_structure", "structure")
"""Columns looked for where none is named."""

ID_COLUMNS = ("material_id", "id")


class Entry(NamedTuple):
    """One row to be: a name, where it came from, and a text or the reason why there is none."""

    id: str
    origin: str | None
    text: str | None
    problem: str | None = None


@dataclass(frozen=True)
class Source:
    """Something that yields entries, the same ones each time."""

    kind: str
    entries: Callable[[], Iterator[Entry]]
    ignored: int = 0
    """Files beside the CIFs."""


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
        path: A ``.cif``, a folder, a ``.zip``, ``.csv`` or ``.parquet``.
        column: The column of a table that holds the structures; one of ``COLUMNS`` where left out.
        id_column: The column that names them; one of ``ID_COLUMNS``, or the row's number, where left out.

    Raises:
        DescribeInputError: It does not exist or holds no structures.
        DescribeUsageError: A column that is not there, or columns named for something that has none.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        raise DescribeInputError(f"{path} does not exist")
    if path.is_dir():
        _no_columns(path, column, id_column)
        return _folder(path)
    if suffix == ".parquet":
        return _parquet(path, column, id_column)
    if suffix == ".csv":
        return _csv(path, column, id_column)
    _no_columns(path, column, id_column)
    if suffix == ".zip":
        return _zip(path)
    if suffix in (".cif", ".json"):
        return Source("file", lambda: iter([_file_entry(path, path.name)]))
    raise DescribeInputError(f"{path}: give a .cif, .zip, .csv or .parquet file, or a folder")


def _no_columns(path: Path, column: str | None, id_column: str | None) -> None:
    if column or id_column:
        raise DescribeUsageError(f"{path} has no columns: leave out --column and --id-column")


# Files, folders, zips


def _file_entry(path: Path, name: str) -> Entry:
    """Read one file; what can't be read is a row with a reason."""
    identifier = str(PurePosixPath(name).with_suffix(""))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
    except OSError as error:
        return Entry(identifier, name, None, f"cannot be read: {error.strerror}")
    return _bytes_entry(identifier, name, data)


def _bytes_entry(identifier: str, name: str, data: bytes) -> Entry:
    if len(data) > MAX_TEXT:
        return Entry(identifier, name, None, f"longer than {MAX_TEXT // 2**20} MiB")
    return Entry(identifier, name, data.decode("utf-8", "replace"))


def _printable(name: str) -> str:
    """Write a file name that is not UTF-8 with replacement characters: tables hold only UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _folder(folder: Path) -> Source:
    names: list[str] = []
    ignored = 0
    for where, folders, files in os.walk(folder):  # does not follow linked folders, which could go round in circles
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(where).relative_to(folder)
        for name in files:
            if name.lower().endswith(".cif") and not name.startswith("."):
                names.append((here / name).as_posix())
            else:
                ignored += 1
    if not names:
        raise DescribeInputError(f"{folder} holds no .cif files and no data/SOURCE/SPLIT-*.parquet")
    names.sort()

    def entries() -> Iterator[Entry]:
        for name in names:
            entry = _file_entry(folder / name, _printable(name))
            yield entry

    return Source("folder", entries, ignored)


def _zip(path: Path) -> Source:
    with _open_zip(path) as archive:
        members = sorted(
            (info for info in archive.infolist() if not info.is_dir() and info.filename.lower().endswith(".cif")),
            key=lambda info: info.filename,
        )
        ignored = sum(not info.is_dir() for info in archive.infolist()) - len(members)
    if not members:
        raise DescribeInputError(f"{path} holds no .cif files")
    for info in members:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise DescribeInputError(f"{path}: member {info.filename!r} points outside the archive; remove it")
        if info.flag_bits & 1:
            raise DescribeInputError(f"{path}: member {info.filename!r} is encrypted; unpack it first")
    unpacked = sum(info.file_size for info in members)
    if unpacked > MAX_TEXT and unpacked > MAX_ZIP_RATIO * path.stat().st_size:
        raise DescribeInputError(
            f"{path} unpacks to {unpacked / 2**20:,.0f} MiB, over {MAX_ZIP_RATIO} times its size: "
            "if you trust it, unpack it and give the folder"
        )

    def entries() -> Iterator[Entry]:
        with _open_zip(path) as archive:
            for info in members:
                name = _printable(info.filename)
                identifier = str(PurePosixPath(name).with_suffix(""))
                try:
                    with archive.open(info) as member:
                        data = member.read(MAX_TEXT + 1)
                except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
                    yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
                except Exception as error:  # zlib.error, lzma.LZMAError: a damaged member is one bad row
                    yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
                else:
                    yield _bytes_entry(identifier, name, data)

    return Source("zip", entries, ignored)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DescribeInputError(f"{path} is not a readable zip file: {error}") from error


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
    if len(value) > MAX_TEXT:
        return Entry(identifier, origin, None, f"longer than {MAX_TEXT // 2**20} MiB")
    return Entry(identifier, origin, value)


def _csv(path: Path, column: str | None, id_column: str | None) -> Source:
    csv.field_size_limit(max(csv.field_size_limit(), 4 * MAX_TEXT))

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

    def entries() -> Iterator[Entry]:
        lines = rows()
        next(lines, None)
        for number, row in enumerate(line for line in lines if line):
            identifier = row[id_at] if id_at is not None and id_at < len(row) and row[id_at] else str(number)
            if len(row) != len(header):
                yield Entry(identifier, None, None, f"the row has {len(row)} fields, the header {len(header)}")
            else:
                yield _cell(identifier, None, row[text_at])

    return Source("csv", entries)


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

    def entries() -> Iterator[Entry]:
        for table, text, name in chosen:
            yield from _parquet_entries(table, table.relative_to(folder).as_posix(), text, name)

    return Source("dataset", entries)
