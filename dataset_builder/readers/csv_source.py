"""What the raw CSV forms share: scan, cut, and read named columns; the structure is added by each form itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import DataError
from ...progress import Progress
from ..catalogue import Source
from ..cleaning.raw import Broken, RawBatch
from .base import Piece, Plan
from .columns import find_one
from .csv_batches import read_piece
from .csv_scan import scan_csv
from .records import Record, batch_of_records, raw_names
from .unpack import gunzip, named_as

_GROUP = 500  # rows converted at a time


class CsvSource(ABC):
    """A raw form whose rows stand in one CSV file."""

    name = ""
    has_splits = False

    @abstractmethod
    def find(self, source: Source, origin: Path) -> Path:
        """Find the CSV file."""

    @abstractmethod
    def text_columns(self, source: Source) -> dict[str, tuple[str, ...]]:
        """Names that each text can have in the file; the first that is there is taken, none is an error."""

    @abstractmethod
    def convert(self, source: Source, cells: Mapping[str, str], origin: Path) -> Record:
        """Bring one row into the terms of the benchmark."""

    def others(self, source: Source, origin: Path) -> list[Path]:
        """Files besides the CSV that rows are read from; they must be there before a build begins."""
        del source, origin
        return []

    def plan(self, source: Source, origin: Path, work: Path, progress: Progress) -> Plan:
        """Scan the file."""
        path = self.find(source, origin)
        self.others(source, origin)
        given = path
        if path.suffix == ".gz":
            path = gunzip(path, work / "unpacked" / path.stem, progress)
        with named_as(given, path):
            scan = scan_csv(path, None, progress)
            self._names(source, scan.header, path)
        return Plan(pieces=scan.pieces, inputs=(scan.identity,))

    def read(self, source: Source, piece: Piece, origin: Path) -> Iterator[RawBatch]:
        """Read and convert the rows of one piece."""
        names = self._names(source, piece.columns, piece.path)
        for batch in read_piece(piece, list(dict.fromkeys(names.values()))):
            broken: Sequence[Broken] = batch.broken
            for start in range(0, max(1, len(batch.rows)), _GROUP):
                part = batch.table.slice(start, _GROUP)
                columns = {name: part[column].to_pylist() for name, column in names.items()}
                records = [
                    self.convert(
                        source,
                        {name: cells[i].decode("utf-8", "surrogateescape") for name, cells in columns.items()},
                        origin,
                    )
                    for i in range(part.num_rows)
                ]
                yield batch_of_records(source, records, batch.rows[start : start + _GROUP].tolist(), broken)
                broken = ()

    def read_ids(self, source: Source, piece: Piece) -> Iterator[Sequence[str | None]]:
        """Read the ids alone."""
        column = self._names(source, piece.columns, piece.path)["material_id"]
        for batch in read_piece(piece, [column]):
            yield [value.decode("utf-8", "replace").strip() for value in batch.table[column].to_pylist()]

    def _names(self, source: Source, header: Sequence[str], path: Path) -> dict[str, str]:
        wanted = {**self.text_columns(source), **{name: (raw,) for name, raw in raw_names(source).items()}}
        found = {name: find_one(header, choices) for name, choices in wanted.items()}
        missing = [" or ".join(wanted[name]) for name, column in found.items() if column is None]
        if missing:
            raise DataError(
                f"{path}: no column {', '.join(missing)}. The header is: {', '.join(header[:30])}. Is this the file of "
                f"'{source.id}'?"
            )
        return {name: column for name, column in found.items() if column is not None}
