"""The questions of a task as rows of JSON, with all that a harness needs to ask and to score them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Modality, Task
from ...dataset_builder.dataset_folder import read_labels
from ...errors import DataError, UsageError
from ...progress import Progress, silent
from ..messages import Message
from ..questions import Questions, read_questions
from ..render import Renderer
from ..shots import Rule, ShotSettings
from ..templates import Template, load_template


class Row(BaseModel):
    """One question.

    Attributes:
        material_id: Which crystal.
        task: Name of the task.
        messages: The whole prompt.
        target: The true value; classes are 0 and 1.
        training_mean: What a missing answer counts as.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    material_id: str
    task: str
    messages: tuple[Message, ...]
    target: float
    training_mean: float


@dataclass(frozen=True)
class ExportSettings:
    """What is asked how.

    Attributes:
        template: Id or file of the template.
        shots: Solved examples before each question.
        shot_rule: Which.
        seed: Of the shots.
        limit: Only so many test rows, from the first.
        max_tokens: The longest answer.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
    """

    template: str = "json"
    shots: int = 0
    shot_rule: Rule = "fixed"
    seed: int = 0
    limit: int | None = None
    max_tokens: int = 256
    data: str | Path | None = None
    revision: str | None = None


@dataclass(frozen=True)
class ExportedTask:
    """The questions of a task, opened.

    Attributes:
        task: The task.
        modality: Which view of a crystal is shown.
        settings: What is asked how.
        template: The template.
        questions: What `llm4mat-bench prompt` would ask.
        training_mean: What a missing answer counts as.
    """

    task: Task
    modality: Modality
    settings: ExportSettings
    template: Template
    questions: Questions
    training_mean: float

    @property
    def name(self) -> str:
        """Name in a harness; it says what is otherwise than is usual, so that two exports are no one task."""
        usual, own = ExportSettings(), self.settings
        parts = ["llm4mat", self.task.name, self.modality, f"{own.shots}shot"]
        parts += [self.template.id] if own.template != usual.template else []
        parts += [own.shot_rule] if own.shots and own.shot_rule != usual.shot_rule else []
        parts += [f"seed{own.seed}"] if own.shots and own.seed != usual.seed else []
        parts += [f"limit{own.limit}"] if own.limit is not None else []
        return re.sub(r"\W+", "_", "_".join(parts))

    def rows(self) -> Iterator[Row]:
        """The questions, in the order of the test rows.

        Raises:
            DataError: A crystal has no text, so that no harness could ask about it and still count it.
        """
        for number in range(self.questions.asked):
            example = self.questions.test[number]
            if not (example.text or "").strip():
                raise DataError(
                    f"{self.task.name}: {example.material_id} has no {self.modality}: a harness would leave it out of "
                    "the score. `llm4mat-bench prompt` counts it as missing; or give a --limit below its row "
                    f"({number + 1})"
                )
            yield Row(
                material_id=example.material_id,
                task=self.task.name,
                messages=self.questions.prompt(number).messages,
                target=float(example.target),
                training_mean=self.training_mean,
            )


def open_export(task: Task, modality: Modality, settings: ExportSettings, progress: Progress = silent) -> ExportedTask:
    """Open a task's questions: those of `llm4mat-bench prompt` with the same template, shots and seed, nothing cut.

    Raises:
        UsageError: The data is not at hand.
        DataError: It does not hold what it should, or the template needs a tokenizer.
    """
    template = load_template(settings.template)
    questions = read_questions(
        task,
        modality,
        Renderer(template, task, modality),
        ShotSettings(rule=settings.shot_rule, count=settings.shots, seed=settings.seed),
        data=settings.data,
        revision=settings.revision,
        limit=settings.limit,
        progress=progress,
    )
    training = read_labels(task, settings.data, revision=settings.revision).splits["train"]
    return ExportedTask(task, modality, settings, template, questions, float(training.targets.mean()))


def require_one_message(opened: ExportedTask, harness: str) -> None:
    """Refuse templates whose prompts are more than one user text.

    Raises:
        UsageError: The template has a system text, or shots as turns.
    """
    template = opened.template
    if template.system is not None or (opened.settings.shots and template.shots == "turns"):
        raise UsageError(
            f"--template {template.id}: {harness} knows no system text of a task and chooses shots its own way; take a "
            "template that is one user text with its shots in it: --template words"
        )
