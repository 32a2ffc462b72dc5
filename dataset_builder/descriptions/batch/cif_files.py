"""Files of one structure each: single ones, folders, zips."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from . import entries
from .entries import Entry, Source, text_entry
from .errors import DescribeInputError

MAX_ZIP_RATIO = 200
"""CIFs shrink to a tenth; what unpacks to more than this (and than ``entries.MAX_TEXT``) is made to fill a disk."""


def file_entry(path: Path, name: str) -> Entry:
    """Read one file; what can't be read is a row with a reason."""
    identifier = str(PurePosixPath(name).with_suffix(""))
    try:
        with path.open("rb") as file:
            data = file.read(entries.MAX_TEXT + 1)
    except OSError as error:
        return Entry(identifier, name, None, f"cannot be read: {error.strerror}")
    return text_entry(identifier, name, data)


def _printable(name: str) -> str:
    """Write a file name that is not UTF-8 with replacement characters: tables hold only UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def open_folder(folder: Path) -> Source:
    """Find the CIFs of a folder and of those below it."""
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

    def read_all() -> Iterator[Entry]:
        for name in names:
            entry = file_entry(folder / name, _printable(name))
            yield entry

    return Source("folder", read_all, ignored)


def open_zip(path: Path) -> Source:
    """Find the CIFs of an archive, and refuse one that was made to do harm."""
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
    if unpacked > entries.MAX_TEXT and unpacked > MAX_ZIP_RATIO * path.stat().st_size:
        raise DescribeInputError(
            f"{path} unpacks to {unpacked / 2**20:,.0f} MiB, over {MAX_ZIP_RATIO} times its size: "
            "if you trust it, unpack it and give the folder"
        )

    def read_all() -> Iterator[Entry]:
        with _open_zip(path) as archive:
            for info in members:
                name = _printable(info.filename)
                identifier = str(PurePosixPath(name).with_suffix(""))
                try:
                    with archive.open(info) as member:
                        data = member.read(entries.MAX_TEXT + 1)
                except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
                    yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
                except Exception as error:  # zlib.error, lzma.LZMAError: a damaged member is one bad row
                    yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
                else:
                    yield text_entry(identifier, name, data)

    return Source("zip", read_all, ignored)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DescribeInputError(f"{path} is not a readable zip file: {error}") from error
