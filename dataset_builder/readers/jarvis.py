"""The JARVIS figshare dumps, which serve seven of the ten sources: a zip with one JSON list of flat records."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from ...errors import DataError, UsageError
from ...progress import Progress
from ..catalogue import Source
from ..crystals.errors import StructureError
from ..crystals.structures import structure_of_jarvis
from .records import Record, RecordReader, fill_structure, find_input, raw_names, text_of
from .unpack import BoundedStream, open_zip


class Readable(Protocol):
    """What the JSON parser reads from."""

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""


class Jarvis(RecordReader):
    """Reads the zip as it is downloaded, or the JSON file inside it."""

    name = "jarvis"

    def inputs(self, source: Source, origin: Path) -> list[Path]:
        """Find the dump: named as its member, as the number in its address, or the only zip or JSON there."""
        number = source.download.url.rstrip("/").rpartition("/")[2]
        names = [f"{number}.zip", f"{number}", f"{source.id}.zip", f"{source.id}.json", "*.zip", "*.json"]
        if source.download.member:
            names = [f"{source.download.member}.zip", source.download.member, *names]
        return [find_input(origin, names, f"JARVIS dump of '{source.id}'")]

    def records(self, source: Source, paths: Sequence[Path], progress: Progress) -> Iterator[Mapping[str, Any]]:
        """Stream the list of records; never the whole of it in memory."""
        path = paths[0]
        with ExitStack() as stack:
            if zipfile.is_zipfile(path) or path.suffix == ".zip":
                archive = stack.enter_context(open_zip(path))
                member = _member(path, archive, source.download.member)
                stream: Readable = BoundedStream(path, stack.enter_context(archive.open(member)), member.compress_size)
                size = member.file_size
            else:
                stream, size = stack.enter_context(path.open("rb")), path.stat().st_size
            yield from stream_records(path, stream, size, progress)

    def convert(self, source: Source, record: Mapping[str, Any]) -> Record:
        """Take the structure from ``atoms`` and the properties from the top level."""
        out = Record(
            material_id=text_of(record.get(source.download.id_column)),
            description=text_of(record.get("description")),
            properties={name: record.get(raw) for name, raw in raw_names(source).items()},
        )
        atoms = record.get("atoms")
        try:
            structure = structure_of_jarvis(atoms)
        except StructureError:
            out.composition = text_of(record.get("formula"))
            out.marked = ("unreadable_structure",)
            return out
        if any(str(element) != str(element).strip() for element in atoms["elements"]):  # type: ignore[index]
            out.repaired = ("surrounding_blanks",)
        return fill_structure(out, structure)


def stream_records(path: Path, stream: Readable, size: int, progress: Progress) -> Iterator[Mapping[str, Any]]:
    """Parse a JSON list of records as it is read.

    Raises:
        DataError: The JSON ends early or is damaged; the message says after how many records.
    """
    try:
        import ijson
    except ImportError as error:
        raise UsageError("reading a raw dump needs ijson: pip install 'llm4mat-bench[raw]'") from error
    counter = _CountingStream(stream)
    count = 0
    try:
        for record in ijson.items(counter, "item", use_float=True):
            if not isinstance(record, Mapping):
                raise DataError(f"{path}: record {count + 1} is no JSON object; a dump is a list of records")
            count += 1
            if count % 1000 == 0:
                progress(f"read {path.name}", counter.position, size)
            yield record
    except ijson.IncompleteJSONError as error:
        raise DataError(f"{path}: the JSON ends early, after {count:,} records; fetch it again") from error
    except ijson.JSONError as error:
        raise DataError(f"{path}: damaged JSON after {count:,} records: {error}") from error
    if counter.position and count == 0:
        raise DataError(f"{path}: no list of records in it")


class _CountingStream:
    """Counts what is read, for the progress bar, and skips a byte order mark."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        first = self.position == 0
        self.position += len(chunk)
        return chunk.removeprefix(b"\xef\xbb\xbf") if first else chunk


def _member(path: Path, archive: zipfile.ZipFile, name: str | None) -> zipfile.ZipInfo:
    members = [
        one for one in archive.infolist() if one.filename.lower().endswith(".json") and "__MACOSX" not in one.filename
    ]
    named = [one for one in members if name and one.filename.rpartition("/")[2] == name]
    found = named or members
    if len(found) != 1:
        raise DataError(f"{path}: {len(members)} JSON files in it, expected {name or 'one'}")
    return found[0]
