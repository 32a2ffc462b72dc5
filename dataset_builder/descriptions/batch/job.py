"""Describe a whole file or folder into one file; killed at any moment, it goes on where it stopped."""

import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ....journal import Journal, JournalError
from ....progress import Progress, silent
from .entries import Entry, Fingerprint, Scan, Source, weight
from .errors import DescribeInputError, DescribeUsageError
from .pool import Executor
from .records import Outcome, Settings, Status, Task
from .summary import Summary, sum_up
from .table import Form, form_of, read_header, read_rows, write_rows
from .versions import library_versions

FORMAT = "llm4mat-bench descriptions 1"
WINDOW_ROWS = 16_384
WINDOW_WEIGHT = 64 * 2**20
"""So many rows, or so much text, are held at once and begun with the largest."""
REMEDY = "finish that run, choose another --out, or discard it with --overwrite"


class _Known(NamedTuple):
    """What the first reading of the input found."""

    scan: Scan
    checks: "array[int]"
    """CRC-32 of each text, to notice an input that changes while it is read."""
    weights: "array[int]"


def run_job(
    source: Source,
    out: Path,
    settings: Settings,
    executor: Callable[[], Executor],
    *,
    overwrite: bool = False,
    form: Form | None = None,
    progress: Progress = silent,
) -> Summary:
    """Describe every structure of a source.

    Finished rows go to ``OUT.journal`` at once; when all are there, ``OUT`` is written whole and the journal removed.
    The bytes of ``OUT`` hang on input, settings and library versions only.

    Args:
        source: The structures.
        out: The file to write.
        settings: How to describe.
        executor: Starts what does the work.
        overwrite: Replace a file, and discard a journal, that another input or other settings made. A journal of
            this very run is always continued.
        form: Parquet, JSON lines or CSV; by the ending of ``out`` where left out. Only a Parquet file says what made
            it: one of another form that is there is never taken for finished.
        progress: Told of rows, and of the length of their texts, as large structures take longer.

    Raises:
        DescribeInputError: The input cannot be read, or changed meanwhile.
        DescribeUsageError: ``out`` cannot be what it says.
        JournalError: ``out`` or its journal belongs to another run, or is in use.
        DataError: ``out`` or its journal cannot be written.
        PoolError: The workers cannot be started.
    """
    begun = time.monotonic()
    if out.is_dir():
        raise DescribeUsageError(f"--out is a folder: {out}")
    form = form_of(out, form)
    try:
        with closing(executor()) as workers:  # begins to import while the input is read
            known = _scan(source, progress)
            header = _header(source, settings, known.scan)
            place = out.with_name(out.name + ".journal")
            if out.exists() and not overwrite and form != "parquet" and not place.exists():
                raise JournalError(f"{out} exists: choose another --out, or replace it with --overwrite")
            if out.exists() and not overwrite and form == "parquet":
                return _finished_before(out, place, header, source, known, begun)
            with Journal(place, header, remedy=REMEDY, exclusive=True, discard_other=overwrite) as journal:
                resumed = len(journal)
                _work(source, known, journal, workers, progress)
                write_rows(out, _rows(journal), header, condensed=settings.condensed, form=form)
                summary = sum_up(_rows(journal), out, source, known.scan, resumed, begun)
                journal.remove()
                return summary
    except OSError as error:
        where = error.filename or "the input"
        raise DescribeInputError(
            f"{where}: {error.strerror}. Mend that and run again: it goes on from there"
        ) from error


def _header(source: Source, settings: Settings, scan: Scan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "input": {"kind": source.kind, "rows": scan.rows, "sha256": scan.sha256},
        "settings": settings.model_dump(),
        "versions": library_versions(),
    }


def _scan(source: Source, progress: Progress) -> _Known:
    fingerprint, checks, weights = Fingerprint(), array("I"), array("Q")
    for number, entry in enumerate(source.entries(), 1):
        fingerprint.add(entry)
        checks.append(_check(entry))
        weights.append(weight(entry))
        if number % 500 == 0:
            progress("reading", number, 0)
    if not checks:
        raise DescribeInputError("the input has no rows")
    return _Known(fingerprint.result(), checks, weights)


def _check(entry: Entry) -> int:
    return zlib.crc32(repr(entry).encode("utf-8", "surrogatepass"))


