"""From verified runs to rows of a table: seeds put together, sources averaged."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Kind, Source, get_task
from ..headline import headline, weighted_mean, whole_headline, written, written_interval
from ..protocols import ClassificationReport, RegressionReport, Score
from ..results.names import visible
from ..results.predictions import read_predictions
from ..results.record import PretrainingOverlap, ResultRecord, json_sha256, shortfalls
from ..results.seeds import same_but_for_noise
from ..results.verify import Verification

_LONGEST = 2000
"""Characters of settings that an entry shows; the record has them all."""


@dataclass(frozen=True)
class SoundRun:
    """A run that verified: its record, and its scores as they were computed again.

    Attributes:
        folder: Where it lies.
        record: What it says of itself; its scores are not taken from here.
        report: The scores.
        place: Name of the data that it was compared with, None where that was not at hand.
    """

    folder: Path
    record: ResultRecord
    report: RegressionReport | ClassificationReport
    place: str | None

    @property
    def apart(self) -> tuple[str, ...]:
        """Why the run is not ranked; empty for one that is."""
        found = shortfalls(self.record.protocol)
        return found if self.place is not None else (*found, "data not compared")


def sound_runs(found: Sequence[Verification], source: Source) -> list[SoundRun]:
    """The runs on a source that verified, those that are copies of one another once."""
    runs: dict[str, SoundRun] = {}
    for one in found:
        if one.faults or one.record is None or one.report is None:
            continue
        if one.record.task.partition("/")[0] == source.id:
            runs.setdefault(one.record.record_sha256, SoundRun(one.folder, one.record, one.report, one.place))
    return list(runs.values())


class Part(BaseModel):
    """Base of what the page is made from."""

    model_config = ConfigDict(frozen=True)


class Cell(Part):
    """The score of one model on one task.

    Attributes:
        value: The score, None where there is none.
        perfect: Every answer is exact: better than any number.
        text: What to show.
        interval: The 95 % interval of a single run, or the deviation over seeds.
        low: Lower end of the interval or of mean ± deviation.
        high: Upper end.
        published: The score by the published protocol.
        coverage: Share of the test set that was answered; None where the publication does not say.
        hard_labels: The score ranks hard labels, which is no AUC of probabilities.
        runs: Run ids, one a seed.
        note: What a reader must know, if anything.
    """

    value: float | None
    perfect: bool = False
    text: str
    interval: str
    low: float | None
    high: float | None
    published: str
    coverage: float | None
    hard_labels: bool
    runs: tuple[str, ...]
    note: str | None = None

    @property
    def rank(self) -> float:
        """What to sort by, best first; no score sorts last."""
        if self.perfect:
            return math.inf
        return -math.inf if self.value is None else self.value


class Entry(Part):
    """One row: a model with its settings, reading one modality.

    ``origin`` says where its numbers are from: ``recomputed`` here from predictions, or ``published``, as printed;
    ``data_checked`` whether they were compared with the data; ``apart`` why the row is not ranked, empty where it is;
    ``pretraining_overlap`` whether the model's weights had seen test materials before, as its author says.
    """

    id: str
    model: str
    model_revision: str
    model_kind: str
    modality: str
    parameters: int | None
    settings: str
    dataset: str
    data_checked: bool = True
    pretraining_overlap: PretrainingOverlap = "unknown"
    apart: tuple[str, ...] = ()
    origin: Literal["recomputed", "published"] = "recomputed"
    cells: dict[str, Cell]
    means: dict[Kind, Cell]


def entries_of(source: Source, runs: Sequence[SoundRun]) -> list[Entry]:
    """Rows of one source's table, best first.

    Runs that differ only in their seed become one row with mean and standard deviation.

    Args:
        source: The source.
        runs: Its runs that are to be ranked.
    """
    rows: dict[str, list[SoundRun]] = defaultdict(list)
    for run in runs:
        rows[row_id(run)].append(run)
    entries = [_entry(source, name, its) for name, its in sorted(rows.items())]
    return sorted(entries, key=_rank)


def row_id(run: SoundRun) -> str:
    """Name of the row that a run belongs to: equal for runs that differ in task and seed alone."""
    record = run.record
    return json_sha256(
        {
            "model": record.model.id,
            "revision": record.model.revision,
            "kind": record.model.kind,
            "pretraining_overlap": record.model.pretraining_overlap,
            "protocol": record.protocol.model_dump(mode="json", exclude={"seed", "answers_sha256"}),
            "modality": record.modality,
            # Where the data was compared, its place, not the record's word.
            "data": [run.place] if run.place is not None else [record.data.dataset, record.data.revision],
        }
    )[:12]


def _entry(source: Source, name: str, runs: list[SoundRun]) -> Entry:
    by_task: dict[str, list[SoundRun]] = defaultdict(list)
    for run in runs:
        by_task[run.record.task].append(run)
    cells = {
        task: _cell(sorted(its, key=lambda run: (run.record.protocol.seed, run.record.record_sha256)))
        for task, its in by_task.items()
    }
    first = runs[0].record
    settings = ", ".join(f"{setting} {value}" for setting, value in first.protocol.settings.items())
    parameters = {run.record.model.parameters for run in runs}
    data = first.data
    return Entry(
        id=name,
        model=first.model.id,
        model_revision=first.model.revision,
        model_kind=first.model.kind,
        modality=first.modality,
        parameters=parameters.pop() if len(parameters) == 1 else None,
        settings=visible(settings, _LONGEST),
        dataset=runs[0].place or data.dataset + (f" @ {data.revision}" if data.revision else ""),
        data_checked=runs[0].place is not None,
        pretraining_overlap=first.model.pretraining_overlap,
        apart=runs[0].apart,
        cells=cells,
        means={kind: mean for kind in ("regression", "classification") if (mean := _mean(source, cells, kind))},
    )


def _cell(runs: list[SoundRun]) -> Cell:
    coverage = min(run.report.coverage for run in runs)
    hard = any(run.report.kind == "classification" and run.report.score_kind == "hard_label" for run in runs)
    scores = [whole_headline(run.report) for run in runs]
    run_ids = tuple(run.record.run_id for run in runs)
    first = scores[0]
    published = written(headline(runs[0].report.published))
    if len(runs) == 1:
        return _single(first, published, coverage, hard, run_ids, None)
    if len({run.record.protocol.seed for run in runs}) < len(runs):
        return _single(first, published, coverage, hard, run_ids, f"{len(runs)} runs, two of them with the same seed")
    if (alike := _alike(runs)) is not None:
        return _single(first, published, coverage, hard, run_ids, f"{len(runs)} seeds, but {alike}: no mean over seeds")
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return _single(first, published, coverage, hard, run_ids, "not every seed has a score")
    mean, deviation = fmean(values), stdev(values)
    return Cell(
        value=mean,
        text=f"{mean:.3f}",
        interval=f"± {deviation:.3f} over {len(runs)} seeds",
        low=mean - deviation,
        high=mean + deviation,
        published=published,
        coverage=coverage,
        hard_labels=hard,
        runs=run_ids,
    )


def _alike(runs: list[SoundRun]) -> str | None:
    """Say in what two of several seeds are no two: identical predictions, or equal in all but noise."""
    if len({run.record.predictions.sha256 for run in runs}) < len(runs):
        return "two gave identical predictions"
    kind = runs[0].report.kind
    answers, targets = [], None
    for run in runs:
        found = read_predictions(run.folder / run.record.predictions.file, kind)
        order = pc.sort_indices(found.material_ids).to_numpy()
        answers.append(found.answers[order])
        targets = found.targets[order] if targets is None and found.targets is not None else targets
    assert targets is not None  # noqa: S101 - a run's own file has targets
    for one, other in combinations(answers, 2):
        if np.array_equal(one, other, equal_nan=True):
            return "two gave identical predictions"
        if same_but_for_noise(one, other, targets, kind):
            return "the answers of two agree in all but noise"
    return None


def _single(
    score: Score, published: str, coverage: float, hard: bool, run_ids: tuple[str, ...], note: str | None
) -> Cell:
    return Cell(
        value=score.value,
        perfect=score.status == "infinite",
        text=written(score),
        interval=written_interval(score),
        low=score.interval.low if score.interval else None,
        high=score.interval.high if score.interval else None,
        published=published,
        coverage=coverage,
        hard_labels=hard,
        runs=run_ids,
        note=note or (score.reason if score.value is None else None),
    )


def _mean(source: Source, cells: dict[str, Cell], kind: Kind) -> Cell | None:
    """Average over a source's tasks of one kind; only where all of them are there, so that rows can be compared."""
    tasks = [task for task in source.tasks if task.kind == kind]
    there = [cells[task.name] for task in tasks if task.name in cells]
    values = [cell.value for cell in there if cell.value is not None]
    if not tasks or not there:
        return None
    complete = len(values) == len(tasks)
    mean = weighted_mean(values, [task.property.samples for task in tasks]) if complete else None
    return Cell(
        value=mean,
        text="–" if mean is None else f"{mean:.3f}",
        interval="" if complete else f"{len(there)} of {len(tasks)} tasks",
        low=None,
        high=None,
        published="",
        coverage=min((cell.coverage for cell in there if cell.coverage is not None), default=None),
        hard_labels=any(cell.hard_labels for cell in there),
        runs=(),
    )


def _rank(entry: Entry) -> tuple[float, float, str, str]:
    """Complete means first, then the mean over the tasks that are there; names break ties."""
    regression = entry.means.get("regression")
    mean = regression.value if regression and regression.value is not None else -math.inf
    values = [cell.value for task, cell in entry.cells.items() if cell.value is not None and get_task(task)]
    return (-mean, -fmean(values) if values else math.inf, entry.model, entry.modality)
