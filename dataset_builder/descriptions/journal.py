"""The journal of a run: one line for each finished structure, so that a killed run goes on where it stopped.

Each line is a CRC-32 of the rest in eight hexadecimal digits, a space, and JSON. The first tells which input and which
settings the run has; a journal of another run is never continued. A line that a kill or a power cut tore, and all after
it, is cut off: those structures are described again.
"""

import contextlib
import json
import os
import time
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import JournalError

SYNC_SECONDS = 1.0
"""At most so much work is lost when the power fails; a killed process loses nothing it wrote."""

_NOT_THERE = -1
_HEADER_LIMIT = 2**20  # a file without line ends that is not ours is not read whole


class Journal:
    """Finished rows on disk, found by their position in the input.

    Args:
        path: The file; made if it is not there.
        header: What identifies the run; JSON.
        rows: How many rows the run has.
        discard_other: Start anew over the journal of another run, instead of refusing.

    Raises:
        JournalError: It belongs to another run, or another process is writing it.
    """

    def __init__(self, path: Path, header: dict[str, Any], rows: int, *, discard_other: bool = False) -> None:
        self.path = path
        self._places = array("q", [_NOT_THERE]) * rows
        self._found = 0
        self._file = path.open("a+b", buffering=0)
        try:
            self._lock()
            self._end = self._load(header, discard_other)
        except BaseException:
            self._file.close()
            raise
        self._synced = time.monotonic()

    def __len__(self) -> int:
        """How many rows are finished."""
        return self._found

    def __contains__(self, index: int) -> bool:
        """Whether the row at this position is finished."""
        return self._places[index] != _NOT_THERE

    def append(self, index: int, row: dict[str, Any]) -> None:
        """Write a finished row."""
        line = _line({"index": index, **row})
        self._write(line)
        self._note(index, self._end)
        self._end += len(line)
        now = time.monotonic()
        if now - self._synced > SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """See to it that what was written survives a power cut."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give all rows in the order of the input. All must be finished."""
        with self.path.open("rb") as file:
            for index, place in enumerate(self._places):
                if place == _NOT_THERE:
                    raise JournalError(f"{self.path} has no row {index}")
                file.seek(place)
                row = _parse(file.readline())
                if row is None:
                    raise JournalError(f"{self.path} was changed while it was in use; run again")
                yield row

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Sync and let go of the file."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, header: dict[str, Any], discard_other: bool) -> int:
        """Read what is there; give the place where writing goes on."""
        wanted = _line(header)
        self._file.seek(0)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as reader:
            first = reader.readline(_HEADER_LIMIT)
            # A header torn by a kill is a beginning of ours; anything else was written by someone else.
            if first != wanted and not (wanted.startswith(first) and not first.endswith(b"\n")):
                if not discard_other:
                    raise JournalError(_difference(self.path, first, header))
                first = b""
            if first != wanted:
                os.ftruncate(self._file.fileno(), 0)
                self._write(wanted)
                self.sync()
                sync_folder(self.path.parent)
                return len(wanted)
            end = len(first)
            while line := reader.readline():
                row = _parse(line)
                if row is None or not isinstance(row.get("index"), int) or not 0 <= row["index"] < len(self._places):
                    break
                self._note(row["index"], end)
                end += len(line)
        os.ftruncate(self._file.fileno(), end)
        return end

    def _lock(self) -> None:
        with contextlib.suppress(ImportError):  # Windows has no such locks, and no workers either
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = f"another run is writing {self.path}; wait for it or choose another --out"
                raise JournalError(message) from error

    def _note(self, index: int, place: int) -> None:
        self._found += self._places[index] == _NOT_THERE
        self._places[index] = place

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            view = view[written or 0 :]


def _line(row: dict[str, Any]) -> bytes:
    data = json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read one line; nothing if it is torn."""
    if len(line) < 10 or not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    data = line[9:-1]
    if line[:8] != b"%08x" % zlib.crc32(data):
        return None
    row: dict[str, Any] = json.loads(data)
    return row


def _difference(path: Path, first: bytes, header: dict[str, Any]) -> str:
    """Say in what a journal differs from the run that found it."""
    remedy = "finish that run, choose another --out, or discard it with --overwrite"
    found = _parse(first)
    if found is None or found.get("format") != header.get("format"):
        return f"{path} is not the journal of a run of this version: {remedy}"
    changed = [
        f"{key} {_short(old)} → {_short(header.get(group, {}).get(key))}"
        for group, inner in found.items()
        if isinstance(inner, dict)
        for key, old in inner.items()
        if header.get(group, {}).get(key) != old
    ]
    return f"{path} belongs to a run with another input or other settings ({'; '.join(changed)}): {remedy}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "…"


def sync_folder(folder: Path) -> None:
    """See to it that a new or renamed file in a folder survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
