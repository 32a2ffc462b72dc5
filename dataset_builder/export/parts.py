"""Build one part: read a piece, clean it, write its rows by split. Parts are independent; a finished one is kept."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...files import replace_file, write_json
from ..catalogue import SPLITS, Source
from ..cleaning.rows import KEY_NAMES, CleanBatch, clean_batch
from ..crossings.marks import bit
from ..crystals.cif_fields import CifPolicy, stripped_column
from ..dataset_folder.features import dataset_schema
from ..dataset_folder.layout import STRIPPED
from ..dataset_folder.parquet import write_shard
from ..readers.base import Piece
from ..readers.registry import get_reader

UNASSIGNED = "unassigned"  # rows that are in no split: not in the manifest, or without an id
EXAMPLES = 5


class PartJob(BaseModel):
    """Everything needed to build one part, anywhere that sees the same files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    reader: str
    piece: Piece
    origin: Path
    number: int
    folder: Path
    assignment: Path | None = Field(default=None, description="npz of id hashes and split codes")
    cif_policy: CifPolicy = "keep"
    fingerprint: str = Field(description="of the inputs, the options and the code")


class SplitCounts(BaseModel):
    """What a part holds of one split."""

    model_config = ConfigDict(extra="forbid")

    read: int = 0
    rows: int = 0
    text_bytes: int = 0
    dropped: dict[str, list[tuple[int, str]]] = Field(default_factory=dict)
    repaired: dict[str, int] = Field(default_factory=dict)
    unreadable: dict[str, int] = Field(default_factory=dict)
    decimal_commas: dict[str, int] = Field(default_factory=dict)
    filled: dict[str, int] = Field(default_factory=dict)
    missing: dict[str, int] = Field(default_factory=dict)
    examples: dict[str, list[str]] = Field(default_factory=dict)


class PartReport(BaseModel):
    """What one part holds; written last, so that a part with a report is complete."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    number: int
    splits: dict[str, SplitCounts] = Field(default_factory=dict)


def report_path(folder: Path, number: int) -> Path:
    """Path of a part's report."""
    return folder / f"{number:05d}.json"


def data_path(folder: Path, number: int, split: str) -> Path:
    """Path of a part's rows of one split."""
    return folder / f"{number:05d}-{split}.parquet"


def keys_path(folder: Path, number: int, split: str) -> Path:
    """Path of the ids, row numbers, hashes and marks of a part's rows of one split."""
    return folder / f"{number:05d}-{split}.keys.parquet"


def finished_part(job: PartJob) -> PartReport | None:
    """Return the report of a part that an earlier run finished with the same inputs, options and code."""
    path = report_path(job.folder, job.number)
    try:
        report = PartReport.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return report if report.fingerprint == job.fingerprint else None


def build_part(job: PartJob) -> PartReport:
    """Build one part unless it is there already.

    Raises:
        DataError: The input cannot be read; the message names file and row.
    """
    done = finished_part(job)
    if done is not None:
        return done
    pa.set_cpu_count(1)  # parts run side by side; each keeps to one core
    schema = dataset_schema(job.source)
    reader = get_reader(job.reader)
    assignment = load_assignment(job.assignment) if job.assignment else None
    splits: dict[str, _SplitPart] = {}
    for raw in reader.read(job.source, job.piece, job.origin):
        batch = clean_batch(raw, job.source, schema)
        if assignment is None:
            part = splits.setdefault(str(job.piece.split), _SplitPart())
            part.add_rows(batch, np.ones(len(batch.rows), np.bool_))
            part.add_findings(batch)
        else:
            _distribute(batch, assignment, splits)
    report = PartReport(fingerprint=job.fingerprint, number=job.number)
    extra = (STRIPPED,) if job.cif_policy == "strip-derived" else ()
    for split, part in sorted(splits.items()):
        report.splits[split] = part.counts
        if split != UNASSIGNED:
            part.write(job, split, schema, dataset_schema(job.source, extra))
    write_json(report_path(job.folder, job.number), report.model_dump(mode="json"), compact=True)
    return report


