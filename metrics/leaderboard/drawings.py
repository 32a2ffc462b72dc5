"""Figures of a task's page: the best row of each modality, errors by element, and learning curves."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from ...errors import DataError
from ...progress import Progress, silent
from ..figures import available, svg_for_page
from ..results.names import visible
from ..results.places import Place, Truths
from ..results.verify import Verification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORTH_WORKERS = 12
"""Tasks from which on another process is worth its start."""


class TaskDrawing(NamedTuple):
    """What is drawn for one task: its best runs, one a modality, best first; and all runs that make learning curves."""

    task: str
    best: tuple[Verification, ...]
    learning: tuple[Verification, ...]


class Drawn(NamedTuple):
    """One figure: what it shows, in a few words, and the SVG."""

    title: str
    svg: str


def draw_tasks(
    tasks: Sequence[TaskDrawing], truths: Truths, progress: Progress = silent, *, workers: int = 1
) -> Mapping[str, list[Drawn]]:
    """Draw the figures of tasks; none where there is no matplotlib."""
    if not available():
        return {}
    found: dict[str, list[Drawn]] = {}
    if workers > 1 and len(tasks) >= _WORTH_WORKERS:
        with ProcessPoolExecutor(min(workers, len(tasks)), get_context("spawn"), _begin, (truths.places,)) as pool:
            for task, drawn in zip(tasks, pool.map(_draw_here, tasks), strict=True):
                found[task.task] = drawn
                progress("drawing", len(found), len(tasks))
        return found
    for task in tasks:
        progress("drawing", len(found), len(tasks))
        found[task.task] = draw_task(task, truths)
    progress("drawing", len(tasks), len(tasks))
    return found


def draw_task(task: TaskDrawing, truths: Truths) -> list[Drawn]:
    """Draw the figures of one task."""
    from ..figures.answers import parity
    from ..figures.classes import roc
    from ..figures.of_runs import answers_of, elements_of, learning_of

    wanted, drawn = truths.task(task.task), []
    if task.best:
        answers = [answers_of(run, _name(run)) for run in task.best]
        if wanted.kind == "regression":
            drawn.append(_drawn("Predicted against true, the best of each modality", parity(answers, wanted.unit)))
        else:
            drawn.append(_drawn("ROC curves, the best of each modality", roc(answers)))
        with suppress(DataError):  # the data has no formulas
            figure = elements_of(task.best[0], answers[0], truths)
            drawn.append(_drawn(f"Errors by element: {_name(task.best[0])}", figure))
    if task.learning:
        with suppress(DataError):  # no model was trained on several numbers of rows
            drawn.append(_drawn("What more training rows bring", learning_of(wanted, task.learning)))
    return drawn


def _drawn(title: str, figure: "Figure") -> Drawn:
    return Drawn(title, svg_for_page(figure, title))


def _name(run: Verification) -> str:
    assert run.record is not None  # noqa: S101 - only sound runs are drawn
    return f"{visible(run.record.model.id, 26)} · {run.record.modality}"


_truths_here: Truths | None = None


def _begin(places: Sequence[Place]) -> None:
    """Open the places in a process of its own."""
    global _truths_here  # noqa: PLW0603 - a process has one, for all its tasks
    _truths_here = Truths(places)


def _draw_here(task: TaskDrawing) -> list[Drawn]:
    return draw_task(task, _truths_here or Truths())
