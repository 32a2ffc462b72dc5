"""What readers share: pieces of work, and the table of raw cells they all give."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ...progress import Progress
from ..catalogue import Source
from ..cleaning.raw import RawBatch

PIECE_BYTES = 128 << 20  # input of one piece of work, and so, about, the text of one shard
BATCH_BYTES = 8 << 20  # what is parsed at a time
FIELD_LIMIT = 64 << 20  # longest row; the longest published CIF is under 1 MB


class InputIdentity(BaseModel):
    """A file that was read: name, size, hash, and the time stamp by which a change is noticed without reading it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    size_bytes: int
    mtime_ns: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Name without the folder, which differs from machine to machine."""
        return self.path.name


class Piece(BaseModel):
    """One piece of work: a run of whole rows of one file. Pieces do not depend on the number of workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    split: str | None  # None: the row's id decides
    first_row: int  # number of the first row, counted from 1
    rows: int
    offsets: tuple[int, ...]  # byte offsets of batches: start of the first, ..., end of the last
    columns: tuple[str, ...] = ()  # header of a CSV


class Plan(BaseModel):
    """All pieces of a source, the files they come from, and what a reader had to say about them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pieces: tuple[Piece, ...]
    inputs: tuple[InputIdentity, ...]
    absent: tuple[str, ...] = ()  # files that should be there; only --allow-partial goes on without them
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """A raw form. A reader is stateless: pieces go to other processes and machines by value."""

    name: str
    has_splits: bool  # True where the files themselves say which split a row is in

    def plan(self, source: Source, origin: Path, work: Path, progress: Progress) -> Plan:
        """Find the files, check their form, and cut them into pieces; unpacked files go to ``work``."""

    def read(self, source: Source, piece: Piece, origin: Path) -> Iterator[RawBatch]:
        """Read one piece in batches."""

    def read_ids(self, source: Source, piece: Piece) -> Iterator[Sequence[str | None]]:
        """Read only the ids of one piece, in batches."""
