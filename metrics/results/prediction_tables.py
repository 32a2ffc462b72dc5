"""The forms in which predictions come: Parquet, CSV and its kin, JSON lines, packed or not. Nothing is guessed.

A cell of a text form stays text: an id ``007``, ``1e5`` or ``true`` is that id, and what a number is, is decided by
:mod:`.predictions`.
"""

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ...errors import DataError

ACCEPTED = ".parquet (a file, or a folder of them), .csv, .tsv, .jsonl, also as .gz or .zip"
_SEPARATED = {".csv", ".tsv", ".tab", ".txt"}
_LINES = {".jsonl", ".ndjson"}
_PARQUET = {".parquet", ".pq"}
_SEPARATORS = (",", ";", "\t", "|")
_LARGEST = 16 << 30  # bytes of text when unpacked; two million predictions are 0.1 GB
_LONGEST_CELL, _LARGEST_OVERHEAD = 1000, 64 << 20
"""Bytes of a cell, and of a column beside its cells."""
_FIELD_LIMIT = 1 << 30
_HEADER_LIMIT = 1 << 20
_LINE_END = re.compile(r"\r\n?|\n")  # str.splitlines would cut at U+2028 and others, which JSON strings may hold


class PredictionTable(NamedTuple):
    """Columns of a predictions file.

    Attributes:
        table: Columns that were asked for and are there.
        names: Names of all columns.
        is_text: Whether every cell is text (null where there is none), as in a CSV.
        decimal_comma: Whether the separator leaves a comma free to stand for the decimal point.
    """

    table: pa.Table
    names: tuple[str, ...]
    is_text: bool
    decimal_comma: bool = False


