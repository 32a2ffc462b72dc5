"""The benchmark as tasks of Inspect: `inspect eval llm4mat_bench/llm4mat -T task=mp/band_gap`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Metric, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState, generate

from ...dataset_builder.catalogue import Modality, get_task
from ..shots import Rule
from .rows import ExportSettings, Row, open_export
from .scoring import Answered, coverage_of, headline_of, read_value
from .write import read_settings

__all__ = ["exported", "llm4mat"]

_TURNS = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
_REASONS = {"stop": "stop", "max_tokens": "length"}


@task
def llm4mat(  # noqa: D417 - Inspect shows them by their names
    task: str,
    modality: Modality = "composition",
    shots: int = 0,
    shot_rule: Rule = "fixed",
    template: str = "json",
    seed: int = 0,
    limit: int | None = None,
    max_tokens: int = 256,
    data: str | None = None,
) -> Task:
    """The questions of a task of the benchmark, as `llm4mat-bench prompt` asks them.

    Args:
        task: Name of the task, ``mp/band_gap`` for example.
    """
    settings = ExportSettings(
        template=template,
        shots=shots,
        shot_rule=shot_rule,
        seed=seed,
        limit=limit,
        max_tokens=max_tokens,
        data=data,
    )
    opened = open_export(get_task(task), modality, settings)
    return _task(opened.name, opened.rows(), max_tokens)


def exported(folder: Path) -> Task:
    """The questions that `llm4mat-bench export inspect` wrote into a folder."""
    lines = (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = (Row.model_validate(json.loads(line)) for line in lines)
    return _task(folder.name, rows, int(read_settings(folder)["max_tokens"]))


def _task(name: str, rows: Iterable[Row], max_tokens: int) -> Task:
    samples = [
        Sample(
            id=row.material_id,
            input=[_TURNS[one.role](content=one.content) for one in row.messages],
            target=str(row.target),
            metadata={"task": row.task, "target": row.target, "training_mean": row.training_mean},
        )
        for row in rows
    ]
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=generate(),
        scorer=answer(),
        config=GenerateConfig(temperature=0.0, max_tokens=max_tokens),
        name=name,
    )


def _answered(scores: list[Any]) -> list[Answered]:
    return [Answered(*one.score.metadata["answered"]) for one in scores]


@metric
def headline() -> Metric:
    """MAD:MAE, or AUC of labels, over all questions."""

    def compute(scores: list[Any]) -> float:
        return headline_of(_answered(scores)) if scores else float("nan")

    return compute


@metric
def coverage() -> Metric:
    """Share of the answers that could be read."""

    def compute(scores: list[Any]) -> float:
        return coverage_of(_answered(scores)) if scores else float("nan")

    return compute


@scorer(metrics=[headline(), coverage()])
def answer() -> Scorer:
    """Reads an answer with the parser of llm4mat-bench."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001 - the number stands in the metadata
        known = state.metadata
        reason = _REASONS.get(str(state.output.stop_reason))
        value = read_value(state.output.completion, known["task"], reason)
        answered = [value, known["target"], known["training_mean"], known["task"]]
        # 1 where it could be read: a missing number is no score that Inspect could pass over
        return Score(
            value=int(value is not None),
            answer="" if value is None else f"{value:.10g}",
            explanation=state.output.completion,
            metadata={"answered": answered},
        )

    return score
