"""What needs the predictions of a task's rows again: resamples shared by all, and scores without duplicates."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...progress import Progress, silent
from ..figures.sheets import sketch
from ..protocols import NEUTRAL, ScoreKind
from ..results.places import Truths
from ..results.predictions import read_predictions
from ..results.processes import in_processes, truths_here, worth_processes
from ..scores import mad_mae, roc_auc
from .models import Unseen
from .resampling import Floats, Packed, packed, resampled_auc, resampled_mad_mae

_WORTH_WORKERS = 400
"""Runs from which on other processes are worth their start."""
_PIECE = 256
"""Rows whose answers are held at a time."""


class RowFiles(NamedTuple):
    """Predictions of one row on one task: what of the data it names, and a file a seed with what its scores are."""

    id: str
    dataset: str
    revision: str | None
    labels_sha256: str
    files: tuple[tuple[Path, ScoreKind], ...]


class TaskFiles(NamedTuple):
    """All rows of one task on one place's data.

    Attributes:
        task: Its name.
        rows: The rows.
        seen: Ids of the test materials that duplicate training rows, where they are known.
        formulas: Names the data's formulas, None where it has none.
        sketched: Sketch a panel of each run, to be drawn later.
    """

    task: str
    rows: tuple[RowFiles, ...]
    seen: pa.Array | None
    formulas: str | None = None
    sketched: bool = False


class Examined(NamedTuple):
    """What was found of one row on one task; one sketch a file."""

    resamples: Packed | None
    unseen: Unseen | None
    labels_sha256: str
    sketches: tuple[bytes, ...] = ()


def examine(
    tasks: Sequence[TaskFiles], truths: Truths, progress: Progress = silent, *, workers: int = 1
) -> dict[tuple[str, str], Examined]:
    """Examine the rows of tasks.

    Args:
        tasks: The tasks.
        truths: Where data is.
        progress: Called as the work goes on.
        workers: Processes to share many rows among.

    Returns:
        By task and row.
    """
    total = sum(len(task.rows) for task in tasks)
    found: dict[tuple[str, str], Examined] = {}
    files = sum(len(row.files) for task in tasks for row in task.rows)
    if workers > 1 and worth_processes(files, _WORTH_WORKERS):
        for part in in_processes(
            _examine_here, tasks, truths, workers, lambda task: f"compared the runs of {task.task}"
        ):
            found |= part
            progress("comparing", len(found), total)
        return found
    for task in tasks:
        progress("comparing", len(found), total)
        found |= examine_task(task, truths)
    progress("comparing", total, total)
    return found


def examine_task(task: TaskFiles, truths: Truths) -> dict[tuple[str, str], Examined]:
    """Examine the rows of one task, those on the same labels together."""
    by_data: dict[tuple[str, str | None, str], list[RowFiles]] = {}
    for row in task.rows:
        by_data.setdefault((row.dataset, row.revision, row.labels_sha256), []).append(row)
    found: dict[tuple[str, str], Examined] = {}
    for rows in by_data.values():
        for start in range(0, len(rows), _PIECE):
            found |= _examine_rows(task, rows[start : start + _PIECE], truths)
    return found


def _examine_rows(task: TaskFiles, rows: Sequence[RowFiles], truths: Truths) -> dict[tuple[str, str], Examined]:
    wanted, first = truths.task(task.task), rows[0]
    truth = truths.find(wanted, first.dataset, labels_sha256=first.labels_sha256)
    assert truth is not None  # noqa: S101 - they were compared with it
    ids, targets = truth.ids_by_id, truth.targets_by_id
    answers: list[Floats] = []
    sketches: list[bytes] = []
    for row in rows:
        for file, score_kind in row.files:
            values = read_predictions(file, wanted.kind, targets_needed=False).by_id().answers
            if task.sketched:
                sketches.append(sketch(wanted.kind, targets, values))
            missing = truth.training_mean if wanted.kind == "regression" else NEUTRAL[score_kind]
            answers.append(np.where(np.isnan(values), missing, values))
    stacked = np.stack(answers)
    resample, score = (resampled_mad_mae, mad_mae) if wanted.kind == "regression" else (resampled_auc, roc_auc)
    resampled = resample(ids, targets, stacked)
    kept = None if task.seen is None else ~np.asarray(pc.is_in(ids, value_set=task.seen))
    found, start = {}, 0
    for row in rows:
        here = slice(start, start + len(row.files))
        start = here.stop
        unseen = None
        if kept is not None:
            scores = [_score(score, targets[kept], one[kept]) for one in stacked[here]]
            unseen = _unseen(scores, int(kept.sum()), int((~kept).sum()))
        found[task.task, row.id] = Examined(
            packed(resampled[here].mean(axis=0)), unseen, row.labels_sha256, tuple(sketches[here])
        )
    return found


def _score(score, targets: Floats, answers: Floats) -> float | None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    try:
        return float(score(targets, answers))
    except ValueError:  # nothing left, or one class alone
        return None


def _unseen(scores: Sequence[float | None], n: int, left_out: int) -> Unseen:
    there = [score for score in scores if score is not None]
    mean = float(np.mean(there)) if len(there) == len(scores) else None
    if mean is not None and not np.isfinite(mean):
        return Unseen(value=None, text="∞", n=n, left_out=left_out)
    return Unseen(value=mean, text="–" if mean is None else f"{mean:.3f}", n=n, left_out=left_out)


def _examine_here(task: TaskFiles) -> dict[tuple[str, str], Examined]:
    return examine_task(task, truths_here())