class _SplitPart:
    """Rows of one split while a part is built."""

    def __init__(self) -> None:
        self.counts = SplitCounts()
        self._tables: list[pa.Table] = []
        self._keys: list[pa.Table] = []

    def add_rows(self, batch: CleanBatch, mask: NDArray[np.bool_]) -> None:
        """Take the rows of a batch that the mask names."""
        table, keys = batch.table, _keys_table(batch)
        if not mask.all():
            table, keys = table.filter(pa.array(mask)), keys.filter(pa.array(mask))
        self._tables.append(table)
        self._keys.append(keys)
        self.counts.rows += table.num_rows
        self.counts.read += table.num_rows

    def add_findings(self, batch: CleanBatch) -> None:
        """Take what was dropped and repaired in a batch."""
        counts = self.counts
        for rule, rows in batch.dropped.items():
            counts.dropped.setdefault(rule, []).extend(rows)
            counts.read += len(rows)
        counts.repaired = dict(Counter(counts.repaired) + batch.repaired)
        for name in ("unreadable", "decimal_commas", "filled"):
            setattr(counts, name, dict(Counter(getattr(counts, name)) + getattr(batch, name)))
        for rule, examples in batch.examples.items():
            counts.examples[rule] = (counts.examples.get(rule, []) + examples)[:EXAMPLES]

    def write(self, job: PartJob, split: str, schema: pa.Schema, full_schema: pa.Schema) -> None:
        table = pa.concat_tables(self._tables) if self._tables else schema.empty_table()
        self._tables = []
        if full_schema != schema:
            stripped = pa.chunked_array([stripped_column(chunk) for chunk in table["cif"].chunks] or [[]], pa.string())
            table = table.append_column(STRIPPED, stripped).select(full_schema.names)
        table = table.cast(full_schema)
        self.counts.text_bytes = table.nbytes
        self.counts.missing = {name: table[name].null_count for name in table.column_names if table[name].null_count}
        write_shard(table, data_path(job.folder, job.number, split))
        del table
        with replace_file(keys_path(job.folder, job.number, split)) as temporary:
            pq.write_table(pa.concat_tables(self._keys), temporary, compression="zstd")


def _keys_table(batch: CleanBatch) -> pa.Table:
    bits = np.zeros(len(batch.rows), np.uint32)
    for rule, mask in batch.marks.items():
        bits[mask] |= bit(rule)
    return pa.table(
        {
            "id": batch.table["material_id"],
            "number": batch.rows,
            **{name: batch.keys[name] for name in KEY_NAMES},
            "bits": bits,
        }
    )


class Assignment:
    """Which split an id is in, as sorted hashes: a few bytes a row, where a dict would take a hundred."""

    def __init__(self, hashes: NDArray[np.uint64], codes: NDArray[np.uint8]) -> None:
        self._hashes, self._codes = hashes, codes

    def lookup(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Code of each id's split (its place in ``SPLITS``), ``len(SPLITS)`` where it is in none."""
        if not len(self._hashes):
            return np.full(len(hashes), len(SPLITS), np.uint8)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[places] == hashes, self._codes[places], np.uint8(len(SPLITS)))


def load_assignment(path: Path) -> Assignment:
    """Read an assignment that the planning wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Assignment(arrays["hashes"], arrays["codes"])


def rows_of_split(batch: CleanBatch, assignment: Assignment | None, split: str) -> NDArray[np.bool_]:
    """Mask of the rows of a batch that are in a split; all of them where the file decides."""
    if assignment is None:
        return np.ones(len(batch.rows), np.bool_)
    return np.asarray(assignment.lookup(batch.keys["material_id"]) == SPLITS.index(split))


def _distribute(batch: CleanBatch, assignment: Assignment, splits: dict[str, _SplitPart]) -> None:
    codes = assignment.lookup(batch.keys["material_id"])
    for code, split in enumerate(SPLITS):
        mask = np.asarray(codes == code)
        if mask.any():
            splits.setdefault(split, _SplitPart()).add_rows(batch, mask)
    # What was dropped and repaired before the split was known, and rows that no split wants.
    rest = splits.setdefault(UNASSIGNED, _SplitPart())
    rest.add_findings(batch)
    outside = batch.rows[codes == len(SPLITS)]
    if len(outside):
        rest.counts.dropped.setdefault("in_no_split", []).extend((int(row), "") for row in outside)
        rest.counts.read += len(outside)


def job_fingerprint(*parts: str) -> str:
    """SHA-256 over what a part depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
