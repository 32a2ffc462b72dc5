"""Readers of records: a stream of one-crystal dicts, kept as JSON lines, so that it can be cut into pieces.

A zip with one JSON list can only be read from its beginning. It is streamed once into files of JSON lines in the work
folder, the ids beside them; from there on, pieces are read in any order, and the costly step (structure to CIF) runs on
all cores.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from ...errors import DataError
from ...files import replace_file, write_json
from ...progress import Progress
from ..catalogue import Source
from ..cleaning.raw import TEXTS, Broken, RawBatch, raw_table
from ..crystals.errors import StructureError
from ..crystals.structures import cif_of
from .base import InputIdentity, Piece, Plan

FILE_BYTES = 64 << 20
BATCH_RECORDS = 500
KEYS_SEEN_IN = 1000  # records looked at before a missing property is an error
KEYS_SHOWN = 40


@dataclass
class Record:
    """One crystal as a source gives it, in the terms of the benchmark."""

    material_id: str | None
    composition: str | None = None
    cif: str | None = None
    description: str | None = None
    properties: dict[str, object] = field(default_factory=dict)
    repaired: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()


class RecordReader(ABC):
    """A reader whose raw form is a stream of dicts."""

    name = ""
    has_splits = False

    @abstractmethod
    def inputs(self, source: Source, origin: Path) -> list[Path]:
        """Find the files of the raw form."""

    @abstractmethod
    def records(self, source: Source, paths: Sequence[Path], progress: Progress) -> Iterator[Mapping[str, Any]]:
        """Stream the records of those files."""

    @abstractmethod
    def convert(self, source: Source, record: Mapping[str, Any]) -> Record:
        """Bring one record into the terms of the benchmark."""

    def required(self, source: Source) -> dict[str, str]:
        """Properties and their raw names; one that no record has is an error."""
        return raw_names(source)

    def plan(self, source: Source, origin: Path, work: Path, progress: Progress) -> Plan:
        """Stream the records into JSON lines, or take those of an earlier run over the same files."""
        paths = self.inputs(source, origin)
        inputs = tuple(_identity(path) for path in paths)
        folder = work / "records"
        saved = _saved(folder / "index.json", inputs)
        if saved is None:
            pieces = _write_pieces(self._checked(source, paths, progress), folder, source.download.id_column)
            if not pieces:
                raise DataError(f"{paths[0]}: no records in it")
            saved = Plan(pieces=pieces, inputs=inputs)
            write_json(folder / "index.json", saved.model_dump(mode="json"), compact=True)
        return saved

    def read(self, source: Source, piece: Piece, origin: Path) -> Iterator[RawBatch]:
        """Read and convert the records of one piece."""
        del origin
        number = piece.first_row
        batch: list[tuple[int, Mapping[str, Any]]] = []
        for record in _lines(piece):
            batch.append((number, record))
            number += 1
            if len(batch) == BATCH_RECORDS:
                yield self._batch(source, batch)
                batch = []
        if batch:
            yield self._batch(source, batch)

    def read_ids(self, source: Source, piece: Piece) -> Iterator[Sequence[str | None]]:
        """Read the ids of one piece, which were kept apart so that no record is parsed for them."""
        del source
        yield json.loads(_ids_path(piece.path).read_text(encoding="utf-8"))

    def _batch(self, source: Source, numbered: Sequence[tuple[int, Mapping[str, Any]]]) -> RawBatch:
        records, rows, broken = [], [], []
        for number, raw in numbered:
            try:
                records.append(self.convert(source, raw))
                rows.append(number)
            except StructureError as error:
                broken.append(Broken(number, str(error)))
        return batch_of_records(source, records, rows, broken)

    def _checked(self, source: Source, paths: Sequence[Path], progress: Progress) -> Iterator[Mapping[str, Any]]:
        """Pass records on; complain as soon as it is clear that they are another source's."""
        keys: set[str] = set()
        checked = False
        count = 0
        for count, record in enumerate(self.records(source, paths, progress), start=1):
            if count <= KEYS_SEEN_IN:
                keys.update(record)
            elif not checked:
                self._refuse_other_keys(source, paths[0], keys)
                checked = True
            yield record
        if count and not checked:
            self._refuse_other_keys(source, paths[0], keys)

    def _refuse_other_keys(self, source: Source, path: Path, keys: set[str]) -> None:
        wanted = {"id": source.download.id_column, **self.required(source)}
        missing = [name for name in wanted.values() if name not in keys]
        if missing:
            near = [match for name in missing for match in get_close_matches(name, keys, n=1, cutoff=0.75)]
            hint = f" (is it {', '.join(near)}?)" if near else ""
            raise DataError(
                f"{path}: no record has {', '.join(missing)}{hint}. Keys: {', '.join(sorted(keys)[:KEYS_SHOWN])}. Is "
                f"this the dump of '{source.id}'?"
            )


