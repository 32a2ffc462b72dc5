"""A durable store of finished work: key to value in one SQLite file, so that a killed job goes on where it stopped.

    with Journal(path, {"format": "answers 1", "model": "..."}) as journal:
        for key in journal.missing(keys):
            journal.put({key: answer(key)})

What `put` was given is there after it returned, whatever kills the process then; a power cut costs at most the last
second. Several processes may write at once. A file that is damaged, foreign or of another job is refused.
"""

import contextlib
import errno
import json
import os
import re
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import DataError
from .files import cannot_write

Key = str | int
Value = bytes | dict[str, Any] | list[Any] | str | float | int | bool | None
"""Bytes, or what JSON can write."""

VERSION = 1
SYNC_SECONDS = 1.0
BUSY_SECONDS = 60.0
"""How long to wait for another process that is writing."""

_APPLICATION = 0x4C4D4A31  # "LMJ1" in the file's header says that it is a journal of ours
_SIGNATURE = b"SQLite format 3\0"
_MISSING = object()
_FETCHED = 64  # rows at a time


class JournalError(DataError):
    """The journal is of another job, in use, damaged, or no journal; the message names the file and the remedy."""


class Journal:
    """Values on disk, found by key.

    Args:
        path: The file; made, with the folders above it, if it is not there. Two more lie beside it while it is in use.
        purpose: What the journal is for, JSON; a journal with another purpose is refused.
        remedy: What the user can do when it is refused.
        exclusive: Only this process may use it. Needed on network file systems, where SQLite cannot share a file.
        discard_other: Empty a journal of another purpose, and replace a file that is none, instead of refusing.
        sync_seconds: How much work a power cut may cost; 0 syncs each `put`.

    Raises:
        JournalError: It is refused, damaged or in use.
        LLM4MatError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        purpose: Mapping[str, Any],
        *,
        remedy: str = "remove it, or choose another place",
        exclusive: bool = False,
        discard_other: bool = False,
        sync_seconds: float = SYNC_SECONDS,
    ) -> None:
        self.path = path
        self._remedy = remedy
        self._sync_seconds = sync_seconds
        # Threads share one connection, and so its prepared statements: from asking to having the row is one step.
        self._lock = threading.RLock()
        self._synced = time.monotonic()
        text = _json(dict(purpose), sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise JournalError(f"{path} is a folder, not a journal: {remedy}")
            with path.open("rb") as file:
                begin = file.read(len(_SIGNATURE))
        except FileNotFoundError:
            begin = b""
        except OSError as error:
            raise cannot_write(path, error) from error
        if begin not in (b"", _SIGNATURE):
            if not discard_other:
                raise JournalError(f"{path} {_foreign(begin)}: {remedy}")
            _unlink(path)
        try:
            self._connect(text, exclusive, discard_other)
        except _InUseError:
            raise
        except JournalError:
            if not discard_other:
                raise
            _unlink(path)
            self._connect(text, exclusive, discard_other)

    def __len__(self) -> int:
        """How many keys there are."""
        return int(self._row("SELECT count(*) FROM entries")[0])

    def __contains__(self, key: Key) -> bool:
        """Whether there is a value for a key."""
        return self._row("SELECT 1 FROM entries WHERE key = ?", key) is not None

    def __getitem__(self, key: Key) -> Value:
        """Give the value of a key; `KeyError` if there is none."""
        row = self._row("SELECT rowid, key, value, crc FROM entries WHERE key = ?", key)
        if row is None:
            raise KeyError(key)
        return self._unpacked(*row)

    def get(self, key: Key, default: Value = None) -> Value:
        """Give the value of a key, or ``default``."""
        try:
            return self[key]
        except KeyError:
            return default

    def missing(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Give those of ``keys`` that have no value yet."""
        return (key for key in keys if key not in self)

    def keys(self) -> Iterator[Key]:
        """Give all keys, in the order of `items`."""
        for (key,) in self._rows("SELECT key FROM entries ORDER BY key"):
            yield key

    def items(self) -> Iterator[tuple[Key, Value]]:
        """Give all keys and values: numbers in their order, then texts in the order of their UTF-8 bytes."""
        for row in self._rows("SELECT rowid, key, value, crc FROM entries ORDER BY key"):
            yield row[1], self._unpacked(*row)

    def put(self, items: Mapping[Key, Value]) -> None:
        """Write values, all or none. A key that is there gets the new value.

        Raises:
            JournalError: Another process has been writing for a minute; the file is damaged.
            LLM4MatError: The disk is full or the like. What was written before stays.
        """
        rows = [(key, *_packed(key, value)) for key, value in items.items()]
        with self._lock, self._told():
            now = time.monotonic()
            sync = now - self._synced >= self._sync_seconds
            self._db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")  # FULL syncs all before it as well
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            if sync:
                self._synced = now

    def sync(self) -> None:
        """See to it that what was written survives a power cut."""
        with self._lock:
            self._run("PRAGMA wal_checkpoint(PASSIVE)")
            self._synced = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the job is complete."""
        self.close()
        _unlink(self.path)

    def close(self) -> None:
        """Sync and let go of the file."""
        with self._lock, self._told():
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, purpose: str, exclusive: bool, discard_other: bool) -> None:
        timeout = 0.0 if exclusive else BUSY_SECONDS
        place = str(self.path.absolute())
        with self._told():
            self._db = sqlite3.connect(place, timeout, isolation_level=None, check_same_thread=False)
        self._db.text_factory = _text
        try:
            if exclusive:
                self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._open(purpose, discard_other)
        except BaseException:
            self._db.close()
            raise

    def _open(self, purpose: str, discard_other: bool) -> None:
        ours = self._row("PRAGMA application_id")[0]
        version = self._row("PRAGMA user_version")[0]
        tables = self._row("SELECT count(*) FROM sqlite_master")[0]
        if tables and (ours != _APPLICATION or version != VERSION):
            raise JournalError(f"{self.path} is not the journal of a run of this version: {self._remedy}")
        # Costs a reading of the file, six seconds a million answers, and spares a job that dies of it at its end.
        fault = self._row("PRAGMA quick_check(1)")[0]
        if fault != "ok":
            raise JournalError(f"{self.path} is damaged ({' '.join(fault.split())}): {self._remedy}")
        self._use_write_ahead_log()
        with self._told():
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
                # No type for the key: numbers and texts stay what they are, and are different keys.
                self._db.execute("CREATE TABLE IF NOT EXISTS entries (key PRIMARY KEY NOT NULL, value, crc INTEGER)")
                self._db.execute("CREATE TABLE IF NOT EXISTS purpose (json TEXT NOT NULL)")
                found = self._db.execute("SELECT json FROM purpose").fetchone()
                if found is not None and found[0] != purpose and not discard_other:
                    raise JournalError(f"{self.path} {_difference(found[0], purpose)}: {self._remedy}")
                if found is None or found[0] != purpose:
                    self._db.execute("DELETE FROM entries")
                    self._db.execute("DELETE FROM purpose")
                    self._db.execute("INSERT INTO purpose VALUES (?)", (purpose,))
                    self._db.execute("COMMIT")
                else:
                    self._db.execute("ROLLBACK")  # an open that changes nothing writes nothing
            except BaseException:
                self._roll_back()
                raise

    def _use_write_ahead_log(self) -> None:
        """Choose SQLite's write-ahead log; the change of a new file does not wait for others by itself."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with self._told():
                    self._db.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except _InUseError:
                if self._db.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive" or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _run(self, statement: str, *values: Key) -> None:
        with self._lock, self._told():
            self._db.execute(statement, values).fetchall()

    def _row(self, statement: str, *values: Key) -> Any:  # noqa: ANN401 - None or a tuple of what the columns hold
        with self._lock, self._told():
            return self._db.execute(statement, values).fetchone()

    def _rows(self, statement: str) -> Iterator[Any]:
        """Give row after row, few at a time, so that memory stays flat."""
        with self._lock, self._told():
            cursor = self._db.execute(statement)
        while True:
            with self._lock, self._told():
                rows = cursor.fetchmany(_FETCHED)
            if not rows:
                return
            yield from rows

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _unpacked(self, row: int, key: Key, value: bytes | str, crc: int) -> Value:
        if not isinstance(value, bytes | str) or _check(key, value) != crc:
            self._run("DELETE FROM entries WHERE rowid = ?", row)
            raise JournalError(f"{self.path}: what stands for {key!r} is damaged. It was removed: run again to redo it")
        if isinstance(value, bytes):
            return value
        answer: Value = json.loads(value)
        return answer

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into one line."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise _InUseError(f"another run is using {self.path}: wait for it, or choose another place") from error
            if name.startswith("SQLITE_FULL"):
                raise cannot_write(self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
            if name.startswith("SQLITE_READONLY"):
                raise cannot_write(self.path, OSError(errno.EACCES, os.strerror(errno.EACCES))) from error
            if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
                raise cannot_write(self.path, OSError(errno.EIO, f"{error} ({name})")) from error
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, sqlite3.DataError):
                raise JournalError(f"{self.path} is damaged ({error}): {self._remedy}") from error
            raise JournalError(f"{self.path}: {error}: {self._remedy}") from error


