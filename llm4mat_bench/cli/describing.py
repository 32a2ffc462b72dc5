"""What the command ``describe`` does."""

from collections.abc import Callable
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from ..dataset_builder.dataset_folder.structures import open_structures
from ..dataset_builder.descriptions.batch.entries import Source
from ..dataset_builder.descriptions.batch.errors import DescribeUsageError
from ..dataset_builder.descriptions.batch.job import run_job
from ..dataset_builder.descriptions.batch.many import to_record
from ..dataset_builder.descriptions.batch.on_ray import RayCluster
from ..dataset_builder.descriptions.batch.pool import Executor, LocalPool
from ..dataset_builder.descriptions.batch.records import (
    DescriptionRecord,
    Settings,
    Status,
    Task,
)
from ..dataset_builder.descriptions.batch.summary import RowSummary, Summary
from ..dataset_builder.descriptions.style import Style
from ..errors import DataError
from ..processors import available_processors
from .console import err, out, print_json
from .progress import show_progress


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
    entries = open_structures(source, column, id_column)

    def start() -> Executor:
        return LocalPool(settings, workers or available_processors()) if ray is None else RayCluster(settings, ray)

    if result is None:
        if entries.kind != "file":
            raise DescribeUsageError(f"{source} holds many structures: say with --out FILE.parquet where they go")
        _print_one(source, entries, start, as_json=as_json)
        return
    try:
        with show_progress() as progress:
            summary = run_job(entries, result, settings, start, overwrite=overwrite, progress=progress)
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
        with show_progress() as progress:
            progress("loading Robocrystallographer (about 20 s) and describing", 0, 0)
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