def raw_names(source: Source) -> dict[str, str]:
    """Dataset name of each property: its name in the raw form."""
    columns = source.download.columns
    return {
        prop.name: columns.get(prop.name, columns.get(prop.published_column, prop.published_column))
        for prop in source.properties
    }


def text_of(value: object) -> str | None:
    """Text of a JSON value, as a CSV would hold it; a float as the shortest text that reads back to it."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def fill_structure(record: Record, structure: Any) -> Record:  # noqa: ANN401 - pymatgen's, imported where it is used
    """Write CIF and formula of a structure into a record."""
    try:
        record.cif = cif_of(structure)
        record.composition = record.composition or structure.composition.reduced_formula
    except StructureError:
        record.marked = (*record.marked, "unreadable_structure")
    return record


def batch_of_records(
    source: Source, records: Sequence[Record], rows: Sequence[int], broken: Sequence[Broken]
) -> RawBatch:
    """Lay records out as a table of raw cells."""

    def column(values: Iterator[str | None]) -> pa.Array:
        return pa.array(
            [None if value is None else value.encode("utf-8", "surrogateescape") for value in values], pa.binary()
        )

    columns = {name: column(getattr(record, name) for record in records) for name in TEXTS}
    for prop in source.properties:
        columns[prop.name] = column(text_of(record.properties.get(prop.name)) for record in records)

    def masks(field_name: str) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        rules = sorted({rule for record in records for rule in getattr(record, field_name)})
        return {rule: np.array([rule in getattr(record, field_name) for record in records], np.bool_) for rule in rules}

    return RawBatch(
        raw_table(source, columns, len(records)),
        np.asarray(rows, np.int64),
        tuple(broken),
        repaired=masks("repaired"),
        marked=masks("marked"),
    )


def find_input(origin: Path, names: Sequence[str], what: str) -> Path:
    """Find one file by name, in a folder or as the file itself.

    Raises:
        DataError: It is not there.
    """
    if origin.is_file():
        return origin
    for pattern in names:
        found = sorted(origin.glob(pattern)) if origin.is_dir() else []
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise DataError(
                f"{origin}: {len(found)} files could be {what} ({', '.join(p.name for p in found[:4])}); name one"
            )
    raise DataError(f"{origin}: no {what} ({' or '.join(names)}) there")


def _identity(path: Path) -> InputIdentity:
    status = path.stat()
    return InputIdentity(path=path.absolute(), size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def _saved(index: Path, inputs: tuple[InputIdentity, ...]) -> Plan | None:
    try:
        plan = Plan.model_validate_json(index.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return (
        plan
        if plan.inputs == inputs
        and all(path.exists() for piece in plan.pieces for path in (piece.path, _ids_path(piece.path)))
        else None
    )


def _ids_path(piece: Path) -> Path:
    return piece.with_suffix(".ids.json")


def _write_pieces(records: Iterator[Mapping[str, Any]], folder: Path, id_column: str) -> tuple[Piece, ...]:
    """Write records as files of JSON lines of equal size, a piece each, and the ids of each piece."""
    pieces: list[Piece] = []
    first = 1
    exhausted = False
    while not exhausted:
        path = folder / f"{len(pieces):05d}.jsonl"
        size = count = 0
        ids: list[str | None] = []
        with replace_file(path) as temporary, temporary.open("wb") as out:
            exhausted = True
            for record in records:
                size += out.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
                count += 1
                ids.append(text_of(record.get(id_column)))
                if size >= FILE_BYTES:
                    exhausted = False
                    break
        if count:
            write_json(_ids_path(path), ids, compact=True)
            pieces.append(Piece(path=path.absolute(), split=None, first_row=first, rows=count, offsets=(0, size)))
            first += count
    return tuple(pieces)


def _lines(piece: Piece) -> Iterator[Mapping[str, Any]]:
    with piece.path.open("rb") as handle:
        for line in handle:
            record: Mapping[str, Any] = json.loads(line)
            yield record
