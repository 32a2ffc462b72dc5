"""The questions of one run: test rows with their shots, rendered one at a time from texts that stay on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.dataset_folder import load_task, read_labels
from ..metrics.results.controls import other_crystals
from ..metrics.results.record import Control
from ..progress import Progress, silent
from .perturbations import perturbation
from .render import Prompt, Renderer
from .shots import Example, Shots, ShotSettings, choose_shots

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_READ_AT_ONCE = 500


class TaskRows(Sequence[Example]):
    """Rows of one split, read in pieces as they are asked for.

    Args:
        rows: Columns ``material_id``, ``text`` and ``target``, memory-mapped.
        is_class: Targets are classes.
        order: Which row's text each row has; None for its own.
        change: Makes another text of a row's id and text.
        scale: What targets are multiplied by.
    """

    def __init__(
        self,
        rows: "Dataset",
        *,
        is_class: bool,
        order: NDArray[np.int64] | None = None,
        change: Callable[[str, str], str] | None = None,
        scale: Fraction = Fraction(1),
    ) -> None:
        self._rows = rows.with_format("arrow")
        self._texts = (rows if order is None else rows.select(order)).with_format("arrow")
        self._is_class = is_class
        self._change = change
        self._scale = scale
        self._piece: tuple[int, list[Example]] = (0, [])

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> "pa.ChunkedArray":
        """One column of all rows: ``material_id`` or ``target``."""
        return self._rows.select_columns([name])[:][name]

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - a row; no slices are asked for
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, held = self._piece
        if not start <= index < start + len(held):
            start = index - index % _READ_AT_ONCE
            held = self._read(start, min(start + _READ_AT_ONCE, len(self)))
            self._piece = start, held
        return held[index - start]

    def _read(self, start: int, end: int) -> list[Example]:
        own, texts = self._rows[start:end], self._texts[start:end]
        triples = zip(own["material_id"].to_pylist(), texts["text"].to_pylist(), own["target"].to_pylist(), strict=True)
        return [Example(one, self._text(one, text), self._target(target)) for one, text, target in triples]

    def _text(self, material_id: str, text: str | None) -> str | None:
        return text if self._change is None or not text else self._change(material_id, text)

    def _target(self, target: float | bool | None) -> float | bool | None:
        if target is None:
            return None
        if self._is_class:
            return bool(target)
        return target if self._scale == 1 else float(Fraction(target) * self._scale)


@dataclass(frozen=True)
class Questions:
    """What a run asks.

    Attributes:
        test: The test rows, with the texts that are shown (another crystal's in the shuffled control).
        asked: How many of them, from the first, are asked.
        shots: Where the shots come from; None without any.
        formulas: The formulas of the texts that are shown, where the shot rule needs them.
        renderer: Makes the messages.
    """

    test: TaskRows
    asked: int
    shots: Shots | None
    formulas: TaskRows | None
    renderer: Renderer

    def __iter__(self) -> Iterator[tuple[int, Prompt]]:
        """Row and prompt of every row that has a text."""
        for row in range(self.asked):
            example = self.test[row]
            if example.text and example.text.strip():
                yield row, self.prompt(row)

    def prompt(self, row: int) -> Prompt:
        """The prompt of one row."""
        return self.renderer.render(self.test[row], self.shots_of(row))

    def shots_of(self, row: int) -> Sequence[Example]:
        """The shots before the question about one row."""
        if self.shots is None:
            return ()
        example = self.test[row]
        formula = None if self.formulas is None else self.formulas[row].text
        return self.shots.for_question(example, formula) if self._same is None else self._same

    @cached_property
    def _same(self) -> tuple[Example, ...] | None:
        """The shots of all questions, which the renderer then writes once."""
        return None if self.shots is None or self.shots.same is None else tuple(self.shots.same)

    @property
    def record(self) -> dict[str, JsonValue]:
        """What a record keeps of the shots."""
        return {} if self.shots is None else self.shots.record


def read_questions(
    task: Task,
    modality: Modality,
    renderer: Renderer,
    settings: ShotSettings,
    *,
    data: str | Path | None = None,
    revision: str | None = None,
    control: Control = "none",
    limit: int | None = None,
    progress: Progress = silent,
) -> Questions:
    """Open a task's rows and choose the shots.

    Args:
        task: What is asked for.
        modality: Which view of a crystal is shown.
        renderer: Makes the messages.
        settings: Which shots, how many, and the seed, that of the control too.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
        control: ``shuffled`` shows each question another test crystal's text; ``sentences`` and ``unit`` as
            `perturbation` says, in the shots too. The renderer is that of the perturbed task.
        limit: Ask only so many test rows.
        progress: Called as the work goes on.

    Raises:
        UsageError: The data is not at hand.
        DataError: It does not hold what it should, or too few training rows can be shots.
    """
    splits = load_task(task, modality, data, revision=revision, progress=progress)
    is_class = task.kind == "classification"
    order = other_crystals(len(splits["test"]), settings.seed) if control == "shuffled" else None
    changed = perturbation(control, task, modality, settings.seed)
    test = TaskRows(splits["test"], is_class=is_class, order=order, change=changed.change)
    shots, formulas = None, None
    if settings.count:
        progress("choosing shots", 0, 0)
        training_formulas = None
        if settings.rule == "nearest":
            views = load_task(task, "composition", data, revision=revision, progress=progress)
            training_formulas = [row.text for row in TaskRows(views["train"], is_class=is_class)]
            formulas = TaskRows(views["test"], is_class=is_class, order=order)
        complete = _complete(task, data, revision) if settings.rule == "fixed_published" else None
        shots = choose_shots(
            TaskRows(splits["train"], is_class=is_class, change=changed.change, scale=changed.scale),
            settings,
            formulas=training_formulas,
            complete=complete,
        )
    asked = len(test) if limit is None else min(limit, len(test))
    return Questions(test, asked, shots, formulas, renderer)


def _complete(task: Task, data: str | Path | None, revision: str | None) -> set[str]:
    """Ids of the training rows that have all properties of the source."""
    found: set[str] | None = None
    for one in task.source.tasks:
        ids = set(read_labels(one, data, revision=revision).splits["train"].material_ids.to_pylist())
        found = ids if found is None else found & ids
    return found or set()
