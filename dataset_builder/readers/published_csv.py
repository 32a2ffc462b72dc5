"""The published CSVs: one folder a source with ``train.csv``, ``validation.csv`` and ``test.csv``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError
from ...progress import Progress
from ..catalogue import SPLITS, Source
from ..cleaning.cells import MISSING_TEXTS, Mask
from ..cleaning.raw import Broken, RawBatch, raw_table
from ..crystals.errors import StructureError
from ..crystals.structures import cif_of_structure_text
from .base import Piece, Plan
from .columns import find_columns
from .csv_batches import read_piece
from .csv_scan import scan_csv
from .unpack import gunzip, named_as


class PublishedCsv:
    """Reads the folder of one source; a file may be gzipped."""

    name = "published_csv"
    has_splits = True

    def plan(self, source: Source, origin: Path, work: Path, progress: Progress) -> Plan:
        """Scan the three files."""
        folder = self._folder(source, origin)
        pieces: list[Piece] = []
        inputs, notes, absent = [], [], []
        for split in SPLITS:
            path = self._file(folder, split)
            if path is None:
                absent.append(str(folder / f"{split}.csv"))
                continue
            given = path
            if path.suffix == ".gz":
                path = gunzip(path, work / "unpacked" / path.stem, progress)
            with named_as(given, path):
                scan = scan_csv(path, split, progress)
                columns = find_columns(scan.header, source, path)
            ignored = [
                name or "(no name)" for name in scan.header if name not in {*columns[:5], *columns.properties.values()}
            ]
            if ignored:
                notes.append(f"{path.name}: columns not taken: {', '.join(ignored)}")
            if columns.description is None:
                notes.append(f"{path.name}: no column with descriptions")
            pieces += scan.pieces
            inputs.append(scan.identity)
        return Plan(pieces=tuple(pieces), inputs=tuple(inputs), absent=tuple(absent), notes=tuple(notes))

    def read(self, source: Source, piece: Piece, origin: Path) -> Iterator[RawBatch]:
        """Read a piece; a CIF that is missing is made from the structure column."""
        del origin
        names = find_columns(piece.columns, source, piece.path)
        wanted = {
            "material_id": names.material_id,
            "composition": names.composition,
            "cif": names.cif,
            "description": names.description,
            **names.properties,
        }
        given = {name: column for name, column in wanted.items() if column is not None}
        for batch in read_piece(piece, list(dict.fromkeys(given.values()))):
            columns = {name: batch.table[column].combine_chunks() for name, column in given.items()}
            rows, broken = batch.rows, batch.broken
            header = _is_header(columns, given)
            if header.any():  # files put one behind the other
                broken = (*broken, *(Broken(int(row), "the header once more") for row in rows[header]))
                columns = {name: column.filter(pa.array(~header)) for name, column in columns.items()}
                rows = rows[~header]
            repaired, marked = {}, {}
            if names.structure is not None and (missing := _missing(columns.get("cif"), len(rows))).any():
                structures = batch.another(names.structure).filter(pa.array(~header))
                columns["cif"], made, failed = _fill_cifs(columns.get("cif"), structures, missing)
                if made.any():
                    repaired["cif_from_structure"] = made
                if failed.any():
                    marked["unreadable_structure"] = failed
            yield RawBatch(raw_table(source, columns, len(rows)), rows, broken, repaired=repaired, marked=marked)

    def read_ids(self, source: Source, piece: Piece) -> Iterator[Sequence[str | None]]:
        """Read the ids alone."""
        column = find_columns(piece.columns, source, piece.path).material_id
        for batch in read_piece(piece, [column]):
            yield [value.decode("utf-8", "replace").strip() for value in batch.table[column].to_pylist()]

    def _folder(self, source: Source, origin: Path) -> Path:
        if not origin.is_dir():
            raise DataError(f"{origin}: no such folder; --from takes the folder of the published CSVs")
        folder = published_folder(source, origin)
        if folder is None:
            raise DataError(
                f"{origin}: neither {source.published.folder}/train.csv nor train.csv; --from takes the folder that "
                f"holds '{source.published.folder}'"
            )
        return folder

    def _file(self, folder: Path, split: str) -> Path | None:
        found = _candidates(folder, split)
        if not found:
            return None
        if len(found) > 1:
            raise DataError(f"{folder}: both {found[0].name} and {found[1].name}; leave one of them")
        return found[0]


def published_folder(source: Source, origin: Path) -> Path | None:
    """Find the folder with a source's CSVs: named as published, by an older name, or ``origin`` itself."""
    for folder in (origin / source.published.folder, *(origin / alias for alias in source.aliases), origin):
        if any(_candidates(folder, split) for split in SPLITS):
            return folder
    return None


def _candidates(folder: Path, split: str) -> list[Path]:
    return [path for ending in (".csv", ".csv.gz") if (path := folder / f"{split}{ending}").is_file()]


def _missing(cifs: pa.Array | None, count: int) -> Mask:
    """Mask of rows without a CIF."""
    if cifs is None:
        return np.ones(count, np.bool_)
    missing = np.asarray(pc.less(pc.binary_length(cifs), 16).fill_null(True))  # no CIF is so short
    for index in np.flatnonzero(missing):
        text = (cifs[int(index)].as_py() or b"").decode("utf-8", "replace").strip().casefold()
        missing[index] = text in MISSING_TEXTS
    return missing


def _is_header(columns: dict[str, pa.Array], names: dict[str, str]) -> Mask:
    """Mask of rows that repeat the header."""
    found = np.ones(len(columns["material_id"]), np.bool_)
    for name in ("material_id", "composition"):
        if name in names:
            found &= np.asarray(pc.equal(columns[name], names[name].encode()).fill_null(False))
    return found


def _fill_cifs(cifs: pa.Array | None, structures: pa.Array, missing: Mask) -> tuple[pa.Array, Mask, Mask]:
    """Make the CIFs that are missing; returns CIFs, mask of those made, mask of structures that cannot be read."""
    count = len(structures)
    made, failed = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    filled = [None] * count if cifs is None else cifs.to_pylist()
    for index in np.flatnonzero(missing):
        text = structures[int(index)].as_py().decode("utf-8", "replace").strip()
        if text.casefold() in MISSING_TEXTS:
            continue
        try:
            filled[index] = cif_of_structure_text(text).encode()
            made[index] = True
        except StructureError:
            failed[index] = True
    return pa.array(filled, pa.binary()), made, failed
