"""Verify runs, put them together, write the page."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Source, Task, get_benchmark, list_sources
from ...files import write_json, write_text
from ...progress import Progress, silent
from ..headline import HEADLINE
from ..results.names import visible
from ..results.places import Place, Truths
from ..results.predictions import read_predictions
from ..results.record import json_sha256
from ..results.verify import Verification, verify_results
from .entries import Entry, SoundRun, entries_of, row_id, sound_runs
from .page import RunView, SourceView, TaskView, render_page
from .plots import forest_plot, parity_plot, roc_plot

PAGE_FILE = "index.html"
DATA_FILE = "leaderboard.json"


class Leaderboard(BaseModel):
    """What was written.

    Attributes:
        page: The page.
        n_runs: Runs on it.
        n_apart: Those of them that are not ranked: their data was not at hand, or they are controls or trials.
        refused: Runs that did not verify; named on the page, without their scores.
    """

    model_config = ConfigDict(frozen=True)

    page: Path
    n_runs: int
    n_apart: int
    refused: tuple[Verification, ...]


def write_leaderboard(
    results: Path,
    out: Path,
    places: Sequence[Place | str] | Truths = (),
    progress: Progress = silent,
    *,
    workers: int = 1,
) -> Leaderboard:
    """Write the leaderboard of all runs under a folder; every number on it was recomputed just now.

    Args:
        results: Folder of results.
        out: Folder for ``index.html``, ``leaderboard.json`` and ``plots/``. Other files in it are left alone.
        places: Where data is, for runs that are not on the embedded sample.
        progress: Called as the work goes on.
        workers: Processes to verify many runs with, as in ``verify_results``.

    Raises:
        DataError: There is no run under ``results``.
    """
    found = verify_results(results, places, progress, workers=workers)
    refused = tuple(one for one in found if one.faults)
    views, data = [], []
    n_apart = 0
    for source in list_sources(include_sample=True):
        runs = sound_runs(found, source)
        if not runs:
            continue
        ranked = entries_of(source, [run for run in runs if not run.apart])
        apart = entries_of(source, [run for run in runs if run.apart])
        n_apart += sum(bool(run.apart) for run in runs)
        data.append(
            {
                "source": source.id,
                "entries": [entry.model_dump(mode="json") for entry in ranked],
                "apart": [entry.model_dump(mode="json") for entry in apart],
            }
        )
        views.append(_source_view(source, ranked, apart, runs, out, progress))
    page = render_page(get_benchmark(), views, refused)
    write_json(out / DATA_FILE, data)
    write_text(out / PAGE_FILE, page)
    n_runs = len(found) - len(refused)
    return Leaderboard(page=out / PAGE_FILE, n_runs=n_runs, n_apart=n_apart, refused=refused)


def _source_view(
    source: Source,
    ranked: list[Entry],
    apart: list[Entry],
    runs: list[SoundRun],
    out: Path,
    progress: Progress,
) -> SourceView:
    places = {entry.id: place for place, entry in enumerate([*ranked, *apart])}
    shown = sorted(runs, key=lambda run: (places[row_id(run)], run.record.protocol.seed, run.record.record_sha256))
    present = [task for task in source.tasks if any(run.record.task == task.name for run in runs)]
    tasks = []
    for done, task in enumerate(present):
        progress(f"drawing {source.id}", done, len(present))
        views = tuple(_run_view(task, run, out) for run in shown if run.record.task == task.name)
        tasks.append(TaskView(task=task, score=HEADLINE[task.kind], forest=_forest(task, ranked), runs=views))
    progress(f"drawing {source.id}", len(present), len(present))
    return SourceView(source=source, entries=tuple(ranked), apart=tuple(apart), tasks=tuple(tasks))


def _forest(task: Task, entries: list[Entry]) -> str | None:
    rows = []
    for entry in entries:
        cell = entry.cells.get(task.name)
        if cell is not None and cell.value is not None:
            rows.append((f"{visible(entry.model, 60)} · {entry.modality}", cell.value, cell.low, cell.high))
    if not rows:
        return None
    rows.sort(key=lambda row: -row[1])
    guide = 1.0 if task.kind == "regression" else 0.5
    return forest_plot(rows, guide, f"{HEADLINE[task.kind]} (dashed: knows nothing)", f"Scores on {task.name}")


def _run_view(task: Task, run: SoundRun, out: Path) -> RunView:
    record = run.record
    predictions = read_predictions(run.folder / record.predictions.file, task.kind)
    assert predictions.targets is not None  # noqa: S101 - a run's own file has targets
    title = f"{visible(record.model.id, 60)} on {task.name} from {record.modality}"
    if task.kind == "regression":
        drawing = parity_plot(predictions.targets, predictions.answers, task.unit, title)
    else:
        drawing = roc_plot(predictions.targets, predictions.answers, title)
    # Named by a hash of all that it shows and all that the record says, never by a name that a record chose: a changed
    # run gets a new file, and no two runs one file.
    name = f"plots/{json_sha256([record.record_sha256, drawing])[:24]}.svg"
    write_text(out / name, drawing)
    return RunView(record=record, report=run.report, apart=run.apart, plot=name)