def read_table(path: Path, wanted: frozenset[str]) -> PredictionTable:
    """Read some columns of a file of predictions.

    Args:
        path: The file, or a folder of Parquet files.
        wanted: Names of the columns to read; others are not looked at.

    Raises:
        DataError: There is no such file, it is of another form, damaged, or a column stands twice; the message names
            the row where one is at fault (counted from 1, without the header).
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _is_parquet(file))
        if not files:
            raise DataError(f"{path}: a folder without Parquet files. Accepted: {ACCEPTED}")
        return _read_parquet(files, path, wanted)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        with path.open("rb") as handle:
            magic = handle.read(4)
        if magic == b"PAR1" or suffixes[-1:] in ([one] for one in _PARQUET):
            return _read_parquet([path], path, wanted)
        data, form = _unpack(path, suffixes, magic)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a predictions file: {error.strerror or error}") from error
    if form in _SEPARATED:
        return _read_separated(path, _as_text(path, data), wanted)
    if form in _LINES:
        return _read_lines(path, _as_text(path, data), wanted)
    raise DataError(
        f"{path}: cannot be read as a predictions file: its name ends in no known form. Accepted: {ACCEPTED}"
    )


def _is_parquet(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in _PARQUET and not file.name.startswith((".", "_"))


def _read_parquet(files: Sequence[Path], path: Path, wanted: frozenset[str]) -> PredictionTable:
    tables = []
    names: list[str] = []
    for file in files:
        try:
            footer = pq.read_metadata(file)
            schema = footer.schema.to_arrow_schema()
            names = schema.names
            _refuse_twice(file, names, wanted)
            # Whatever else a model kept (its raw answers, say) is not read.
            read = [name for name in names if name in wanted]
            _refuse_bulk(file, footer, read)
            # Each text once, however many rows have it: a few bytes can stand for any number of long ones.
            texts = [name for name in read if _is_text(schema.field(name).type)]
            with pq.ParquetFile(file, metadata=footer, read_dictionary=texts) as opened:  # a third of `read_table`
                found = opened.read(columns=read)
            _refuse_long(file, found)
            tables.append(found)
        except (pa.ArrowException, OSError, EOFError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise DataError(f"{file}: cannot be read as a predictions file: {first_line}") from error
    try:
        return PredictionTable(pa.concat_tables(tables, promote_options="permissive"), tuple(names), is_text=False)
    except pa.ArrowException as error:
        first_line = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: its files do not go together: {first_line}") from error


def _is_text(kind: pa.DataType) -> bool:
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in known)


def _refuse_bulk(file: Path, footer: pq.FileMetaData, names: Sequence[str]) -> None:
    """Refuse columns that the footer says to be far larger than ids and numbers are."""
    for group in range(footer.num_row_groups):
        rows = footer.row_group(group)
        for place in range(rows.num_columns):
            column = rows.column(place)
            if column.path_in_schema.split(".")[0] in names:
                size = column.total_uncompressed_size
                if size > _LARGEST_OVERHEAD + _LONGEST_CELL * rows.num_rows:
                    raise DataError(
                        f"{file}: column '{column.path_in_schema}' holds {size:,} bytes in {rows.num_rows:,} rows, "
                        "which are no ids or numbers; refused"
                    )


def _refuse_long(file: Path, table: pa.Table) -> None:
    """Refuse texts that no id or number is as long as, before they stand once a row."""
    for name in table.column_names:
        for chunk in table[name].chunks:
            if isinstance(chunk, pa.DictionaryArray) and _is_text(chunk.type.value_type):
                longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
                if longest > _LONGEST_CELL:
                    raise DataError(
                        f"{file}: column '{name}' holds a text of {longest:,} bytes, which is no id or number; at most "
                        f"{_LONGEST_CELL:,} are read"
                    )


def _unpack(path: Path, suffixes: Sequence[str], magic: bytes) -> tuple[bytes, str]:
    """Return the bytes of the text and the ending that says its form."""
    form = suffixes[-1] if suffixes else ""
    if magic[:2] == b"\x1f\x8b":
        form = suffixes[-2] if form == ".gz" and len(suffixes) > 1 else form
        try:
            with gzip.open(path) as packed:
                return _bounded(path, packed), form
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: the gzip data is cut short or damaged; write it again") from error
    if form == ".gz":
        raise DataError(f"{path}: no gzip data, in spite of its name")
    if magic == b"PK\x03\x04" or form == ".zip":
        if form == ".xlsx":
            raise DataError(f"{path}: a spreadsheet; save it as CSV. Accepted: {ACCEPTED}")
        try:
            with zipfile.ZipFile(path) as archive:
                members = [
                    one
                    for one in archive.infolist()
                    if not one.is_dir() and not one.filename.startswith("__MACOSX/") and "/." not in f"/{one.filename}"
                ]
                if len(members) != 1:
                    raise DataError(f"{path}: {len(members)} files in it, one is expected")
                with archive.open(members[0]) as packed:
                    return _bounded(path, packed), PurePosixPath(members[0].filename).suffix.lower()
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path}: the zip archive cannot be read; write it again ({error})") from error
    return path.read_bytes(), form


def _bounded(path: Path, packed: Any) -> bytes:  # noqa: ANN401 - a binary stream of gzip or zipfile
    data: bytes = packed.read(_LARGEST)
    if len(data) == _LARGEST:
        raise DataError(f"{path}: more than {_LARGEST >> 30} GiB when unpacked; refused")
    return data


def _as_text(path: Path, data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line} is no UTF-8 text; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)"
        ) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(f"{path}: line {line} holds a NUL character: binary data, or UTF-16 without its mark")
    return text


def _read_separated(path: Path, text: str, wanted: frozenset[str]) -> PredictionTable:
    first = next((line for line in _LINE_END.split(text[:_HEADER_LIMIT]) if line.strip()), "")
    if not first:
        raise DataError(f"{path}: no rows")
    separator = max(_SEPARATORS, key=lambda one: (first.count(one), -_SEPARATORS.index(one)))
    names = next(csv.reader([first], delimiter=separator), [])
    found = None
    if '"' not in text:  # nothing to get wrong, so the quick parser does it
        _refuse_twice(path, names, wanted)
        found = _parse_quickly(text, names, separator, wanted)
    if found is None:
        names, found = _parse_strictly(path, text, separator, wanted)
    return PredictionTable(found, tuple(names), is_text=True, decimal_comma=separator != ",")


def _parse_quickly(text: str, names: Sequence[str], separator: str, wanted: frozenset[str]) -> pa.Table | None:
    """Parse text without quotation marks; None where its rows are uneven, which the strict parser tells better."""
    places = {name: str(place) for place, name in enumerate(names) if name in wanted}
    if not places:
        return None
    try:
        table = pacsv.read_csv(
            pa.BufferReader(text.encode()),
            pacsv.ReadOptions(column_names=[str(place) for place in range(len(names))]),
            pacsv.ParseOptions(delimiter=separator, quote_char=False),
            pacsv.ConvertOptions(
                include_columns=list(places.values()),
                column_types={place: pa.string() for place in places.values()},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table.slice(1).rename_columns(list(places))  # the first row is the header


def _parse_strictly(path: Path, text: str, separator: str, wanted: frozenset[str]) -> tuple[list[str], pa.Table]:
    limit = csv.field_size_limit(_FIELD_LIMIT)
    number = 0
    try:
        rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row)
        names = next(rows)
        _refuse_twice(path, names, wanted)
        places = {name: place for place, name in enumerate(names) if name in wanted}
        found: dict[str, list[str | None]] = {name: [] for name in places}
        for number, row in enumerate(rows, start=1):
            if len(row) != len(names):
                raise DataError(
                    f"{path}: cannot be read as a predictions file: row {number} has {len(row)} fields where the "
                    f"header has {len(names)}; "
                    + (
                        f"the first line must name the columns, not {names[0][:40]!r}"
                        if number == 1 and not places
                        else "quote a field that holds a separator or a line end"
                    )
                )
            for name, place in places.items():
                found[name].append(row[place] or None)
    except csv.Error as error:
        raise DataError(
            f"{path}: cannot be read as a predictions file: row {number + 1}: {error}; a quotation mark is not closed, "
            "or not doubled inside a field"
        ) from error
    finally:
        csv.field_size_limit(limit)
    return names, _text_table(found)


def _read_lines(path: Path, text: str, wanted: frozenset[str]) -> PredictionTable:
    names: dict[str, None] = {}
    records: list[dict[str, str | None]] = []
    lines = (line for line in _LINE_END.split(text) if line.strip())
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line, object_pairs_hook=_no_key_twice)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read as a predictions file: row {number}: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: row {number} is no JSON object; a line is one, with material_id and prediction")
        names.update(dict.fromkeys(record))
        records.append({name: _cell(path, number, name, record[name]) for name in wanted if name in record})
    found = {name: [record.get(name) for record in records] for name in names if name in wanted}
    return PredictionTable(_text_table(found), tuple(names), is_text=True)


def _cell(path: Path, number: int, name: str, value: object) -> str | None:
    """Text of a JSON value."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).lower()
    if name == "material_id" and isinstance(value, float):
        raise DataError(f"{path}: row {number}: the id {value!r} is a number with a fraction; write ids as text")
    if isinstance(value, int | float):
        return repr(value)
    raise DataError(f"{path}: row {number}: column '{name}' holds a {type(value).__name__}, not a value")


def _no_key_twice(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{key}' stands twice")
        found[key] = value
    return found


def _text_table(columns: dict[str, list[str | None]]) -> pa.Table:
    return pa.table({name: pa.chunked_array([pa.array(values, pa.string())]) for name, values in columns.items()})


def _refuse_twice(path: Path, names: Sequence[str], wanted: frozenset[str]) -> None:
    for name in names:
        if name in wanted and names.count(name) > 1:
            raise DataError(f"{path}: column '{name}' stands {names.count(name)} times; delete or rename all but one")
