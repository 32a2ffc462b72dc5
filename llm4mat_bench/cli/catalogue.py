"""``sources`` and ``tasks``: what there is."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .console import JsonOption, out, print_json
from .tables import add_task_column

if TYPE_CHECKING:
    from ..dataset_builder.catalogue import Source, Task


def sources(
    source: Annotated[str | None, typer.Argument(help="One source, by id or alias; all of them if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sources: licence, citation, sizes, splits."""
    from ..dataset_builder.catalogue import get_benchmark, get_source, list_sources

    if source is not None:
        one = get_source(source)
        print_json(one.model_dump(mode="json")) if as_json else _print_source(one)
        return
    every = list_sources()
    if as_json:
        print_json([one.model_dump(mode="json") for one in every])
        return
    benchmark = get_benchmark()
    rows = sum(one.published.rows for one in every)
    note = "`sources SOURCE` says more; `sample` is the embedded one, no part of the benchmark."
    if rows != benchmark.stated_rows:
        note += f" The publication states {benchmark.stated_rows:,} rows; its table of splits sums to {rows:,}."
    table = Table(title=benchmark.title, caption=note)
    table.add_column("source", no_wrap=True)
    table.add_column("licence", overflow="fold")
    for heading in ("tasks", "rows", "train", "validation", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in every:
        splits = one.published.splits
        sizes = (one.published.rows, splits.train, splits.validation, splits.test)
        table.add_row(one.id, _licence(one), str(len(one.properties)), *(f"{size:,}" for size in sizes))
    table.add_section()
    table.add_row(f"{len(every)} sources", "", str(sum(len(one.properties) for one in every)), f"{rows:,}")
    out.print(table)


def tasks(
    task: Annotated[str | None, typer.Argument(help="One task (mp/band_gap) or all tasks of one source (mp).")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tasks: unit, kind, number of samples."""
    from ..dataset_builder.catalogue import get_task, list_tasks

    if task is not None and "/" in task:
        one = get_task(task)
        print_json(_task_record(one)) if as_json else _print_task(one)
        return
    every = list_tasks(task)
    if as_json:
        print_json([_task_record(one) for one in every])
        return
    table = _task_table(f"{len(every)} tasks", "`tasks TASK` says more.")
    previous = None
    for one in every:
        if previous not in (None, one.source.id):
            table.add_section()
        previous = one.source.id
        table.add_row(*_task_row(one))
    out.print(table)


def _task_table(title: str | None = None, caption: str | None = None) -> Table:
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, pad_edge=False)
    add_task_column(table)
    for heading in ("property", "unit or kind"):
        table.add_column(heading, overflow="fold")
    table.add_column("samples", justify="right", no_wrap=True)
    return table


def _task_row(task: "Task") -> tuple[str, ...]:
    unit = task.unit or ("–" if task.kind == "regression" else task.kind)
    return task.name, task.property.title, unit, f"{task.property.samples:,}"


def _licence(source: "Source") -> str:
    mark = {"verified": "", "reported": " (reported)", "unverified": ""}[source.licence.status]
    return source.licence.name + mark


def _task_record(task: "Task") -> dict[str, Any]:
    return {"task": task.name, "source": task.source.id, **task.property.model_dump(mode="json")}


def _facts(rows: list[tuple[str, str | None]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(name, value)
    return grid


def _print_source(source: "Source") -> None:
    citation, splits, download = source.citation, source.published.splits, source.download
    out.print(
        _facts(
            [
                ("source", source.id + (f"  (also: {', '.join(source.aliases)})" if source.aliases else "")),
                ("database", source.title),
                ("", source.description),
                ("homepage", source.homepage),
                ("licence", _licence(source) + (f". {source.licence.note}" if source.licence.note else "")),
                ("cite", f"{citation.authors}: {citation.title}. {citation.journal} ({citation.year})."),
                ("", f"https://doi.org/{citation.doi}"),
                ("raw data", f"{download.url} ({download.access.replace('_', ' ')})"),
                ("rows", f"{source.published.rows:,} of {source.published.cifs:,} CIFs"),
                ("splits", f"train {splits.train:,}, validation {splits.validation:,}, test {splits.test:,}"),
            ]
        )
    )
    table = _task_table()
    for task in source.tasks:
        table.add_row(*_task_row(task))
    out.print(table)


def _print_task(task: "Task") -> None:
    prop = task.property
    unit = task.unit or ("none" if task.kind == "regression" else None)
    classes = f"{prop.classes.positive} (positive), {prop.classes.negative} (negative)" if prop.classes else None
    out.print(
        _facts(
            [
                ("task", task.name),
                ("property", prop.title),
                ("unit", unit and unit + ("" if prop.unit_status == "verified" else f"  ({prop.unit_status})")),
                ("kind", task.kind),
                ("classes", classes),
                (
                    "samples",
                    f"{prop.samples:,} (as published, rounded)" if task.source.benchmark else f"{prop.samples:,}",
                ),
                ("column", prop.published_column),
                ("published as", prop.published_label),
                ("note", prop.note),
                ("source", f"{task.source.title}, {_licence(task.source)}"),
                ("cite", f"https://doi.org/{task.source.citation.doi}"),
            ]
        )
    )
