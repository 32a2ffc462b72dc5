"""Verify runs, put them together, write the page."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Source, Task, get_benchmark, list_sources
from ...files import write_text
from ..headline import HEADLINE
from ..predictions import read_predictions
from ..record import ResultRecord
from ..verify import Verification, verify_results
from .entries import Entry, entries_of
from .page import RunView, SourceView, TaskView, render_page
from .plots import forest_plot, parity_plot, roc_plot

PAGE_FILE = "index.html"
DATA_FILE = "leaderboard.json"


class Leaderboard(BaseModel):
    """What was written.

    Attributes:
        page: The page.
        n_runs: Runs on it.
        refused: Runs that did not verify; named on the page, without their scores.
    """

    model_config = ConfigDict(frozen=True)

    page: Path
    n_runs: int
    refused: tuple[Verification, ...]


def write_leaderboard(
    results: Path,
    out: Path,
    source: str | None = None,
    progress: Callable[[float, str], None] = lambda share, words: None,
) -> Leaderboard:
    """Write the leaderboard of all runs under a folder; every number on it was recomputed just now.

    Args:
        results: Folder of results.
        out: Folder for ``index.html``, ``leaderboard.json`` and ``plots/``. Other files in it are left alone.
        source: Folder or Hub repo with the data, for runs that are not on the embedded sample.
        progress: Called as the work goes on.

    Raises:
        DataError: There is no run under ``results``.
    """
    found = verify_results(results, source, lambda share, words: progress(share * 0.6, f"verifying {words}"))
    sound = [one for one in found if not one.faults]
    refused = tuple(one for one in found if one.faults)
    views, data = [], []
    for place in list_sources(include_sample=True):
        entries = entries_of(place, sound)
        if not entries:
            continue
        data.append({"source": place.id, "entries": [entry.model_dump(mode="json") for entry in entries]})
        views.append(_source_view(place, entries, sound, out, progress))
    page = render_page(get_benchmark(), views, refused)
    write_text(out / DATA_FILE, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(out / PAGE_FILE, page)
    progress(1.0, "done")
    return Leaderboard(page=out / PAGE_FILE, n_runs=len(sound), refused=refused)


def _source_view(
    source: Source,
    entries: list[Entry],
    sound: Sequence[Verification],
    out: Path,
    progress: Callable[[float, str], None],
) -> SourceView:
    runs = {one.record.run_id + one.record.task: (one.folder, one.record) for one in sound if one.record is not None}
    present = [task for task in source.tasks if any(task.name in entry.cells for entry in entries)]
    tasks = []
    for done, task in enumerate(present):
        progress(0.6 + 0.4 * done / len(present), f"drawing {task.name}")
        shown = [
            _run_view(task, *runs[run_id + task.name], out)
            for entry in entries
            if task.name in entry.cells
            for run_id in entry.cells[task.name].runs
        ]
        tasks.append(TaskView(task=task, score=HEADLINE[task.kind], forest=_forest(task, entries), runs=tuple(shown)))
    return SourceView(source=source, entries=tuple(entries), tasks=tuple(tasks))


def _forest(task: Task, entries: list[Entry]) -> str | None:
    rows = []
    for entry in entries:
        cell = entry.cells.get(task.name)
        if cell is not None and cell.value is not None:
            rows.append((f"{entry.model} · {entry.modality}", cell.value, cell.low, cell.high))
    if not rows:
        return None
    rows.sort(key=lambda row: -row[1])
    guide = 1.0 if task.kind == "regression" else 0.5
    return forest_plot(rows, guide, f"{HEADLINE[task.kind]} (dashed: knows nothing)", f"Scores on {task.name}")


def _run_view(task: Task, folder: Path, record: ResultRecord, out: Path) -> RunView:
    predictions = read_predictions(folder / record.predictions.file, task.kind)
    title = f"{record.model.id} on {task.name} from {record.modality}"
    if task.kind == "regression":
        drawing = parity_plot(predictions.targets, predictions.answers, task.unit, title)
    else:
        drawing = roc_plot(predictions.targets, np.asarray(predictions.answers), title)
    # The name carries the predictions' hash: a changed run gets a new file, no browser shows an old plot.
    run = f"{record.modality}-{record.run_id}-{record.predictions.sha256[:8]}"
    name = f"plots/{task.source.id}-{task.property.name}-{run}.svg"
    write_text(out / name, drawing)
    return RunView(record=record, plot=name)
