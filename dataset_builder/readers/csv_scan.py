"""Find where the rows of a CSV file begin, without parsing it, and cut it into pieces of whole rows.

A line end (LF, CR LF, CR) ends a row where the number of quotation marks before it is even. One pass over the bytes
finds this at the speed of the disk and hashes the file on the way; parsing can then go on anywhere, in any order, on
any number of cores. A quotation mark that stands where none can stand turns inside and outside about from there on, so
it is an error.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ...progress import Progress, silent
from .base import BATCH_BYTES, FIELD_LIMIT, PIECE_BYTES, InputIdentity, Piece

_CHUNK = 4 << 20
_UTF8_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n" + _UTF8_BOM
_LINE_END = re.compile(rb"\r\n?|\n")
_SEPARATORS = {b";": "semicolons", b"\t": "tabs", b"|": "vertical bars"}


class CsvScan(NamedTuple):
    """What one pass over a CSV file found."""

    header: tuple[str, ...]
    pieces: tuple[Piece, ...]
    identity: InputIdentity


def scan_csv(
    path: Path,
    split: str | None,
    progress: Progress = silent,
    *,
    piece_bytes: int = PIECE_BYTES,
    batch_bytes: int = BATCH_BYTES,
    field_limit: int = FIELD_LIMIT,
) -> CsvScan:
    """Cut a CSV file into pieces.

    Args:
        path: The file; UTF-8 (or a superset of ASCII), first row the header.
        split: Split that all its rows are in, None where their ids decide.
        progress: Told how far the pass is.
        piece_bytes: A piece ends with the row that reaches this size.
        batch_bytes: A batch ends with the row that reaches this size.
        field_limit: Longest row that is accepted, in bytes.

    Raises:
        DataError: The file is empty, no text, has a row longer than the limit or a quotation mark that is never closed.
    """
    try:
        status = path.stat()
        handle = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256()
    cutter = _Cutter(path, split, piece_bytes, batch_bytes)
    row_start = position = 0
    row_blank = True
    inside = False
    before = b"\n"  # the last byte, where it matters: what may stand beside a quotation mark
    odd_quote: int | None = None  # row of the first quotation mark that is out of place
    with handle:
        while chunk := handle.read(_CHUNK):
            if chunk.endswith(b"\r"):  # is it a line end of its own?
                chunk += handle.read(1)
            if position == 0:
                _refuse_other_encodings(path, chunk)
                _refuse_other_separators(path, chunk)
            digest.update(chunk)
            # Between quotation marks, and outside of them, in turn.
            offset = position
            for index, run in enumerate(chunk.split(b'"')):
                if index:
                    offset += 1
                    inside = not inside
                    if inside:
                        if before not in b',\r\n"' and not row_blank and odd_quote is None:
                            odd_quote = cutter.row_number
                        row_blank = False
                    else:
                        before = b'"'
                if run:
                    if not inside:
                        if before == b'"' and run[:1] not in b",\r\n" and odd_quote is None:
                            odd_quote = cutter.row_number
                        start = 0
                        for end in _line_ends(run):
                            row_blank = row_blank and not run[start:end].strip(cutter.blank)
                            row_end = offset + end
                            _refuse_long(path, cutter.rows, row_end - row_start, field_limit)
                            cutter.row(row_start, row_end, blank=row_blank)
                            row_start, row_blank, start = row_end, True, end
                        row_blank = row_blank and not run[start:].strip(cutter.blank)
                        before = run[-1:]
                    offset += len(run)
            position += len(chunk)
            _refuse_long(path, cutter.rows, position - row_start, field_limit)
            progress(path.name, position, status.st_size)
    if odd_quote is not None or inside:
        row = _first_uneven_row(path, cutter.row_number if odd_quote is None else odd_quote)
        raise DataError(
            f"{path}: {f'row {row}' if row else 'the header'}: a quotation mark is opened and never closed, or stands "
            "inside a field by itself; the file is cut short or damaged, fetch it again"
        )
    if row_start < position:
        cutter.row(row_start, position, blank=row_blank)
    cutter.finish()
    if cutter.header_end is None:
        raise DataError(f"{path}: the file is empty")
    header = _read_header(path, cutter.header_end)
    pieces = tuple(piece.model_copy(update={"columns": header}) for piece in cutter.pieces)
    identity = InputIdentity(
        path=path.absolute(), size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, sha256=digest.hexdigest()
    )
    return CsvScan(header, pieces, identity)


class _Cutter:
    """Collects row ends into batches and batches into pieces; the first row that is not blank is the header."""

    def __init__(self, path: Path, split: str | None, piece_bytes: int, batch_bytes: int) -> None:
        self._path, self._split = path, split
        self._piece_bytes, self._batch_bytes = piece_bytes, batch_bytes
        self.header_end: int | None = None
        self.rows = 0  # data rows so far
        self.pieces: list[Piece] = []
        self._offsets: list[int] = []
        self._end = 0
        self._first_row = 1

    @property
    def blank(self) -> bytes:
        """What a line that is no row may hold; below the header, blanks are a field, as to any parser."""
        return _BLANK if self.header_end is None else b"\r\n"

    @property
    def row_number(self) -> int:
        """Number of the row that is being read, 0 for the header."""
        return self.rows + 1 if self.header_end is not None else 0

    def row(self, start: int, end: int, *, blank: bool) -> None:
        """Take note of a row that has ended."""
        if self.header_end is None:
            self.header_end = None if blank else end
            return
        if blank:  # no row, but its bytes lie between rows
            self._end = end if self._offsets else self._end
            return
        if not self._offsets:
            self._offsets = [start]
            self._first_row = self.rows + 1
        self.rows += 1
        self._end = end
        if end - self._offsets[-1] >= self._batch_bytes:
            self._offsets.append(end)
        if end - self._offsets[0] >= self._piece_bytes:
            self.finish()

    def finish(self) -> None:
        """End the piece."""
        if not self._offsets:
            return
        if self._offsets[-1] != self._end:
            self._offsets.append(self._end)
        self.pieces.append(
            Piece(
                path=self._path,
                split=self._split,
                first_row=self._first_row,
                rows=self.rows - self._first_row + 1,
                offsets=tuple(self._offsets),
            )
        )
        self._offsets = []


def _refuse_long(path: Path, rows: int, length: int, limit: int) -> None:
    if length > limit:
        raise DataError(
            f"{path}: row {rows + 1} is longer than {limit >> 20} MiB; no published row is: a quotation mark or line "
            "end is missing there, or this is no CSV file of the benchmark"
        )


def _refuse_other_encodings(path: Path, chunk: bytes) -> None:
    if chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    if chunk[:2] == b"\x1f\x8b":
        raise DataError(f"{path}: gzip data under the name of a CSV file; name it {path.name}.gz")
    if chunk[:4] == b"PK\x03\x04":
        raise DataError(f"{path}: a zip archive under the name of a CSV file; unpack it first")
    if b"\x00" in chunk[:4096]:
        raise DataError(f"{path}: binary data, no CSV text")
    if chunk.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise DataError(f"{path}: a web page, no CSV; the download was answered with a page (sign-in or quota?)")


def _refuse_other_separators(path: Path, chunk: bytes) -> None:
    line = _LINE_END.split(chunk.removeprefix(_UTF8_BOM).lstrip(b"\r\n"), maxsplit=1)[0]
    if b"," in line:
        return
    counts = {name: line.count(mark) for mark, name in _SEPARATORS.items()}
    most = max(counts, key=lambda name: counts[name])
    if counts[most]:
        raise DataError(
            f"{path}: the fields are separated by {most}, not by commas. Write it again as CSV, with points in decimal "
            "numbers (pandas: read_csv(..., sep=..., decimal=...).to_csv(..., index=False))"
        )


def _line_ends(run: bytes) -> Iterator[int]:
    """Positions just behind each line end."""
    if b"\r" in run:
        yield from (match.end() for match in _LINE_END.finditer(run))
        return
    end = 0
    while (end := run.find(b"\n", end) + 1) > 0:
        yield end


def _first_uneven_row(path: Path, last: int) -> int:
    """Number of the first row that has not as many fields as the header; ``last``, where all before it have."""
    limit = csv.field_size_limit(FIELD_LIMIT)
    try:
        with path.open(encoding="latin-1", newline="") as handle:
            rows = (row for row in csv.reader(handle) if row)
            fields = len(next(rows, []))
            for number, row in enumerate(rows, start=1):
                if number >= last:
                    return last
                if len(row) != fields:  # a line without a comma goes on with the text of the row before
                    return max(number - 1, 1) if len(row) == 1 else number
    except csv.Error:  # a field beyond the limit: the mark that is never closed
        pass
    finally:
        csv.field_size_limit(limit)
    return last


def _read_header(path: Path, end: int) -> tuple[str, ...]:
    with path.open("rb") as handle:
        raw = handle.read(end).removeprefix(_UTF8_BOM)
    rows = [row for row in csv.reader(io.StringIO(raw.decode("utf-8", errors="replace"), newline="")) if any(row)]
    header = tuple(name.strip() for name in rows[0]) if rows else ()
    named = [name for name in header if name]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        names = ", ".join(repeated)
        raise DataError(f"{path}: column {names} occurs more than once in the header (or the file has none)")
    return header
