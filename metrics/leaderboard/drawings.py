"""Figures of a task's page: the best row of each modality, errors by element, learning curves, and all runs in small.

Readers choose a modality, so a picture is of one where it can be: what is drawn of three costs as much in one picture.

A picture is named by what it shows and by the code that draws it. So one that an earlier page left in the folder is the
one that would be drawn again, and is kept.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import JsonValue

from ...dataset_builder.catalogue import get_task
from ...drawing import available, style, svg_for_page
from ...drawing.style import styled
from ...errors import DataError
from ...progress import Progress, silent
from ..figures.curves import learning_curves
from ..figures.sheets import PER_SHEET, Panel
from ..results.names import visible
from ..results.places import Truths
from ..results.processes import in_processes, truths_here, worth_processes
from ..results.record import ResultRecord, json_sha256
from ..results.verify import Verification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORTH_WORKERS = 12
"""Tasks from which on another process is worth its start."""


class TaskDrawing(NamedTuple):
    """What is drawn for one task.

    Attributes:
        task: Its name.
        best: Its best runs, one a modality, best first.
        learning: All runs, where they make learning curves.
        formulas: Names the formulas of the first run's data; None where it has none.
        panels: All ranked runs, best first.
    """

    task: str
    best: tuple[Verification, ...]
    learning: tuple[Verification, ...]
    formulas: str | None
    panels: tuple[Panel, ...] = ()


class Planned(NamedTuple):
    """A picture that is to be drawn.

    Attributes:
        what: Which one.
        title: Its title.
        file: Its file.
        first: Of a sheet the number of its first panel, and ``end`` that behind its last; of a best run its number.
        modality: The one that all in it is of; empty where there are several.
    """

    what: Literal["best", "elements", "learning", "sheet"]
    title: str
    file: str
    first: int = 0
    end: int = 0
    modality: str = ""

    @property
    def anchor(self) -> str:
        """What links to it on its page name."""
        return f"{self.what}-{self.modality}-{self.first}"


class Drawn(NamedTuple):
    """A picture: its plan, and the content of its file; None for one that is there already."""

    plan: Planned
    content: str | None


def draw_tasks(
    tasks: Sequence[TaskDrawing],
    truths: Truths,
    progress: Progress = silent,
    *,
    workers: int = 1,
    holds: Callable[[str], bool] = lambda _: False,
) -> Mapping[str, list[Drawn]]:
    """Draw the pictures of tasks; none where there is no matplotlib.

    Args:
        tasks: What to draw.
        truths: Where data is.
        progress: Called as the work goes on.
        workers: Processes to share many tasks among.
        holds: Says of a file whether it is there already.
    """
    if not available():
        return {}
    plans = [(task, plan(task)) for task in tasks]
    todo = [(task, left) for task, its in plans if (left := tuple(one for one in its if not holds(one.file)))]
    found: dict[str, Drawn] = {one.file: Drawn(one, None) for _, its in plans for one in its if holds(one.file)}
    if workers > 1 and todo and worth_processes(len(todo), _WORTH_WORKERS):
        drawn = in_processes(_draw_here, todo, truths, workers, lambda one: f"drew {one[0].task}")
        for done, pictures in enumerate(drawn):
            progress("drawing", done, len(todo))
            found |= pictures
    else:
        for done, (task, left) in enumerate(todo):
            progress("drawing", done, len(todo))
            found |= draw_task(task, left, truths)
    progress("drawing", len(todo), len(todo))
    return {task.task: [found[one.file] for one in its if one.file in found] for task, its in plans}


def plan(task: TaskDrawing) -> list[Planned]:
    """Say what to draw for a task, and what the files are called."""
    planned = []
    name = get_task(task.task).name
    if task.best:
        parity = get_task(task.task).kind == "regression"
        for number, run in enumerate(task.best):
            view = _record(run).modality
            title = f"{'Predicted against true' if parity else 'ROC curve'}, the best by {view}"
            found = _planned("best", title, name, [_shown(run)])
            planned.append(found._replace(first=number, modality=view))
        if task.formulas is not None:
            title = f"Errors by element: {_name(task.best[0])}"
            found = _planned("elements", title, name, [_shown(task.best[0]), task.formulas])
            planned.append(found._replace(modality=_record(task.best[0]).modality))
    if task.learning and (curves := learning_curves(task.learning)):
        title = "What more training rows bring"
        found = _planned("learning", title, name, [_shown(run) for run in task.learning])
        modalities = {record.modality for record, _ in curves}
        planned.append(found._replace(modality=modalities.pop() if len(modalities) == 1 else ""))
    for first, end, modality in _sheets(task.panels):
        panels = task.panels[first:end]
        if [one.modality for one in task.panels].count(modality) == 1:
            continue  # it is the best one, and has a picture of its own
        shown: list[JsonValue] = [[one.label, hashlib.sha256(one.sketch).hexdigest()] for one in panels]
        its = [place for place, one in enumerate(task.panels) if one.modality == modality]
        which = f"runs {first - its[0] + 1} to {end - its[0]} of" if end - first < len(its) else "all"
        title = f"{modality}: {which} {len(its)}"
        planned.append(_planned("sheet", title, name, shown)._replace(first=first, end=end, modality=modality))
    return planned


def _sheets(panels: Sequence[Panel]) -> Iterator[tuple[int, int, str]]:
    """Where the sheets of panels begin and end, and of which modality they are."""
    start = 0
    for modality, its in groupby(panels, key=lambda one: one.modality):
        end = start + len(list(its))
        for first in range(start, end, PER_SHEET):
            yield first, min(first + PER_SHEET, end), modality
        start = end


@styled
def draw_task(task: TaskDrawing, planned: Sequence[Planned], truths: Truths) -> dict[str, Drawn]:
    """Draw pictures of one task, by file; one that the data does not allow is left out."""
    from ..figures.answers import parity
    from ..figures.classes import roc
    from ..figures.curves import learning_of
    from ..figures.of_runs import answers_of, elements_of
    from ..figures.sheets import BINS_PER_INCH, sheet

    wanted = truths.task(task.task)

    def best(number: int) -> "Figure":
        answers = answers_of(task.best[number], _name(task.best[number]))
        return parity([answers], wanted.unit) if wanted.kind == "regression" else roc([answers])

    draw: dict[str, Callable[[Planned], Figure]] = {
        "best": lambda one: best(one.first),
        "elements": lambda one: elements_of(task.best[0], answers_of(task.best[0], _name(task.best[0])), truths),
        "learning": lambda one: learning_of(wanted, task.learning),
    }
    drawn = {}
    for one in planned:
        with suppress(DataError):
            if one.what == "sheet":
                figure = sheet(task.panels[one.first : one.end], wanted.kind)
                # How many runs there are stands in the page: the same picture is kept where there are more now.
                content = svg_for_page(figure, f"Runs of {task.task}", cells_per_inch=BINS_PER_INCH)
            else:
                content = svg_for_page(draw[one.what](one), one.title)
            drawn[one.file] = Drawn(one, content)
    return drawn


def _planned(
    what: Literal["best", "elements", "learning", "sheet"],
    title: str,
    task: str,
    shown: Sequence[JsonValue],
) -> Planned:
    # The title of a sheet, which says how many runs there are, is not in it.
    name = json_sha256([_drawn_by(), what, "" if what == "sheet" else title, task, *shown])[:24]
    return Planned(what, title, f"plots/{name}.svg")


@cache
def _drawn_by() -> str:
    """Names the code that draws: a picture that another version drew is not kept."""
    here = Path(__file__)
    digest = hashlib.sha256(version("matplotlib").encode())
    ours = (*sorted((here.parent.parent / "figures").glob("*.py")), *sorted(Path(style.__file__).parent.glob("*.py")))
    for file in (*ours, here):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _record(run: Verification) -> ResultRecord:
    assert run.record is not None  # noqa: S101 - only sound runs are drawn
    return run.record


def _shown(run: Verification) -> list[JsonValue]:
    record = _record(run)
    return [record.record_sha256, record.predictions.sha256, record.data.labels_sha256]


def _name(run: Verification) -> str:
    record = _record(run)
    return f"{visible(record.model.id, 26)} · {record.modality}"


def _draw_here(one: tuple[TaskDrawing, Sequence[Planned]]) -> dict[str, Drawn]:
    return draw_task(*one, truths_here())
