"""The questions of a published prompts file, each with its test row."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import JsonValue

from ..dataset_builder.catalogue import Modality, Task
from ..dataset_builder.dataset_folder import load_task
from ..errors import UsageError
from ..progress import Progress, silent
from .published import PublishedShots, match_to_test, read_published_prompts
from .questions import TaskRows
from .render import Cut, Prompt
from .tokens import Counter

PUBLISHED_FEW = 5
"""Shots in the few-shot prompts of the published files."""


@dataclass(frozen=True)
class PublishedQuestions:
    """What a run asks, as it stands in a file; nothing is cut.

    Attributes:
        path: The file.
        task: What is asked for.
        modality: Which view of a crystal is shown.
        shots: Which of the file's prompts.
        test: The test rows.
        asked: How many of them, from the first, are asked.
        counter: Counts the model's tokens, if there is one.
    """

    path: Path
    task: Task
    modality: Modality
    shots: PublishedShots
    test: TaskRows
    asked: int
    counter: Counter | None

    def __iter__(self) -> Iterator[tuple[int, Prompt]]:
        """Row and prompt of every row.

        Raises:
            DataError: The file's rows are not those of the test split.
        """
        prompts = read_published_prompts(self.path, self.task, self.modality, self.shots)
        rows = (self.test[row] for row in range(len(self.test)))
        found = match_to_test(prompts, rows, self.task, self.path)
        for row, question in enumerate(islice(found, self.asked)):
            tokens = None if self.counter is None else self.counter.chat(question.messages)
            yield row, Prompt(question.messages, (), Cut(), tokens)

    @property
    def record(self) -> dict[str, JsonValue]:
        """What a record keeps of the shots."""
        return {"rule": "as in the prompts file", "column": self.shots}


def published_shots(shots: int) -> PublishedShots:
    """Which of the file's prompts have so many shots.

    Raises:
        UsageError: None have.
    """
    if shots not in (0, PUBLISHED_FEW):
        raise UsageError(f"--prompts: the published files have prompts with 0 and with {PUBLISHED_FEW} --shots")
    return "few_shot" if shots else "zero_shot"


def read_published_questions(
    path: Path,
    task: Task,
    modality: Modality,
    shots: PublishedShots,
    *,
    data: str | Path | None = None,
    revision: str | None = None,
    limit: int | None = None,
    counter: Counter | None = None,
    progress: Progress = silent,
) -> PublishedQuestions:
    """Open a prompts file beside the test split that it belongs to, and compare the two, before anything is asked.

    Args:
        path: A published ``{source}_inference_prompts_data.csv``.
        task: What is asked for.
        modality: Which view of a crystal is shown.
        shots: Which of the file's prompts.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
        limit: Ask only so many test rows.
        counter: Counts the model's tokens.
        progress: Called as the work goes on.

    Raises:
        UsageError: The data is not at hand.
        DataError: The file cannot be read, or its rows are not those of the test split.
    """
    rows = load_task(task, modality, data, revision=revision, progress=progress)["test"]
    test = TaskRows(rows, is_class=task.kind == "classification")
    progress("comparing the prompts with the test split", 0, 0)
    for _ in match_to_test(read_published_prompts(path, task, modality, shots), iter(test), task, path):
        pass
    asked = len(test) if limit is None else min(limit, len(test))
    return PublishedQuestions(path, task, modality, shots, test, asked, counter)
