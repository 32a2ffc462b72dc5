"""What the task files of lm-evaluation-harness call."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .scoring import Answered, coverage_of, headline_of, read_value

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["coverage", "dataset", "headline", "process_results"]


def dataset(folder: Path) -> "dict[str, Dataset]":
    """Read the questions and shots of a task; nothing is fetched or kept elsewhere."""
    from datasets import Dataset

    return {
        split: Dataset.from_list([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])
        for split in ("test", "shots")
        if (file := folder / f"{split}.jsonl").is_file()
    }


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Answered]:
    """Read one answer."""
    answered = Answered(read_value(results[0], doc["task"]), doc["target"], doc["training_mean"], doc["task"])
    return {doc["metric"]: answered, "coverage": answered}


def headline(items: Sequence[Answered]) -> float:
    """The score of a task from all its answers."""
    return headline_of([Answered(*one) for one in items])


def coverage(items: Sequence[Answered]) -> float:
    """Share of the answers that could be read."""
    return coverage_of([Answered(*one) for one in items])
