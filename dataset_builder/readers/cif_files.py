"""CIFs beside a table: the file of a material, in a folder or a zip, by its name; never the file of another one."""

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...errors import DataError
from ..crystals.texts import decode_text
from .unpack import open_zip, refuse_bomb

_ENDINGS = (".cif", ".mcif", ".cif.gz", ".mcif.gz")  # the first that is there is taken


class _Names(NamedTuple):
    """Files by path without ending, and paths by the last part of their name in small letters."""

    files: dict[str, str]
    by_name: dict[str, tuple[str, ...]]
    repeated: frozenset[str]


def read_cif(place: Path, name: str) -> str | None:
    """Read the CIF of a material from a folder or a zip.

    The exact name goes first (``set1/Si`` is ``set1/Si.cif``), then the same name in another folder, then one that
    differs in capitals (``co`` for ``CO.cif``), each only where it is the only one.

    Args:
        place: A folder or a zip.
        name: The id of the material, with or without ``.cif``; may name folders.

    Returns:
        The text of the CIF, None where there is none of that name.

    Raises:
        DataError: Several files could be meant, or the zip is damaged.
    """
    wanted = _wanted(name)
    if wanted is None:
        return None
    if place.is_dir():
        exact = (place / f"{wanted}{ending}" for ending in _ENDINGS)
        path = next((one for one in exact if one.is_file()), None)
        if path is None:
            found = _find(place, _folder_names(place, place.stat().st_mtime_ns), wanted)
            if found is None:
                return None
            path = place / found
        return _text(path, path.name, path.read_bytes())
    archive, names = _zip_names(place, place.stat().st_mtime_ns)
    found = _find(place, names, wanted)
    if found is None:
        return None
    member = archive.getinfo(found)
    with archive.open(member) as stream:
        data = stream.read(member.file_size + 1)
    refuse_bomb(place, len(data), member.compress_size)
    return _text(place, found, data)


def _text(place: Path, name: str, data: bytes) -> str:
    if name.casefold().endswith(".gz"):
        packed = len(data)
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{place}: {name} cannot be unpacked: {error}") from error
        refuse_bomb(place, len(data), packed)
    return decode_text(data)


def _bare(name: str) -> str | None:
    """A name without its ending, None where that is none of a CIF."""
    folded = name.casefold()
    ending = max((one for one in _ENDINGS if folded.endswith(one)), key=len, default=None)
    return None if ending is None else name[: -len(ending)]


def _wanted(name: str) -> str | None:
    """The id as a path without ending; None where it leads out of the folder."""
    path = PurePosixPath(name.strip().replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts:
        return None
    text = path.as_posix()
    return _bare(text) or text


def _find(place: Path, names: _Names, wanted: str) -> str | None:
    if wanted in names.files:
        if wanted in names.repeated:
            raise DataError(f"{place}: '{wanted}.cif' is there twice; leave one")
        return names.files[wanted]
    near = names.by_name.get(wanted.rpartition("/")[2].casefold(), ())
    spellings: tuple[Callable[[str], str], ...] = (str, str.casefold)
    for spelling in spellings:
        found = [path for path in near if f"/{spelling(path)}".endswith(f"/{spelling(wanted)}")]
        if len(found) > 1:
            shown = ", ".join(sorted(names.files[path] for path in found)[:4])
            raise DataError(
                f"{place}: no file is named '{wanted}.cif', and {len(found)} come near: {shown}. Name the one "
                "that is meant in the table, with its folder"
            )
        if found:
            return names.files[found[0]]
    return None


def _index(paths: Iterable[str]) -> _Names:
    files: dict[str, str] = {}
    by_name: dict[str, tuple[str, ...]] = {}
    repeated: set[str] = set()
    for path in paths:
        base = path.rpartition("/")[2]
        bare = _bare(path.replace("\\", "/"))
        if bare is None or base.startswith(".") or "__MACOSX" in path:
            continue
        if bare in files:
            repeated.add(bare)
            continue
        files[bare] = path
        key = bare.rpartition("/")[2].casefold()
        by_name[key] = (*by_name.get(key, ()), bare)
    return _Names(files, by_name, frozenset(repeated))


@lru_cache(maxsize=4)
def _folder_names(folder: Path, mtime_ns: int) -> _Names:
    """List a folder once a process."""
    del mtime_ns
    paths = []
    for where, folders, files in os.walk(folder):
        folders.sort()
        here = Path(where).relative_to(folder)
        paths += [(here / name).as_posix() for name in sorted(files)]
    return _index(paths)


@lru_cache(maxsize=4)
def _zip_names(path: Path, mtime_ns: int) -> tuple[zipfile.ZipFile, _Names]:
    """Open a zip of CIFs once a process: its list of members alone can be 381,000 entries long."""
    del mtime_ns
    with open_zip(path):
        pass  # the list of members has been looked at
    archive = zipfile.ZipFile(path)
    return archive, _index(archive.namelist())
