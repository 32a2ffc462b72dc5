"""From verified runs to figures: reads what a figure needs and draws it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow.compute as pc

from ...dataset_builder.catalogue import Task, get_task
from ...errors import DataError
from ..protocols import NEUTRAL
from ..results.compositions import element_presence
from ..results.places import Truths
from ..results.prediction_tables import read_table
from ..results.predictions import Predictions, read_predictions
from ..results.record import ResultRecord, json_sha256
from ..results.truth import Truth
from ..results.verify import Verification
from .answers import Answers, Floats, parity, residuals
from .calibration import mean_calibration, reliability, spread_calibration
from .classes import class_scores, roc
from .curves import learning_of
from .elements import SYMBOLS, element_means, periodic_table
from .names import apart, model_name, run_name
from .runs import Share, coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FigureKind = Literal["parity", "residuals", "elements", "calibration", "coverage", "learning"]
KINDS: tuple[FigureKind, ...] = get_args(FigureKind)
OF_MANY = frozenset({"coverage", "learning"})
"""Kinds with one figure a task; the others have one a run."""


def draw_figures(
    kind: FigureKind, runs: Sequence[Verification], truths: Truths
) -> Iterator[tuple[str, "Figure | DataError"]]:
    """Draw a kind of figure of all runs.

    Args:
        kind: Which.
        runs: Sound ones.
        truths: Where data is.

    Yields:
        A name for the file, without its ending, and the figure; or why this run or task has none.
    """
    if kind in OF_MANY:
        by_task: dict[str, list[Verification]] = defaultdict(list)
        for run in runs:
            by_task[_record(run).task].append(run)
        stems = _stems([(name.replace("/", "-"), json_sha256(name)) for name in sorted(by_task)])
        draw = {"coverage": coverage_of, "learning": learning_of}[kind]
        for stem, (name, its) in zip(stems, sorted(by_task.items()), strict=True):
            yield stem, _or_reason(lambda name=name, its=its: draw(get_task(name), its))  # type: ignore[misc]
        return
    told = apart(runs)
    stems = _stems([((record := _record(run)).flat_name, record.record_sha256) for run in runs])
    for stem, run in zip(stems, runs, strict=True):
        name = run_name(_record(run), told[run.folder])
        yield stem, _or_reason(lambda run=run, name=name: draw_run(kind, run, truths, name))  # type: ignore[misc]


def _stems(names: Sequence[tuple[str, str]]) -> list[str]:
    """Names of files, with the start of the hash beside each where several would have the same, in any case."""
    often = Counter(name.casefold() for name, _ in names)
    return [f"{name}-{sha256[:8]}" if often[name.casefold()] > 1 else name for name, sha256 in names]


def draw_run(kind: FigureKind, run: Verification, truths: Truths, name: str | None = None) -> "Figure":
    """Draw a figure of one run.

    Args:
        kind: Which; one of those that have a figure a run.
        run: The run.
        truths: Where data is.
        name: Its title, where :func:`run_name` alone would not do.

    Raises:
        DataError: This run has no such figure; the message says why.
    """
    record = _record(run)
    task, answers = get_task(record.task), answers_of(run, name)
    classes = task.property.classes
    if kind == "parity":
        return parity([answers], task.unit) if task.kind == "regression" else roc([answers])
    if kind == "residuals":
        if classes is None:
            return residuals(answers, task.unit)
        return class_scores(answers, (classes.negative, classes.positive))
    if kind == "elements":
        return elements_of(run, answers, truths)
    return _calibration(run, task, answers)


def answers_of(run: Verification, name: str | None = None) -> Answers:
    """Targets and answers of a run, in the order of the ids."""
    record = _record(run)
    found = _predictions(run).by_id()
    assert found.targets is not None  # noqa: S101 - a run's own file has targets
    return Answers(run_name(record, apart([run])[run.folder]) if name is None else name, found.targets, found.answers)


def errors_of(run: Verification, answers: Answers) -> Floats:
    """What an answer is off: absolute error in the unit of the task; 1 for the wrong class, 0 for the right one."""
    if _record(run).metrics.kind == "regression":
        return np.abs(np.clip(answers.answers, -1e30, 1e30) - answers.targets)
    report = run.report
    threshold = NEUTRAL[report.score_kind if report is not None and report.kind == "classification" else "probability"]
    wrong = (answers.answers > threshold) != (answers.targets > 0.5)
    return np.where(np.isnan(answers.answers), np.nan, wrong.astype(np.float64))


def elements_of(run: Verification, answers: Answers, truths: Truths) -> "Figure":
    """Errors by element.

    Raises:
        DataError: The data is not at hand, or has no formulas.
    """
    record = _record(run)
    task = get_task(record.task)
    truth = truth_of(record, truths)
    if truth is None:
        raise DataError(f"{record.run_id}: the formulas of {record.task} are not at hand; --data says where they are")
    presence = element_presence(truth, SYMBOLS)
    if presence is None:
        raise DataError(f"{record.run_id}: {truth.place} has no column of formulas (composition)")
    if len(presence) != len(answers.answers):
        raise DataError(f"{record.run_id}: not on the test materials of {truth.place}")
    counts, means = element_means(presence, errors_of(run, answers))
    what = "share of wrong classes" if task.kind == "classification" else "mean absolute error"
    unit = task.unit if task.kind == "regression" else None
    return periodic_table(counts, means, what, unit, answers.name.replace("\n", " · "))


def truth_of(record: ResultRecord, truths: Truths) -> Truth | None:
    """The truth that a record was compared with, None where it is not at hand."""
    data = record.data
    return truths.find(get_task(record.task), data.dataset, labels_sha256=data.labels_sha256)


def coverage_of(task: Task, runs: Sequence[Verification]) -> "Figure":
    """How much of a task's test set each run answered."""
    shares = []
    told = apart(runs)
    for run in runs:
        record = _record(run)
        counts = record.counts
        name = f"{model_name(record)} · {told[run.folder]}"
        shares.append(Share(name, counts.n_scored, counts.n_invalid, counts.n_missing))
    return coverage(shares, task.name)