def _finished_before(
    out: Path, place: Path, header: dict[str, Any], source: Source, known: _Known, begun: float
) -> Summary:
    found = read_header(out)
    if found != header:
        other = "was made from other input, settings or versions" if found else "was not made by this command"
        raise JournalError(f"{out} exists and {other}: choose another --out, or replace it with --overwrite")
    if place.exists():  # killed after the file was complete and before the journal was removed
        with Journal(place, header, remedy=REMEDY, exclusive=True) as journal:
            journal.remove()
    return sum_up(read_rows(out), out, source, known.scan, known.scan.rows, begun)


def _rows(journal: Journal) -> Iterator[dict[str, Any]]:
    """Give the rows of a complete journal, in the order of the input."""
    for index, (key, row) in enumerate(journal.items()):
        if key != index or not isinstance(row, dict):
            raise JournalError(f"{journal.path} has no row {index}: {REMEDY}")
        yield row


class _Tally:
    """Which rows are finished, and what is told of it."""

    def __init__(self, known: _Known, journal: Journal, progress: Progress) -> None:
        self.finished = bytearray(known.scan.rows)
        for key in journal.keys():  # noqa: SIM118 - not a dict
            if isinstance(key, int) and 0 <= key < known.scan.rows:
                self.finished[key] = 1
        self._known = known
        self._progress = progress
        self._count = sum(self.finished)
        self._weight = sum(size for index, size in enumerate(known.weights) if self.finished[index])
        self._failed = 0
        progress("describing", self._count, known.scan.rows)
        if not self.complete:
            progress("loading Robocrystallographer", 0, 0)

    @property
    def complete(self) -> bool:
        return self._count == self._known.scan.rows

    def add(self, outcome: Outcome) -> None:
        self.finished[outcome.index] = 1
        self._count += 1
        self._weight += self._known.weights[outcome.index]
        self._progress("describing", self._count, self._known.scan.rows)
        self._progress("characters of input", self._weight, self._known.scan.weight)
        if outcome.status is not Status.OK:
            self._failed += 1
            self._progress("without a description", self._failed, 0)


def _work(source: Source, known: _Known, journal: Journal, workers: Executor, progress: Progress) -> None:
    tally = _Tally(known, journal, progress)
    entries: dict[int, Entry] = {}

    def finish(outcome: Outcome) -> None:
        entry = entries.pop(outcome.index, None)
        if entry is None:  # answered twice, by a worker that was given up too early
            return
        row = {"id": entry.id, "origin": entry.origin, **outcome.model_dump(mode="json", exclude={"index"})}
        journal.put({outcome.index: {key: value for key, value in row.items() if value is not None}})
        tally.add(outcome)

    todo = _largest_first(_unfinished(source, known, tally.finished))
    while True:
        new: list[Task] = []
        while workers.in_flight + len(new) < workers.capacity:
            index, entry = next(todo, (-1, None))
            if entry is None:
                break
            entries[index] = entry
            if entry.text is None:
                finish(Outcome(index=index, status=Status.BAD_CIF, reason=entry.problem))
            else:
                new.append(Task(index, entry.text))
        if not new and not workers.in_flight:
            break
        for outcome in workers.exchange(new):
            finish(outcome)
    if not tally.complete:
        raise DescribeInputError("the input has fewer rows than when it was first read; run again")


def _unfinished(source: Source, known: _Known, finished: bytearray) -> Iterator[tuple[int, Entry]]:
    for index, entry in enumerate(source.entries()):
        if index >= known.scan.rows or known.checks[index] != _check(entry):
            raise DescribeInputError(f"row {index} ({entry.id}) of the input changed while it was read; run again")
        if not finished[index]:
            yield index, entry


def _largest_first(entries: Iterable[tuple[int, Entry]]) -> Iterator[tuple[int, Entry]]:
    """Give the largest of each window first, so that no giant is begun when all else is done."""
    window: list[tuple[int, Entry]] = []
    size = 0
    for index, entry in entries:
        window.append((index, entry))
        size += weight(entry)
        if len(window) >= WINDOW_ROWS or size >= WINDOW_WEIGHT:
            yield from sorted(window, key=lambda pair: (-weight(pair[1]), pair[0]))
            window, size = [], 0
    yield from sorted(window, key=lambda pair: (-weight(pair[1]), pair[0]))
