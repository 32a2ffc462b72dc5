"""What the command ``describe`` does, and how it shows progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..dataset_builder.descriptions.defaults import Style
from ..dataset_builder.descriptions.errors import DescribeUsageError
from ..dataset_builder.descriptions.inputs import Source, open_source
from ..dataset_builder.descriptions.job import RowSummary, Summary, Watcher, run_job
from ..dataset_builder.descriptions.many import available_workers, to_record
from ..dataset_builder.descriptions.on_ray import RayCluster
from ..dataset_builder.descriptions.pool import Executor, LocalPool
from ..dataset_builder.descriptions.records import (
    DescriptionRecord,
    Outcome,
    Settings,
    Status,
    Task,
)
from ..errors import DataError
from .console import err, out, print_json

LINE_SECONDS = 60.0
"""Where standard error is not a terminal, a line this often stands for the progress bar."""


def describe_input(
    source: Path,
    result: Path | None,
    *,
    workers: int | None,
    style: Style,
    timeout: float,
    memory: int,
    condensed: bool,
    column: str | None,
    id_column: str | None,
    ray: str | None,
    overwrite: bool,
    strict: bool,
    describer: str,
    as_json: bool,
) -> None:
    """Do what the command ``describe`` was called for; its options say what they mean."""
    if workers is not None and ray is not None:
        raise DescribeUsageError("--workers is for this machine; a Ray cluster uses its own processors")
    settings = Settings(style=style, timeout=timeout, memory_mb=memory, condensed=condensed, describer=describer)
    entries = open_source(source, column, id_column)

    def start() -> Executor:
        return LocalPool(settings, workers or available_workers()) if ray is None else RayCluster(settings, ray)

    if result is None:
        if entries.kind != "file":
            raise DescribeUsageError(f"{source} holds many structures: say with --out FILE.parquet where they go")
        _print_one(source, entries, start, as_json=as_json)
        return
    try:
        with _watch() as watcher:
            summary = run_job(entries, result, settings, start, overwrite=overwrite, watcher=watcher)
    except KeyboardInterrupt:
        err.print("stopped. The same call goes on where it left off.")
        raise typer.Exit(130) from None
    if as_json:
        print_json({**summary.model_dump(mode="json"), "failed": summary.failed})
    else:
        _print_summary(summary)
    if strict and summary.failed:
        raise typer.Exit(1)


def _print_one(path: Path, source: Source, start: Callable[[], Executor], *, as_json: bool) -> None:
    (entry,) = source.entries()
    if entry.text is None:
        raise DataError(f"{path}: {entry.problem}")
    pool = start()
    try:
        with err.status("loading Robocrystallographer (about 20 s) and describing"):
            (outcome,) = pool.exchange([Task(0, entry.text)])
    finally:
        pool.close()
    record: DescriptionRecord = to_record(entry.id, outcome)
    if as_json:
        print_json(record.model_dump(mode="json"))
    if record.status is not Status.OK:
        raise DataError(f"{path}: {record.status}: {record.reason}")
    if not as_json:
        typer.echo(record.description)


def _print_summary(summary: Summary) -> None:
    done = summary.counts[Status.OK]
    title = f"{done:,} of {summary.rows:,} described → {summary.out}"
    if summary.resumed == summary.rows:
        title += " (it was complete)"
    elif summary.resumed:
        title += f" ({summary.resumed:,} by an earlier run)"
    out.print(title, markup=False, highlight=False, soft_wrap=True)
    if not summary.failed:
        return
    counts = Table("status", "rows", title="Without a description")
    counts.columns[1].justify = "right"
    for status, count in summary.counts.items():
        if count and status is not Status.OK:
            counts.add_row(status, f"{count:,}")
    out.print(counts)
    first = Table("id", "status", "reason", title=f"The first {len(summary.failures)} of {summary.failed:,}")
    for row in summary.failures:
        first.add_row(escape(_place(row)), row.status, escape(row.reason or ""))
    out.print(first)


def _place(row: RowSummary) -> str:
    return f"{row.id} ({row.origin})" if row.origin and not row.origin.startswith(row.id) else row.id


@contextmanager
def _watch() -> Iterator[Watcher]:
    if not err.is_terminal:
        yield _Lines()
        return
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        speed_estimate_period=600,
        transient=True,
    )
    with progress:
        yield _Bar(progress)


class _Tally:
    """Counts rows and their rate for either kind of display."""

    def __init__(self) -> None:
        self._rows = self._done = self._before = self._failed = 0
        self._weight = self._weight_done = self._weight_before = 0
        self._begun = time.monotonic()

    def _begin(self, rows: int, weight: int, rows_done: int, weight_done: int) -> None:
        self._rows, self._done, self._before = rows, rows_done, rows_done
        self._weight, self._weight_done, self._weight_before = weight, weight_done, weight_done
        self._begun = time.monotonic()

    def _count(self, weight: int, outcome: Outcome) -> None:
        self._done += 1
        self._weight_done += weight
        self._failed += outcome.status is not Status.OK

    def _said(self) -> str:
        elapsed = max(time.monotonic() - self._begun, 1e-9)
        failed = f", {self._failed:,} without a description" if self._failed else ""
        return f"{self._done:,} of {self._rows:,}, {(self._done - self._before) / elapsed:.1f} a second{failed}"

    def _left(self) -> str:
        worked = self._weight_done - self._weight_before
        seconds = (time.monotonic() - self._begun) / max(worked, 1) * (self._weight - self._weight_done)
        return f"{seconds / 60:,.0f} min left"


class _Bar(_Tally):
    """A progress bar. It moves by the length of the texts, as large structures go first and take longer."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._bar = progress.add_task("reading", total=None, count="")

    def scanned(self, rows: int) -> None:
        """Show how much of the input was read."""
        self._progress.update(self._bar, count=f"{rows:,} rows")

    def begin(self, rows: int, weight: int, rows_done: int, weight_done: int) -> None:
        """Change from reading to working."""
        self._begin(rows, weight, rows_done, weight_done)
        self._progress.remove_task(self._bar)
        self._bar = self._progress.add_task(
            "loading Robocrystallographer", total=weight, completed=weight_done, count=self._said()
        )

    def finished(self, weight: int, outcome: Outcome) -> None:
        """Move the bar."""
        self._count(weight, outcome)
        self._progress.update(self._bar, advance=weight, description="describing", count=self._said())


class _Lines(_Tally):
    """A line now and then, for a log."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

    def scanned(self, rows: int) -> None:
        """Say how much of the input was read."""
        if self._due():
            err.print(f"reading: {rows:,} rows", highlight=False)

    def begin(self, rows: int, weight: int, rows_done: int, weight_done: int) -> None:
        """Say what an earlier run had done."""
        self._begin(rows, weight, rows_done, weight_done)
        if rows_done:
            err.print(f"going on: {rows_done:,} of {rows:,} were done", highlight=False)

    def finished(self, weight: int, outcome: Outcome) -> None:
        """Say how far it is."""
        self._count(weight, outcome)
        if self._due():
            err.print(f"{self._said()}, {self._left()}", highlight=False, soft_wrap=True)

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= LINE_SECONDS
        if due:
            self._last = now
        return due
