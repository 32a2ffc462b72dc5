"""Cells of the table: one score of one row, its seeds put together, and means over the tasks of a source."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ...dataset_builder.catalogue import Kind, Source
from ..headline import headline, weighted_mean, whole_headline, written, written_interval
from ..protocols import ClassificationReport, RegressionReport, Score
from ..results.predictions import read_predictions
from ..results.record import ResultRecord, shortfalls
from ..results.seeds import same_but_for_noise
from .models import Cell, Proof

_MOST_TOKENS = 2**53
"""What a record says beyond is no number of tokens."""


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


def cell_of(runs: Sequence[SoundRun]) -> Cell:
    """The score of one row on one task.

    Args:
        runs: One a seed, in the order of the seeds. Where they are no seeds, the first alone counts, and a note says
            why.
    """
    scores = [whole_headline(run.report) for run in runs]
    reports = [headline(run.report.published) for run in runs]
    said: dict[str, Any] = {
        "published": written(reports[0]),
        "published_value": reports[0].value if reports[0] is not None else None,
        "coverage": min(run.report.coverage for run in runs),
        "hard_labels": any(
            run.report.kind == "classification" and run.report.score_kind == "hard_label" for run in runs
        ),
        "runs": tuple(run.record.run_id for run in runs),
        "error": _error(runs[0]),
        "seconds": sum(run.record.provenance.wall_seconds for run in runs),
        "tokens": _tokens(runs),
        "proofs": tuple(_proof(run.record) for run in runs),
    }
    first = scores[0]
    if len(runs) == 1:
        return _single(first, None, said)
    if len({run.record.protocol.seed for run in runs}) < len(runs):
        return _single(first, f"{len(runs)} runs, two of them with the same seed", said)
    if (alike := _alike(runs)) is not None:
        return _single(first, f"{len(runs)} seeds, but {alike}: no mean over seeds", said)
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return _single(first, "not every seed has a score", said)
    mean, deviation = fmean(values), stdev(values)
    published = [report.value for report in reports if report is not None and report.value is not None]
    if len(published) == len(runs):
        said |= {"published": f"{fmean(published):.3f}", "published_value": fmean(published)}
    return Cell(
        value=mean,
        text=f"{mean:.3f}",
        interval=f"± {deviation:.3f} over {len(runs)} seeds",
        spread="seeds",
        low=mean - deviation,
        high=mean + deviation,
        **said,
    )


def _error(run: SoundRun) -> str:
    if run.report.kind == "regression":
        return f"{written(run.report.whole.mae)} {run.record.unit or ''}".strip()
    return written(run.report.whole.balanced_accuracy)


def _tokens(runs: Sequence[SoundRun]) -> int | None:
    """Tokens read and written, None where no record says so."""
    counts = [
        count
        for run in runs
        for name in ("prompt_tokens", "completion_tokens")
        if isinstance(count := run.record.fitted.get(name), int)
        and not isinstance(count, bool)
        and 0 <= count < _MOST_TOKENS
    ]
    return sum(counts) or None


def _proof(record: ResultRecord) -> Proof:
    return Proof(
        run_id=record.run_id,
        seed=record.protocol.seed,
        record_sha256=record.record_sha256,
        predictions_sha256=record.predictions.sha256,
        started_at=record.provenance.started_at,
    )


def _alike(runs: Sequence[SoundRun]) -> str | None:
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


def _single(score: Score, note: str | None, said: dict[str, Any]) -> Cell:
    return Cell(
        value=score.value,
        perfect=score.status == "infinite",
        text=written(score),
        interval=written_interval(score),
        spread="interval" if score.interval else "none",
        low=score.interval.low if score.interval else None,
        high=score.interval.high if score.interval else None,
        note=note or (score.reason if score.value is None else None),
        **said,
    )


def mean_of(source: Source, cells: dict[str, Cell], kind: Kind) -> Cell | None:
    """Average over a source's tasks of one kind.

    Only where all of them are there can rows be compared: else there is no value, and ``partial`` is the mean of the
    others.
    """
    tasks = [task for task in source.tasks if task.kind == kind]
    there = [(task, cells[task.name]) for task in tasks if task.name in cells]
    if not there:
        return None
    samples = [task.property.samples for task, _ in there]
    values = [cell.value for _, cell in there if cell.value is not None]
    printed = [cell.published_value for _, cell in there if cell.published_value is not None]
    complete = len(values) == len(tasks)
    mean = weighted_mean(values, samples) if len(values) == len(there) else None
    by_published = weighted_mean(printed, samples) if len(printed) == len(there) else None
    scored = all(cell.perfect or cell.value is not None for _, cell in there)
    infinite = scored and any(cell.perfect for _, cell in there) and len(there) == len(tasks)
    return Cell(
        value=mean if complete else None,
        perfect=infinite,
        text="∞" if infinite else (f"{mean:.3f}" if complete and mean is not None else "–"),
        interval="" if complete or infinite else f"{len(there)} of {len(tasks)} tasks",
        low=None,
        high=None,
        published="" if by_published is None else f"{by_published:.3f}",
        published_value=by_published,
        coverage=min((cell.coverage for _, cell in there if cell.coverage is not None), default=None),
        hard_labels=any(cell.hard_labels for _, cell in there),
        runs=(),
        partial=None if complete else mean,
        seconds=sum(cell.seconds or 0.0 for _, cell in there),
        tokens=sum(cell.tokens or 0 for _, cell in there) or None,
    )
