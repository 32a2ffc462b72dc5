"""Fetch raw dumps: what is there is kept, what broke off goes on, and what arrives is checked."""

import hashlib
import time
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import DataError, UsageError
from ...files import write_text
from ...progress import Progress, silent
from ..catalogue import Source

_CHUNK = 1 << 20
ATTEMPTS = 5
_TIMEOUT = 60.0
_GNOME_FILES = ("stable_materials_summary.csv", "by_id.zip")


class Target(NamedTuple):
    """One file to fetch and what is known of it."""

    url: str
    path: Path
    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None


def download_source(source: Source, folder: Path, progress: Progress = silent) -> list[Path]:
    """Fetch the raw form of a source into a folder.

    Raises:
        UsageError: The source asks for a key or registration that is missing; the message says where to get it.
        DataError: The server refuses, or what arrives is not what was published.
    """
    download = source.download
    if download.access == "registration":
        raise UsageError(
            f"{source.id}: its owner asks for registration: see {source.homepage}, put the files into a folder and "
            "give it with --from"
        )
    if download.reader == "materials_project":
        from .materials_project import fetch

        fetch(source, folder, progress)
        return [folder]
    return [fetch_file(target, progress) for target in targets(source, folder)]


def targets(source: Source, folder: Path) -> list[Target]:
    """Files of the raw form of a source."""
    download = source.download
    if download.reader == "gnome":
        return [Target(f"{download.url.rstrip('/')}/{name}", folder / name) for name in _GNOME_FILES]
    name = download.url.rstrip("/").rpartition("/")[2]
    if download.member:
        name = f"{download.member}.zip"
    return [Target(download.url, folder / name, download.size_bytes, download.md5, download.sha256)]


def fetch_file(target: Target, progress: Progress = silent, *, pause_s: float = 1.0) -> Path:
    """Fetch one file; a part that is there already is continued if the server still has the same file.

    Args:
        target: The file.
        progress: Told how many bytes are there.
        pause_s: First pause after a failure; doubled each time.

    Raises:
        DataError: The server refuses, breaks off every time, or sends something else than was published.
    """
    if target.path.exists():
        return target.path  # a finished name is only given to what was checked
    target.path.parent.mkdir(parents=True, exist_ok=True)
    part = target.path.with_name(f"{target.path.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            _fetch_rest(target, part, progress)
            break
        except _InterruptedError as error:
            if attempt + 1 == ATTEMPTS:
                raise DataError(
                    f"{target.url}: broke off {ATTEMPTS} times ({error}); {part.name} keeps what came, the same call "
                    "goes on from there"
                ) from error
            time.sleep(pause_s * 2**attempt)
    _check(target, part)
    part.replace(target.path)
    _etag_file(part).unlink(missing_ok=True)
    return target.path


class _InterruptedError(Exception):
    """The connection was lost or the server is busy: worth another attempt."""


def _fetch_rest(target: Target, part: Path, progress: Progress) -> None:
    import httpx2

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    known = _etag_file(part)
    tag = known.read_text(encoding="utf-8").strip() if known.exists() else ""
    if have and tag:  # only a file that is known to be the same may be continued
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    try:
        with (
            httpx2.Client(follow_redirects=True, timeout=_TIMEOUT) as client,
            client.stream("GET", target.url, headers=headers) as answer,
        ):
            _write_answer(target, part, answer, have, progress)
    except httpx2.TransportError as error:
        raise _InterruptedError(f"{type(error).__name__}: {error}") from error


def _write_answer(target: Target, part: Path, answer: Any, have: int, progress: Progress) -> None:  # noqa: ANN401
    if answer.status_code == 416:  # nothing is left to send
        return
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        raise _InterruptedError(f"HTTP {answer.status_code}")
    if answer.status_code not in (200, 206):
        raise DataError(f"{target.url}: the server answers HTTP {answer.status_code}; has the file moved?")
    if "text/html" in answer.headers.get("content-type", "") and target.path.suffix in (".zip", ".json", ".csv"):
        raise DataError(f"{target.url}: the server sends a web page, not the file; open the address in a browser")
    start = have if answer.status_code == 206 else 0
    length = answer.headers.get("content-length")
    total = start + int(length) if length else (target.size_bytes or 0)
    tag = answer.headers.get("etag") or answer.headers.get("last-modified") or ""
    if not tag.startswith("W/"):
        write_text(_etag_file(part), tag)
    done = start
    with part.open("ab" if start else "wb") as out:
        for chunk in answer.iter_raw():
            out.write(chunk)
            done += len(chunk)
            progress(f"fetch {target.path.name}", done, total)
    if length and done != total:
        raise _InterruptedError(f"{done:,} of {total:,} bytes")


def _check(target: Target, part: Path) -> None:
    size = part.stat().st_size
    if target.size_bytes is not None and size != target.size_bytes:
        part.unlink()
        raise DataError(f"{target.url}: {size:,} bytes, {target.size_bytes:,} are expected; removed")
    for name, expected in (("md5", target.md5), ("sha256", target.sha256)):
        if expected is None:
            continue
        digest = hashlib.new(name, usedforsecurity=False)
        with part.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != expected:
            part.unlink()
            raise DataError(f"{target.url}: {name} is {digest.hexdigest()}, {expected} is expected; removed")


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
