"""Files of crystals: one, several, a folder or a zip of them, or standard input."""

import gzip
import os
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ...crystals.texts import crystal_blocks, decode_text
from . import entries
from .entries import Entry, Source
from .errors import DescribeInputError

MAX_ZIP_RATIO = 200
"""CIFs shrink to a tenth; what unpacks to more than this (and than ``entries.MAX_TEXT``) is made to fill a disk."""

STDIN = "-"
ENDINGS = (".cif", ".mcif", ".cif.gz", ".mcif.gz", ".vasp", ".poscar")
_NAMES = ("poscar", "contcar")
_SYSTEM = ("__macosx", "thumbs.db", "desktop.ini")


def is_crystal_file(name: str) -> bool:
    """Whether a file is one of crystals by its name."""
    base = PurePosixPath(name.replace("\\", "/")).name.casefold()
    return not base.startswith(".") and (base.endswith(ENDINGS) or base.startswith(_NAMES))


def _bare(name: str) -> str:
    """A name without its ending."""
    folded = name.casefold()
    ending = max((one for one in (*ENDINGS, ".json") if folded.endswith(one)), key=len, default="")
    return name[: len(name) - len(ending)]


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names without endings; with them where two would be the same."""
    bare = [_bare(name) for name in names]
    count = Counter(bare)
    return [short if count[short] == 1 else name for short, name in zip(bare, names, strict=True)]


def open_file(path: Path) -> Source:
    """One file; several crystals in it are several entries."""
    return Source("file", lambda: _file_entries(path, path.name, _bare(path.name)))


def open_files(paths: Sequence[Path]) -> Source:
    """Several files, one after the other."""
    names = [path.name for path in paths]
    shown = names if len(set(names)) == len(names) else [path.as_posix() for path in paths]
    identifiers = _identifiers(shown)

    def each() -> Iterator[Entry]:
        for path, name, identifier in zip(paths, shown, identifiers, strict=True):
            yield from _file_entries(path, _printable(name), _printable(identifier))

    return Source("files", each)


def open_stdin() -> Source:
    """Standard input, which is read once and held."""
    data = sys.stdin.buffer.read(entries.MAX_TEXT + 1)
    if not data.strip():
        raise DescribeInputError("standard input is empty")
    return Source("file", lambda: _bytes_entries("stdin", None, data))


def _file_entries(path: Path, name: str, identifier: str) -> Iterator[Entry]:
    """Read one file; what can't be read is a row with a reason."""
    try:
        with path.open("rb") as file:
            data = file.read(entries.MAX_TEXT + 1)
    except OSError as error:
        yield Entry(identifier, name, None, f"cannot be read: {error.strerror}")
        return
    yield from _bytes_entries(identifier, name, data)


def _bytes_entries(identifier: str, name: str | None, data: bytes) -> Iterator[Entry]:
    if len(data) <= entries.MAX_TEXT and (data[:2] == b"\x1f\x8b" or (name or "").casefold().endswith(".gz")):
        try:
            data = _gunzip(data)
        except (OSError, EOFError, zlib.error) as error:
            yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
            return
    if len(data) > entries.MAX_TEXT:
        yield Entry(identifier, name, None, f"longer than {entries.MAX_TEXT // 2**20} MiB")
        return
    text = decode_text(data)
    blocks = crystal_blocks(text) if text.casefold().count("data_") > 1 else []
    if len(blocks) < 2:
        yield Entry(identifier, name, text)
        return
    for block in blocks:
        yield Entry(f"{identifier}:{block.name}", name, block.text)


def _gunzip(data: bytes) -> bytes:
    import io

    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return stream.read(entries.MAX_TEXT + 1)


def _printable(name: str) -> str:
    """Write a file name that is not UTF-8 with replacement characters: tables hold only UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def open_folder(folder: Path) -> Source:
    """All files of crystals in a folder and those below it; links to folders are not followed."""
    names: list[str] = []
    passed_over: list[str] = []
    for where, folders, files in os.walk(folder):  # a link could go round in circles
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(where).relative_to(folder)
        for name in files:
            path = (here / name).as_posix()
            taken = is_crystal_file(name) or (name.casefold().endswith(".json") and _holds_structure(folder / path))
            (names if taken else passed_over).append(path)
    if not names:
        raise DescribeInputError(f"{folder} holds no .cif files and no data/SOURCE/SPLIT-*.parquet")
    names.sort()
    identifiers = _identifiers([_printable(name) for name in names])

    def each() -> Iterator[Entry]:
        for name, identifier in zip(names, identifiers, strict=True):
            yield from _file_entries(folder / name, _printable(name), identifier)

    return Source("folder", each, tuple(map(_printable, sorted(passed_over))))


def _holds_structure(path: Path) -> bool:
    """Whether a JSON file is a structure and not, say, a table or settings."""
    try:
        with path.open("rb") as file:
            head = file.read(entries.MAX_TEXT)
    except OSError:
        return False
    return head.lstrip()[:1] == b"{" and (b'"lattice_mat"' in head or (b'"lattice"' in head and b'"sites"' in head))


def open_zip(path: Path) -> Source:
    """All files of crystals in a zip, which is not unpacked."""
    with _archive(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
    members = sorted((info for info in files if _is_member(info.filename)), key=lambda info: info.filename)
    passed_over = sorted(_printable(info.filename) for info in files if not _is_member(info.filename))
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
    identifiers = _identifiers([_printable(info.filename) for info in members])

    def each() -> Iterator[Entry]:
        with _archive(path) as archive:
            for info, identifier in zip(members, identifiers, strict=True):
                name = _printable(info.filename)
                try:
                    with archive.open(info) as member:
                        data = member.read(entries.MAX_TEXT + 1)
                except Exception as error:  # zlib.error, lzma.LZMAError, BadZipFile: a damaged member is one bad row
                    yield Entry(identifier, name, None, f"cannot be unpacked: {error}")
                else:
                    yield from _bytes_entries(identifier, name, data)

    return Source("zip", each, tuple(passed_over))


def _is_member(name: str) -> bool:
    parts = [part.casefold() for part in name.replace("\\", "/").split("/")]
    return is_crystal_file(name) and not any(part in _SYSTEM for part in parts)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DescribeInputError(f"{path} is not a readable zip file: {error}") from error
