"""Cells of the table: one score of one row, its seeds put together, and means over the tasks of a source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ...dataset_builder.catalogue import Kind, Source
from ..headline import headline, in_short, weighted_mean, whole_headline, written, written_interval
from ..protocols import ClassificationReport, RegressionReport, Score
from ..results.record import ResultRecord, shortfalls
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
        remark: What a reader must know of it, if anything.
    """

    folder: Path
    record: ResultRecord
    report: RegressionReport | ClassificationReport
    place: str | None
    remark: str | None = None

    @property
    def apart(self) -> tuple[str, ...]:
        """Why the run is not ranked; empty for one that is."""
        found = shortfalls(self.record)
        return found if self.place is not None else (*found, "data not compared")


def cell_of(runs: Sequence[SoundRun]) -> Cell:
    """The score of one row on one task.

    Args:
        runs: One a seed, in the order of the seeds. Where two are copies, the first alone counts, and a note says so.
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
        "error": _error(runs[:1]),
        "seconds": sum(run.record.provenance.wall_seconds for run in runs),
        "tokens": _tokens(runs),
        "proofs": tuple(_proof(run.record) for run in runs),
    }
    first = scores[0]
    remark = runs[0].remark
    if len(runs) == 1:
        return _single(first, remark, said)
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return _single(first, "not every seed has a score", said)
    mean, deviation = fmean(values), stdev(values)
    published = [report.value for report in reports if report is not None and report.value is not None]
    if len(published) == len(runs):
        said |= {"published": in_short(fmean(published)), "published_value": fmean(published)}
    said["error"] = _error(runs)
    return Cell(
        value=mean,
        text=in_short(mean),
        interval=f"± {in_short(deviation)} over {len(runs)} seeds",
        spread="seeds",
        low=mean - deviation,
        high=mean + deviation,
        note="; ".join(dict.fromkeys(run.remark for run in runs if run.remark)) or None,
        **said,
    )


def _error(runs: Sequence[SoundRun]) -> str:
    """What the answers are off, as the mean over runs."""
    found = [
        run.report.whole.mae if run.report.kind == "regression" else run.report.whole.balanced_accuracy for run in runs
    ]
    values = [score.value for score in found if score.value is not None]
    shown = in_short(fmean(values)) if len(values) == len(found) else written(found[0])
    unit = runs[0].record.unit if runs[0].report.kind == "regression" else None
    return f"{shown} {unit or ''}".strip()


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
    exact = scored and any(cell.perfect for _, cell in there)
    infinite = exact and len(there) == len(tasks)
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
        partial_perfect=exact and not infinite,
        seconds=sum(cell.seconds or 0.0 for _, cell in there),
        tokens=sum(cell.tokens or 0 for _, cell in there) or None,
    )
