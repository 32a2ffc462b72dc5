"""Verify runs, put them together, write the pages."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Source, Task, get_benchmark, get_task, list_sources
from ...drawing import available
from ...files import json_text
from ...progress import Progress, silent
from ..results.names import visible
from ..results.places import Place, Truths
from ..results.processes import keeping_processes
from ..results.truth import Truth
from ..results.verify import Verification, verify_results
from .boards import Found, SourceBoard, board_of, lines_of, panels_of
from .drawings import Drawn, TaskDrawing, draw_tasks
from .entries import Entry, SoundRun, entries_of, row_id, sound_runs
from .examine import RowFiles, TaskFiles, examine
from .export import csv_text
from .folder import PageFolder
from .page import ASSETS, Facts, Pages, asset
from .published import published_entries
from .refusals import refusals
from .seen import seen_in_training

PAGE_FILE = "index.html"
DATA_FILE = "leaderboard.json"
CSV_FILE = "leaderboard.csv"
Reported = Literal["beside", "all", "none"]
"""Published rows: for sources with runs, for all sources, for none."""


class Leaderboard(BaseModel):
    """What was written.

    Attributes:
        page: The first page.
        n_runs: Runs on it.
        n_apart: Those of them that are not ranked: their data was not at hand, or they are controls or trials.
        refused: Runs that did not verify; named on the page, without their scores.
    """

    model_config = ConfigDict(frozen=True)

    page: Path
    n_runs: int
    n_apart: int
    refused: tuple[Verification, ...]


class _Rows(NamedTuple):
    """The rows of a source and the ranked runs behind them, by row and task."""

    source: Source
    ranked: list[Entry]
    reported: list[Entry]
    apart: list[Entry]
    runs: Mapping[tuple[str, str], list[SoundRun]]


def write_leaderboard(
    results: Path,
    out: Path,
    places: Sequence[Place | str] | Truths = (),
    progress: Progress = silent,
    *,
    workers: int = 1,
    plots: bool = True,
    duplicates: bool = True,
    reported: Reported = "beside",
) -> Leaderboard:
    """Write the leaderboard of all runs under a folder; every ranked number on it was recomputed just now.

    Args:
        results: Folder of results.
        out: Folder for ``index.html``, the pages it leads to, ``leaderboard.json`` and ``leaderboard.csv``. Files in it
            that no call has written are left alone.
        places: Where data is, for runs that are not on the embedded sample.
        progress: Called as the work goes on.
        workers: Processes to share much work among, as in ``verify_results``.
        plots: Draw the figures of the tasks' pages.
        duplicates: Read the texts of the data, to score without test rows that duplicate training rows.
        reported: Which published rows to show beside ours.

    Raises:
        DataError: There is no run under ``results``, or a file cannot be written.
    """
    truths = places if isinstance(places, Truths) else Truths(places)
    plots = plots and available()
    folder = PageFolder(out)
    drawn: Mapping[str, Sequence[Drawn]] = {}
    with keeping_processes():
        found = verify_results(results, truths, progress, workers=workers)
        rows = list(_rows_of_sources(found, reported))
        task_files = list(_task_files(rows, truths, progress, duplicates=duplicates, sketched=plots))
        examined = examine(task_files, truths, progress, workers=workers)
        boards = [board_of(one.source, one.ranked, one.reported, one.apart, examined) for one in rows]
        of_hash = {one.record.record_sha256: one for one in found if one.record is not None and not one.faults}
        if plots:
            drawings = list(_drawings(boards, rows, of_hash, examined, task_files))
            drawn = draw_tasks(drawings, truths, progress, workers=workers, holds=folder.holds)
    refused = tuple(one for one in found if one.faults)
    n_apart = sum(not one.data_checked or not one.record.full for one in of_hash.values() if one.record)
    started = sorted(one.record.provenance.started_at[:10] for one in of_hash.values() if one.record)
    facts = Facts(
        newest=visible(started[-1]) if started else "",
        n_ranked=len(of_hash) - n_apart,
        n_apart=n_apart,
        n_refused=len(refused),
    )
    pages = Pages(get_benchmark(), boards, examined, facts)
    for name in ASSETS:
        folder.write(f"assets/{name}", asset(name))
    _write_tasks(pages, folder, boards, drawn, progress)
    models: dict[str, list[tuple[SourceBoard, Entry]]] = defaultdict(list)
    for board in boards:
        for entry in (*board.ranked, *board.apart):
            models[entry.model].append((board, entry))
    for done, (name, entries) in enumerate(sorted(models.items())):
        progress("writing models", done, len(models))
        _write(folder, pages.model(name, entries))
    progress("writing models", len(models), len(models))
    _write(folder, pages.comparison())
    for sha256, one in of_hash.items():
        assert one.record is not None  # noqa: S101 - sound
        # As it was read: whoever computes its hash again finds it.
        folder.write(f"records/{sha256[:2]}/{sha256[:32]}.json", one.record.model_dump_json(exclude_unset=True) + "\n")
    folder.write(CSV_FILE, csv_text(boards))
    folder.write(DATA_FILE, json_text([_plain(board) for board in boards], compact=True))
    lines = {name: lines_of(boards, name) for name in ("ranked", "reported", "apart")}
    first = pages.overview(lines, refusals(refused, results, truths.places))
    text = first.pop(PAGE_FILE)
    _write(folder, first)
    folder.finish(PAGE_FILE, text, get_benchmark().title)
    return Leaderboard(page=out / PAGE_FILE, n_runs=len(found) - len(refused), n_apart=n_apart, refused=refused)


def _rows_of_sources(found: Sequence[Verification], reported: Reported) -> Iterator[_Rows]:
    for source in list_sources(include_sample=True):
        runs = sound_runs(found, source)
        printed = published_entries(source) if reported == "all" or (runs and reported == "beside") else []
        if not runs and not printed:
            continue
        ranked = [run for run in runs if not run.apart]
        by_row: dict[tuple[str, str], list[SoundRun]] = defaultdict(list)
        for run in ranked:
            by_row[row_id(run), run.record.task].append(run)
        for its in by_row.values():
            its.sort(key=lambda run: (run.record.protocol.seed, run.record.record_sha256))
        apart = entries_of(source, [run for run in runs if run.apart])
        yield _Rows(source, entries_of(source, ranked), printed, apart, by_row)


def _task_files(
    rows: Sequence[_Rows], truths: Truths, progress: Progress, *, duplicates: bool, sketched: bool
) -> Iterator[TaskFiles]:
    """Files of the ranked rows, task by task and place by place."""
    known: dict[str, pa.Array | None] = {}
    for one in rows:
        by_place: dict[tuple[str, str], list[RowFiles]] = defaultdict(list)
        entries = {entry.id: entry for entry in one.ranked}
        for (row, task), runs in one.runs.items():
            cell = entries[row].cells[task]
            first = runs[0]
            by_place[task, first.place or ""].append(_row_files(row, runs if cell.spread == "seeds" else [first]))
        for (task, _), its in sorted(by_place.items()):
            seen = None
            data = its[0]
            truth = truths.find(get_task(task), data.dataset, labels_sha256=data.labels_sha256)
            if duplicates and truth is not None:
                if truth.files.state not in known:
                    known[truth.files.state] = seen_in_training(truth.files, progress)
                seen = known[truth.files.state]
            yield TaskFiles(task, tuple(its), seen, _formulas(truth) if truth is not None else None, sketched)


def _formulas(truth: Truth) -> str | None:
    """A name for the formulas of a place's data, None where it has none."""
    if "composition" not in truth.files.modalities:
        return None
    return truth.texts_sha256("composition") or truth.files.state