class _InUseError(JournalError):
    """Another process has it."""


def _json(value: Value, *, sort_keys: bool = False) -> str:
    return json.dumps(value, sort_keys=sort_keys, allow_nan=False, separators=(",", ":"))


def _text(data: bytes) -> str:
    """Read a text even where damage made it no UTF-8; its CRC tells then."""
    return data.decode("utf-8", "surrogateescape")


def _packed(key: Key, value: Value) -> tuple[bytes | str, int]:
    packed = value if isinstance(value, bytes) else _json(value)
    return packed, _check(key, packed)


def _check(key: Key, value: bytes | str) -> int:
    """CRC-32 by which damage shows that leaves SQLite's own structure whole."""
    kind, data = ("bytes", value) if isinstance(value, bytes) else ("json", value.encode("utf-8", "surrogatepass"))
    return zlib.crc32(data, zlib.crc32(f"{kind} {key!r}".encode("utf-8", "backslashreplace")))


def _foreign(begin: bytes) -> str:
    if re.match(rb"[0-9a-f]{8} \{", begin):
        return "is the journal of an earlier version of llm4mat-bench, which alone can go on with it"
    return "is not the journal of a run of this version"


def _difference(found: str, wanted: str) -> str:
    """Say in what the purpose of a journal differs from the one asked for."""
    old, new = _leaves(json.loads(found)), _leaves(json.loads(wanted))
    if old.get("format") != new.get("format"):
        return "is not the journal of a run of this version"
    changed = [
        f"{name.rpartition('.')[2]} {_short(old.get(name))} → {_short(new.get(name))}"
        for name in {**old, **new}
        if old.get(name, _MISSING) != new.get(name, _MISSING)
    ]
    return f"belongs to a run with another input or other settings ({'; '.join(changed)})"


def _leaves(value: dict[str, Any]) -> dict[str, object]:
    """Flatten a dict of dicts."""
    flat: dict[str, object] = {}
    for name, inner in value.items():
        flat |= {f"{name}.{k}": v for k, v in _leaves(inner).items()} if isinstance(inner, dict) else {name: inner}
    return flat


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "…"


def _unlink(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
