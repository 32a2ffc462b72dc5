"""What a run came to: counts, the first failures, the slowest structures."""

import heapq
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

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
    for number, row in enumerate(rows):
        status = Status(row["status"])
        counts[status] += 1
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
    return Summary(
        out=str(out),
        rows=scan.rows,
        resumed=resumed,
        ignored_files=source.ignored,
        passed_over=list(source.passed_over[:PASSED_OVER_SHOWN]),
        counts={status: counts[status] for status in Status},
        input_sha256=scan.sha256,
        wall_seconds=time.monotonic() - begun,
        worker_seconds=total,
        failures=failures,
        slowest=[short for _, _, short in sorted(slowest, reverse=True)],
    )
