"""What a run would ask and cost, without asking."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..dataset_builder.catalogue import Modality, Task
from ..errors import DataError
from ..metrics.results.record import Control
from .messages import Message
from .perturbations import perturbation
from .published_questions import read_published_questions
from .questions import read_questions
from .render import Prompt, Renderer
from .run import PromptSettings, about_tokens, check_published
from .shots import ShotSettings
from .templates import load_template
from .tokens import Counter

_RENDERED = 200
"""Of so many prompts, evenly among the rows, the tokens are counted."""


class Estimate(BaseModel):
    """What a run would be.

    Attributes:
        task: Name of the task.
        modality: Which view of a crystal is shown.
        questions: How many are asked, samples included.
        prompt_tokens: Tokens of all prompts, from some of them.
        completion_tokens: The most tokens of all answers.
        counted: Whether the model's tokenizer counted; else it is a guess from the characters.
        example: One whole prompt.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    modality: Modality
    questions: int
    prompt_tokens: int
    completion_tokens: int
    counted: bool
    example: tuple[Message, ...]


def estimate(
    task: Task,
    modality: Modality,
    settings: PromptSettings,
    *,
    seed: int = 0,
    control: Control = "none",
    limit: int | None = None,
    data: str | Path | None = None,
    revision: str | None = None,
    counter: Counter | None = None,
    prompts: Path | None = None,
) -> Estimate:
    """Render some of a run's prompts and count; the arguments are those of `prompt_task`.

    Raises:
        UsageError: No run can have these settings.
        DataError: No row has a text, or the prompts file is not of this test split.
    """
    if prompts is not None:
        published = check_published(settings, control)
        whole = read_published_questions(prompts, task, modality, published, data=data, revision=revision, limit=limit)
        looked_at = set(_evenly(whole.asked))
        shown = [
            prompt if counter is None else prompt._replace(tokens=counter.chat(prompt.messages))
            for row, prompt in whole
            if row in looked_at
        ]
        return _estimate(task, modality, settings, shown, whole.asked, counter)
    room = None if settings.context is None or counter is None else settings.context - settings.max_tokens
    asked_task = perturbation(control, task, modality, seed).task
    renderer = Renderer(load_template(settings.template), asked_task, modality, counter=counter, room=room)
    shots = ShotSettings(rule=settings.shot_rule, count=settings.shots, seed=seed)
    questions = read_questions(
        task, modality, renderer, shots, data=data, revision=revision, control=control, limit=limit
    )
    rows = _evenly(questions.asked)
    rendered = [questions.prompt(row) for row in rows if (questions.test[row].text or "").strip()]
    if not rendered:
        raise DataError(f"{task.name}: none of the rows looked at has a {modality}")
    return _estimate(task, modality, settings, rendered, questions.asked, counter)


def _evenly(rows: int) -> list[int]:
    """Some rows, evenly among all."""
    found: list[int] = np.unique(np.linspace(0, rows - 1, min(_RENDERED, rows)).astype(int)).tolist()
    return found


def _estimate(
    task: Task,
    modality: Modality,
    settings: PromptSettings,
    prompts: Sequence[Prompt],
    rows: int,
    counter: Counter | None,
) -> Estimate:
    asked = rows * settings.samples
    mean = sum(about_tokens(prompt) for prompt in prompts) / len(prompts)
    return Estimate(
        task=task.name,
        modality=modality,
        questions=asked,
        prompt_tokens=round(mean * asked),
        completion_tokens=asked * settings.max_tokens,
        counted=counter is not None,
        example=prompts[0].messages,
    )