def _calibration(run: Verification, task: Task, answers: Answers) -> "Figure":
    record = _record(run)
    if np.isnan(answers.answers).all():
        raise DataError(f"{record.run_id}: no answer, so nothing to calibrate")
    if task.kind == "regression":
        spread = _spread(run)
        if spread is not None and (~np.isnan(spread) & ~np.isnan(answers.answers)).any():
            return spread_calibration(answers, spread, task.unit)
        return mean_calibration(answers, task.unit)
    assert record.metrics.kind == "classification"  # noqa: S101 - verified
    if record.metrics.score_kind == "hard_label":
        raise DataError(f"{record.run_id}: its scores are hard labels, which say no probability")
    if record.metrics.score_kind == "logit":
        from scipy.special import expit

        answers = answers._replace(answers=expit(answers.answers))
    return reliability(answers)


def _spread(run: Verification) -> Floats | None:
    """Standard deviation of the samples of each row, where a prompted run has it, in the order of the ids."""
    file = run.folder / _record(run).predictions.file
    table = read_table(file, frozenset({"material_id", "spread"})).table
    if "spread" not in table.column_names:
        return None
    try:
        spread: Floats = table["spread"].to_numpy().astype(np.float64)
    except ValueError as error:
        raise DataError(f"{file}: column 'spread': numbers are needed") from error
    in_order: Floats = spread[pc.sort_indices(_predictions(run).material_ids).to_numpy()]
    return in_order


def _predictions(run: Verification) -> Predictions:
    record = _record(run)
    return read_predictions(run.folder / record.predictions.file, record.metrics.kind)


def _record(run: Verification) -> ResultRecord:
    assert run.record is not None  # noqa: S101 - only sound runs are drawn
    return run.record


def _or_reason(draw: Callable[[], "Figure"]) -> "Figure | DataError":
    try:
        return draw()
    except DataError as error:
        return error


def choose_runs(
    folders: Sequence[Path], read: Callable[[Path], ResultRecord], wanted: Callable[[ResultRecord], bool]
) -> list[Path]:
    """Folders whose records are wanted, and those whose records cannot be read, which verifying tells."""
    chosen = []
    for folder in folders:
        try:
            if wanted(read(folder / "result.json")):
                chosen.append(folder)
        except DataError:
            chosen.append(folder)
    return chosen
