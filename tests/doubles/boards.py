"""Boards of the leaderboard without runs: rows that have one score in all tasks of a kind."""

from collections.abc import Mapping

from llm4mat_bench.dataset_builder.catalogue import Source, get_source
from llm4mat_bench.metrics.leaderboard.boards import SourceBoard, board_of
from llm4mat_bench.metrics.leaderboard.cells import mean_of
from llm4mat_bench.metrics.leaderboard.entries import in_order
from llm4mat_bench.metrics.leaderboard.models import Cell, Entry

KINDS = ("regression", "classification")
Scores = tuple[float | None, float | None] | tuple[float | None, float | None, int]
PERFECT = float("inf")


def cell(value: float) -> Cell:
    perfect = value == PERFECT
    said = {"value": None if perfect else value, "perfect": perfect, "text": "∞" if perfect else f"{value:.3f}"}
    plain = {"interval": "", "low": None, "high": None, "published": "", "coverage": 1.0, "hard_labels": False}
    return Cell.model_validate({**plain, "runs": (), **said})


def entry(source: Source, model: str, regression: float | None, classification: float | None, n: int = 99) -> Entry:
    """A row with one score in all tasks of a kind, or in ``n`` of the regressions."""
    tasks = [[task for task in source.tasks if task.kind == kind] for kind in KINDS]
    cells = {task.name: cell(regression) for task in tasks[0][:n] if regression is not None}
    cells |= {task.name: cell(classification) for task in tasks[1] if classification is not None}
    return Entry(
        id=f"{model}-id",
        line=model,
        model=model,
        model_revision="1",
        model_kind="other",
        modality="cif",
        parameters=None,
        settings="",
        dataset="data",
        cells=cells,
        means={kind: mean for kind in ("regression", "classification") if (mean := mean_of(source, cells, kind))},
    )


def board(
    name: str, rows: Mapping[str, tuple[float | None, float | None] | tuple[float | None, float | None, int]]
) -> SourceBoard:
    source = get_source(name)
    return board_of(source, in_order([entry(source, model, *its) for model, its in rows.items()]), (), (), {})
