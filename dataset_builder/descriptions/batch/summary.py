"""What a run came to: counts, the first failures, the slowest structures."""

import heapq
import time
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from xxhash import xxh3_64_intdigest

from .entries import Scan, Source
from .records import Status

FAILURES_SHOWN = 20
PASSED_OVER_SHOWN = 20
SLOWEST_SHOWN = 5


class RowSummary(BaseModel):
    """One row that a reader of a summary should know of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    origin: str | None
    status: Status
    reason: str | None
    n_sites: int | None
    seconds: float | None


class Summary(BaseModel):
    """What a run came to. Times are of this machine and are not part of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str
    rows: int
    resumed: int
    """Rows that earlier, unfinished runs had done."""
    ignored_files: int
    passed_over: list[str] = []
    """The first few of those files."""
    remarked: int = 0
    """Rows with a description and a reason: what one must know of it."""
    repeated_ids: int = 0
    """Rows whose id an earlier row has."""
    first_repeat: tuple[int, int] | None = None
    """Numbers of the first two rows with one id, counted from 1."""
    counts: dict[Status, int]
    input_sha256: str
    wall_seconds: float
    worker_seconds: float | None
    failures: list[RowSummary]
    """The first few, in the order of the input."""
    slowest: list[RowSummary]

    @property
    def failed(self) -> int:
        """Rows without a description."""
        return self.rows - self.counts.get(Status.OK, 0)


def sum_up(
    rows: Iterable[dict[str, Any]], out: Path, source: Source, scan: Scan, resumed: int, begun: float
) -> Summary:
    """Read the rows once and sum them up.

    Args:
        rows: All rows, as they stand in the journal or the finished file.
        out: The finished file.
        source: Where the structures came from.
        scan: What the first reading of it found.
        resumed: How many rows earlier runs had done.
        begun: When this run began, by the monotonic clock.
    """
    counts: Counter[Status] = Counter()
    failures: list[RowSummary] = []
    slowest: list[tuple[float, int, RowSummary]] = []
    total: float | None = None
    remarked = 0
    ids = array("Q")
    for number, row in enumerate(rows):
        status = Status(row["status"])
        counts[status] += 1
        remarked += status is Status.OK and row.get("reason") is not None
        ids.append(xxh3_64_intdigest(row["id"].encode("utf-8", "surrogatepass")))
        seconds = row.get("seconds")
        short = RowSummary(
            id=row["id"],
            origin=row.get("origin"),
            status=status,
            reason=row.get("reason"),
            n_sites=row.get("n_sites"),
            seconds=seconds,
        )
        if status is not Status.OK and len(failures) < FAILURES_SHOWN:
            failures.append(short)
        if seconds is not None:
            total = (total or 0.0) + seconds
            entry = (seconds, number, short)
            heapq.heappush(slowest, entry) if len(slowest) < SLOWEST_SHOWN else heapq.heappushpop(slowest, entry)
    repeated, first_repeat = _repeats(ids)
    return Summary(
        out=str(out),
        rows=scan.rows,
        resumed=resumed,
        ignored_files=source.ignored,
        passed_over=list(source.passed_over[:PASSED_OVER_SHOWN]),
        remarked=remarked,
        repeated_ids=repeated,
        first_repeat=first_repeat,
        counts={status: counts[status] for status in Status},
        input_sha256=scan.sha256,
        wall_seconds=time.monotonic() - begun,
        worker_seconds=total,
        failures=failures,
        slowest=[short for _, _, short in sorted(slowest, reverse=True)],
    )


def _repeats(ids: "array[int]") -> tuple[int, tuple[int, int] | None]:
    """Count the rows whose id (as a 64-bit hash) an earlier row has, and find the first of them."""
    hashes = np.frombuffer(ids, np.uint64) if len(ids) else np.empty(0, np.uint64)
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[group] != np.arange(len(hashes)))
    if not len(later):
        return 0, None
    return len(later), (int(first[group[later[0]]]) + 1, int(later[0]) + 1)
