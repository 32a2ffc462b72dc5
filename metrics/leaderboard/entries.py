"""From verified runs to rows of a table: seeds put together, sources averaged."""

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Kind, Source, get_task
from ..headline import headline, whole_headline, written, written_interval
from ..protocols import Score
from ..record import ResultRecord, json_sha256
from ..verify import Verification


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
        coverage: Share of the test set that was answered.
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
    coverage: float
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

    ``origin`` says where its numbers are from: ``recomputed`` here from predictions, or ``published``, as printed.
    """

    id: str
    model: str
    model_revision: str
    model_kind: str
    modality: str
    parameters: int | None
    settings: str
    dataset: str
    origin: Literal["recomputed", "published"] = "recomputed"
    cells: dict[str, Cell]
    means: dict[Kind, Cell]


def entries_of(source: Source, sound: Sequence[Verification]) -> list[Entry]:
    """Rows of one source's table, best first.

    Runs that differ only in their seed become one row with mean and standard deviation.

    Args:
        source: The source.
        sound: Verified runs of any source; the others are passed over.
    """
    rows: dict[str, list[ResultRecord]] = defaultdict(list)
    for one in sound:
        if one.record is not None and one.record.task.partition("/")[0] == source.id:
            rows[_row_id(one.record)].append(one.record)
    entries = [_entry(source, row_id, records) for row_id, records in sorted(rows.items())]
    return sorted(entries, key=_rank)


def weighted_mean(values: Sequence[float], weights: Sequence[int]) -> float:
    """Mean over tasks weighted by their number of samples, as the publication averages a source."""
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _row_id(record: ResultRecord) -> str:
    return json_sha256(
        {
            "model": record.model.id,
            "revision": record.model.revision,
            "settings": record.protocol.settings,
            "template": record.protocol.template_sha256,
            "parser": record.protocol.parser_version,
            "modality": record.modality,
            "dataset": record.data.dataset,
            "dataset_revision": record.data.revision,
        }
    )[:12]


def _entry(source: Source, row_id: str, records: list[ResultRecord]) -> Entry:
    by_task: dict[str, list[ResultRecord]] = defaultdict(list)
    for record in records:
        by_task[record.task].append(record)
    cells = {task: _cell(sorted(runs, key=lambda run: run.protocol.seed)) for task, runs in by_task.items()}
    first = records[0]
    settings = ", ".join(f"{name} {value}" for name, value in first.protocol.settings.items())
    parameters = {record.model.parameters for record in records}
    return Entry(
        id=row_id,
        model=first.model.id,
        model_revision=first.model.revision,
        model_kind=first.model.kind,
        modality=first.modality,
        parameters=parameters.pop() if len(parameters) == 1 else None,
        settings=settings,
        dataset=first.data.dataset + (f" @ {first.data.revision}" if first.data.revision else ""),
        cells=cells,
        means={kind: mean for kind in ("regression", "classification") if (mean := _mean(source, cells, kind))},
    )


def _cell(runs: list[ResultRecord]) -> Cell:
    coverage = min(run.counts.coverage for run in runs)
    hard = any(run.metrics.kind == "classification" and run.metrics.score_kind == "hard_label" for run in runs)
    scores = [whole_headline(run.metrics) for run in runs]
    run_ids = tuple(run.run_id for run in runs)
    first = scores[0]
    published = written(headline(runs[0].metrics.published))
    if len(runs) == 1:
        return _single(first, published, coverage, hard, run_ids, None)
    if len({run.protocol.seed for run in runs}) < len(runs):
        return _single(first, published, coverage, hard, run_ids, f"{len(runs)} runs, two of them with the same seed")
    if len({run.predictions.sha256 for run in runs}) < len(runs):
        note = f"{len(runs)} seeds, but two gave identical predictions: no mean over seeds"
        return _single(first, published, coverage, hard, run_ids, note)
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
        coverage=min(cell.coverage for cell in there),
        hard_labels=any(cell.hard_labels for cell in there),
        runs=(),
    )


def _rank(entry: Entry) -> tuple[float, float, str, str]:
    """Complete means first, then the mean over the tasks that are there; names break ties."""
    regression = entry.means.get("regression")
    mean = regression.value if regression and regression.value is not None else -math.inf
    values = [cell.value for task, cell in entry.cells.items() if cell.value is not None and get_task(task)]
    return (-mean, -fmean(values) if values else math.inf, entry.model, entry.modality)
