"""Write whole or not at all: under a temporary name, flushed to disk, then renamed. What fails is told in one line."""

import errno
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DataError, LLM4MatError, UsageError, one_line

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_OF_THE_DISK = _DISK_FULL | {errno.EROFS, errno.EFBIG}
"""Errors that name no file, and speak of the one being written."""
_HOST = re.sub(r"\W", "_", platform.node())[:40]
"""File systems are shared, process numbers are not."""


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on leaving without an error it takes the name ``path``.

    A process that is killed leaves at most a hidden ``*.tmp`` file, never a half-written ``path``.

    Raises:
        UsageError: There can be no such file: it is a folder, or a folder above it is a file.
        DataError: It cannot be written: no permission, no room.
    """
    with _told(path):
        if path.is_dir():
            raise UsageError(f"{path} is a folder: a file is to be written there. Choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_temporary(path), suffix=".tmp", dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with _told(path, written=temporary):
            yield temporary
        with _told(path):
            temporary.chmod(0o666 & ~_umask())
            _flush(temporary)
            temporary.replace(path)
            flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; on leaving without an error it takes the place of ``path``.

    What an earlier, killed call left under a temporary name is removed first; the folder it was replacing is put back.

    Raises:
        UsageError: There can be no such folder: it is a file, or a folder above it is one.
        DataError: It cannot be written: no permission, no room.
    """
    with _told(path):
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file: a folder is to be written there. Choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        temporary = Path(tempfile.mkdtemp(prefix=_temporary(path), suffix=".tmp", dir=path.parent))
    try:
        with _told(path, written=temporary):
            yield temporary
        with _told(path):
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                if file.is_file():
                    _flush(file)
            if path.exists():
                retired = temporary.with_suffix(".old.tmp")
                path.rename(retired)
                temporary.rename(path)
                shutil.rmtree(retired, ignore_errors=True)
            else:
                temporary.rename(path)
            flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def json_text(value: Any, *, sort_keys: bool = False, compact: bool = False) -> str:  # noqa: ANN401 - whatever json can
    """Write JSON as all files of this package have it: indented, Unicode as it is, a newline at the end.

    Args:
        value: What to write.
        sort_keys: Sort the keys, instead of keeping their order.
        compact: On one line, for what only programs read.

    Raises:
        ValueError: A number is not finite, which JSON cannot say.
    """
    indent, separators = (None, (",", ":")) if compact else (2, None)
    text = json.dumps(
        value, sort_keys=sort_keys, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    )
    return text + "\n"


def write_json(path: Path, value: Any, *, sort_keys: bool = False, compact: bool = False) -> None:  # noqa: ANN401
    """Write a JSON file whole. See `json_text`."""
    write_text(path, json_text(value, sort_keys=sort_keys, compact=compact))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def flush_folder(folder: Path) -> None:
    """See to it that a new or renamed file in a folder survives a power cut."""
    _flush(folder)


def sweep(path: Path) -> None:
    """Remove what killed writers of ``path`` on this machine left; what one had moved aside and not replaced goes back.

    `replace_folder` does it by itself; for a file it is worth it where that is large and written seldom.
    """
    ours = re.compile(rf"\.(?:{_HOST}-)?(?P<process>\d+)\.[^.]+(?P<old>\.old)?\.tmp")
    for left_over in sorted(path.parent.glob(f".{glob.escape(path.name)}.*.tmp")):
        found = ours.fullmatch(left_over.name[len(path.name) + 1 :])
        if found is None or _lives(int(found["process"])):
            continue
        if found["old"] and not path.exists():
            left_over.rename(path)
        elif left_over.is_dir():
            shutil.rmtree(left_over, ignore_errors=True)
        else:
            left_over.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> LLM4MatError:
    """Say in one line why ``path`` cannot be written and what mends it."""
    obstacle = next((above for above in path.parents if _is_file(above)), None)
    if obstacle is not None:
        return UsageError(f"{path} cannot be written: {obstacle} is a file, not a folder. Choose another place")
    if error.errno in _DISK_FULL:
        return DataError(f"{path} cannot be written: the disk is full. Make room there and run again")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return DataError(f"{path} cannot be written: no permission. Choose another place, or mend the permission")
    if error.errno == errno.EROFS:
        return DataError(f"{path} cannot be written: the file system is read-only. Choose another place")
    return DataError(f"{path} cannot be written: {error.strerror or error}. Mend that or choose another place")


def said_of_system(error: OSError) -> str:
    """Say in one line what the system refused, where nothing more is known of it."""
    place = "".join(f"{os.fsdecode(name)}: " for name in (error.filename,) if isinstance(name, str | bytes))
    if error.errno in _DISK_FULL:
        return f"{place}the disk is full. Make room and run again"
    return f"{place}{error.strerror or one_line(error)}"


@contextmanager
def _told(path: Path, *, written: Path | None = None) -> Iterator[None]:
    """Turn errors of the file system into one line; where others do the ``written`` part, only those about it."""
    try:
        yield
    except OSError as failure:
        error = _first_of(failure) if isinstance(failure, shutil.Error) else failure
        named = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        ours = any(name == written or written in name.parents for name in named)
        if written is None or ours or (not named and error.errno in _OF_THE_DISK):
            raise cannot_write(path, error) from error
        raise


def _first_of(failure: shutil.Error) -> OSError:
    """What `shutil.copytree` says of many files in words, as the error of the first of them that failed."""
    failed = failure.args[0] if failure.args and isinstance(failure.args[0], list) else []
    for _, copy, reason in failed:
        if found := re.match(r"\[Errno (\d+)\]", str(reason)):
            return OSError(int(found[1]), os.strerror(int(found[1])), str(copy))
    return failure


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:  # no name for a file at all
        return False


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> str:
    """Begin of a temporary name, by which another call knows whose it is."""
    return f".{path.name}.{_HOST}-{os.getpid()}."


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _lives(process: int) -> bool:
    """Whether another process of this number is at work."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process != os.getpid()
