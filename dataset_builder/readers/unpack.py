"""Unpack archives that come from elsewhere: no path leaves the target, no bomb fills the disk."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ...errors import DataError
from ...files import replace_file
from ...progress import Progress, silent

_CHUNK = 1 << 20
_FREE_BYTES = 64 << 20  # below this any ratio is harmless
MAX_RATIO = 200  # JSON and CSV of crystals shrink 4 to 30 times


def gunzip(path: Path, target: Path, progress: Progress = silent) -> Path:
    """Unpack a gzip file; a finished target that is newer than the archive is kept.

    Raises:
        DataError: The archive is damaged, cut short, or grows beyond any text.
    """
    if target.exists() and target.stat().st_mtime_ns >= path.stat().st_mtime_ns:
        return target
    size = path.stat().st_size
    written = 0
    with replace_file(target) as temporary, path.open("rb") as packed, temporary.open("wb") as out:
        try:
            with gzip.GzipFile(fileobj=packed) as stream:
                while chunk := stream.read(_CHUNK):
                    written += len(chunk)
                    refuse_bomb(path, written, size)
                    out.write(chunk)
                    progress(f"unpack {path.name}", packed.tell(), size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(path) from error
        if not written:
            raise DataError(f"{path}: the file is empty")
    return target


@contextmanager
def named_as(packed: Path, unpacked: Path) -> Iterator[None]:
    """Let errors name the file that the user gave and not what was unpacked from it."""
    try:
        yield
    except DataError as error:
        raise DataError(str(error).replace(str(unpacked), str(packed))) from error


def _damaged(path: Path) -> DataError:
    """Say after how much text the gzip data ends; read again in small steps, a large one says nothing."""
    written = 0
    decompressor = zlib.decompressobj(wbits=31)
    with path.open("rb") as packed:
        if packed.read(2) != b"\x1f\x8b":
            return DataError(f"{path}: no gzip data, in spite of its name; rename it, or fetch it again")
        packed.seek(0)
        try:
            while data := packed.read(128):
                while data:
                    written += len(decompressor.decompress(data, 1 << 16))
                    data = decompressor.unconsumed_tail
                    if decompressor.eof:  # another member follows
                        data, decompressor = decompressor.unused_data, zlib.decompressobj(wbits=31)
        except zlib.error:
            where = f"damaged after {written:,} bytes of text"
        else:
            where = f"cut short after {written:,} bytes of text"
    return DataError(f"{path}: the gzip data is {where}; fetch it again")


def refuse_bomb(path: Path, unpacked: int, packed: int) -> None:
    """Refuse what grows beyond any text when unpacked.

    Raises:
        DataError: It has.
    """
    if unpacked > _FREE_BYTES and unpacked > MAX_RATIO * max(1, packed):
        raise DataError(
            f"{path}: unpacks to more than {MAX_RATIO} times its size ({packed:,} bytes); refused as a zip bomb"
        )


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive and look at its list of members before anything is read.

    Raises:
        DataError: It is no zip, cut short, or holds a member whose path leads outside or whose size is no text's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                parts = PurePosixPath(member.filename.replace("\\", "/"))
                if parts.is_absolute() or ".." in parts.parts or (parts.parts and ":" in parts.parts[0]):
                    raise DataError(f"{path}: member '{member.filename}' leads outside the archive; refused")
                if member.flag_bits & 1:
                    raise DataError(f"{path}: member '{member.filename}' is encrypted")
                refuse_bomb(path, member.file_size, member.compress_size)
            yield archive
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: no zip archive, or cut short; fetch it again ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


class BoundedStream:
    """A member of a zip while it is read: the sizes in the list of members may lie, the bytes do not."""

    def __init__(self, path: Path, stream: IO[bytes], packed: int) -> None:
        self._path, self._stream, self._packed = path, stream, packed
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        try:
            chunk = self._stream.read(_CHUNK if size < 0 else size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{self._path}: damaged after {self.position:,} bytes: {error}") from error
        self.position += len(chunk)
        refuse_bomb(self._path, self.position, self._packed)
        return chunk