def _row_files(row: str, runs: Sequence[SoundRun]) -> RowFiles:
    data = runs[0].record.data
    files = tuple(
        (
            run.folder / run.record.predictions.file,
            run.report.score_kind if run.report.kind == "classification" else "probability",
        )
        for run in runs
    )
    return RowFiles(row, data.dataset, data.revision, data.labels_sha256, files)


def _drawings(
    boards: Sequence[SourceBoard],
    rows: Sequence[_Rows],
    of_hash: Mapping[str, Verification],
    examined: Found,
    task_files: Sequence[TaskFiles],
) -> Iterator[TaskDrawing]:
    """What to draw: of each task the best row of each modality, all runs in small, and learning curves if any."""
    formulas = {(files.task, row.id): files.formulas for files in task_files for row in files.rows}
    by_task: dict[str, list[Verification]] = defaultdict(list)
    for one in of_hash.values():
        if one.record is not None and one.data_checked:
            by_task[one.record.task].append(one)
    for board, source in zip(boards, rows, strict=True):
        for task in board.tasks:
            best: dict[str, Verification] = {}
            entries = [entry for entry in board.ranked if task.name in entry.cells]
            entries.sort(key=lambda one: -one.cells[task.name].rank)
            for entry in entries:
                run = source.runs[entry.id, task.name][0]
                best.setdefault(entry.modality, of_hash[run.record.record_sha256])
            runs = by_task[task.name]
            curves = any(_is_part_of_curve(one) for one in runs)
            if best or curves:
                yield TaskDrawing(
                    task.name,
                    best=tuple(best.values()),
                    learning=tuple(runs) if curves else (),
                    formulas=formulas[task.name, entries[0].id] if entries else None,
                    panels=tuple(panel for _, panel in panels_of(board.ranked, task.name, examined)),
                )


