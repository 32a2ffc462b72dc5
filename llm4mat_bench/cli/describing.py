"""What the command ``describe`` does."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
    Outcome,
    Settings,
    Status,
    Task,
)
from ..dataset_builder.descriptions.batch.summary import RowSummary, Summary
from ..dataset_builder.descriptions.batch.table import Form
from ..dataset_builder.descriptions.style import Style
from ..errors import DataError
from ..processors import available_processors
from ..progress import Progress
from .console import err, out, print_json
from .progress import show_progress


def describe_input(
    paths: Sequence[Path],
    result: Path | None,
    *,
    form: Form | None,
    allow_formula_mismatch: bool,
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
    settings = Settings(
        style=style,
        timeout=timeout,
        memory_mb=memory,
        condensed=condensed,
        allow_formula_mismatch=allow_formula_mismatch,
        describer=describer,
    )
    entries = open_structures(*paths, column=column, id_column=id_column)

    def start() -> Executor:
        return LocalPool(settings, workers or available_processors()) if ray is None else RayCluster(settings, ray)

    if result is None and form is not None:
        result = Path("-")
    if result is None:
        if entries.kind not in ("file", "files"):
            raise DescribeUsageError(f"{paths[0]} holds many structures: say with --out FILE.parquet where they go")
        _print_few(paths[0], entries, start, as_json=as_json)
        return
    try:
        with show_progress() as progress:
            if str(result) == "-":
                summary = _print_rows(entries, settings, start, form or "jsonl", progress)
            else:
                summary = run_job(entries, result, settings, start, overwrite=overwrite, form=form, progress=progress)
    except KeyboardInterrupt:
        err.print("stopped. The same call goes on where it left off.")
        raise typer.Exit(130) from None
    if str(result) == "-":
        if summary.failed:
            err.print(f"{summary.failed:,} of {summary.rows:,} without a description", highlight=False)
    elif as_json:
        print_json({**summary.model_dump(mode="json"), "failed": summary.failed})
    else:
        _print_summary(summary)
    if strict and summary.failed:
        raise typer.Exit(1)


def _print_rows(
    entries: Source, settings: Settings, start: Callable[[], Executor], form: Form, progress: Progress
) -> Summary:
    """Describe everything into standard output, once it is whole."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"rows.{form}"
        summary = run_job(entries, place, settings, start, form=form, progress=progress)
        with place.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return summary


def _print_few(path: Path, source: Source, start: Callable[[], Executor], *, as_json: bool) -> None:
    """Print the text of one crystal, or of a few under their names."""
    entries = list(source.entries())
    several = len(entries) > 1
    pool = start()
    try:
        with show_progress() as progress:
            progress("loading Robocrystallographer (about 20 s) and describing", 0, 0)
            tasks = [Task(index, entry.text) for index, entry in enumerate(entries) if entry.text is not None]
            outcomes = {outcome.index: outcome for outcome in _exchange_all(pool, tasks)}
    finally:
        pool.close()
    records = [
        to_record(entry.id, outcomes.get(index) or Outcome(index=index, status=Status.BAD_CIF, reason=entry.problem))
        for index, entry in enumerate(entries)
    ]
    if as_json:
        shown = [_nested(record) for record in records]
        print_json(shown if several else shown[0])
    else:
        for record in records:
            if record.status is Status.OK:
                typer.echo(f"{record.id}: {record.description}" if several else record.description)
            if record.reason and (several or record.status is Status.OK):
                err.print(f"{record.id}: {record.reason}", markup=False, highlight=False, soft_wrap=True)
    failed = [record for record in records if record.status is not Status.OK]
    if failed and not several:
        raise DataError(f"{path}: {failed[0].status}: {failed[0].reason}")
    if failed:
        raise typer.Exit(1)


def _exchange_all(pool: Executor, tasks: list[Task]) -> Iterator[Outcome]:
    left = list(tasks)
    while left or pool.in_flight:
        free = max(0, pool.capacity - pool.in_flight)
        yield from pool.exchange(left[:free])
        del left[:free]


def _nested(record: DescriptionRecord) -> dict[str, Any]:
    """A record as JSON, the condensed structure as an object in it."""
    values = record.model_dump(mode="json")
    return {**values, "condensed": None if record.condensed is None else json.loads(record.condensed)}


def _print_summary(summary: Summary) -> None:
    done = summary.counts[Status.OK]
    shown = summary.passed_over[:5]
    title = f"{done:,} of {summary.rows:,} described → {summary.out}"
    if summary.resumed == summary.rows:
        title += " (it was complete)"
    elif summary.resumed:
        title += f" ({summary.resumed:,} by an earlier run)"
    out.print(title, markup=False, highlight=False, soft_wrap=True)
    if summary.remarked:
        line = f"{summary.remarked:,} described with a remark: see the column reason"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if summary.ignored_files:
        more = f" and {summary.ignored_files - len(shown):,} more" if summary.ignored_files > len(shown) else ""
        line = f"passed over: {', '.join(shown)}{more}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if summary.first_repeat is not None:
        line = (
            f"{summary.repeated_ids:,} rows have the id of an earlier row, first rows {summary.first_repeat[0]:,} and "
            f"{summary.first_repeat[1]:,}; all are described"
        )
        out.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
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