def _write_tasks(
    pages: Pages,
    folder: PageFolder,
    boards: Sequence[SourceBoard],
    drawn: Mapping[str, Sequence[Drawn]],
    progress: Progress,
) -> None:
    n_tasks, done = sum(len(board.tasks) for board in boards), 0
    for board in boards:
        _write(folder, pages.source(board))
        for task in board.tasks:
            progress("writing tasks", done, n_tasks)
            pictures = drawn.get(task.name, ())
            for picture in pictures:
                if picture.content is None:
                    folder.keep(picture.plan.file)
                else:
                    folder.write(picture.plan.file, picture.content)
            shown = [picture.plan for picture in pictures]
            _write(folder, pages.task(board, task, shown, _duplicates(board, task), drawable=available()))
            done += 1
    progress("writing tasks", n_tasks, n_tasks)


def _duplicates(board: SourceBoard, task: Task) -> str:
    """What is known of test materials that stand among the training rows as well."""
    cells = [entry.cells[task.name] for entry in board.ranked if task.name in entry.cells]
    unseen = next((cell.unseen for cell in cells if cell.unseen is not None), None)
    if unseen is None:
        why = "no row here was compared with its data" if not cells else "the texts of its data were not read"
        return f"Which test materials are duplicates of training rows is not known: {why}."
    if not unseen.left_out:
        return "No test material has the id, CIF or description of a training row."
    total = unseen.n + unseen.left_out
    return (
        f"{unseen.left_out:,} of {total:,} test materials have the id, CIF or description of a training row; the score "
        "without duplicates leaves them out."
    )


def _is_part_of_curve(run: Verification) -> bool:
    protocol = run.record.protocol if run.record is not None else None
    return protocol is not None and protocol.kind == "training" and protocol.train_rows is not None


def _write(folder: PageFolder, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        folder.write(name, text)


def _plain(board: SourceBoard) -> dict[str, object]:
    return {
        "source": board.source.id,
        "entries": [entry.model_dump(mode="json") for entry in board.ranked],
        "reported": [entry.model_dump(mode="json") for entry in board.reported],
        "apart": [entry.model_dump(mode="json") for entry in board.apart],
    }
