"""``eval.yaml``: the file by which a dataset repo on the Hub declares itself a benchmark with tasks."""

from typing import Any

from ..catalogue import MODALITIES, Source, get_benchmark
from .report import BuildReport

# The Hub accepts a closed list of frameworks; the name is shown there once it has been added to that list.
EVALUATION_FRAMEWORK = "llm4mat-bench"
MEAN_OF_CLASSES = "classification"
"""What stands for a property in the id of the mean over a source's classifications."""


def eval_declaration(build: BuildReport) -> dict[str, Any]:
    """One entry a task and modality; more a source and modality: means over regressions, and classes."""
    return {
        "name": get_benchmark().title,
        "description": "Prediction of crystal properties from composition, CIF or description. Scores: MAD:MAE "
        "(regression) and ROC AUC (classification), whole test set.",
        "evaluation_framework": EVALUATION_FRAMEWORK,
        "tasks": [
            {"id": eval_task_id(source_id, modality, name), "config": f"{source_id}-{modality}", "split": "test"}
            for source_id, report in build.sources.items()
            for name in (*_means(report.declaration), *(prop.name for prop in report.declaration.properties))
            for modality in MODALITIES
        ],
    }


def _means(source: Source) -> tuple[str | None, ...]:
    n_classes = sum(prop.kind == "classification" for prop in source.properties)
    return (None, MEAN_OF_CLASSES) if n_classes > 1 else (None,)


def eval_task_id(source_id: str, modality: str, name: str | None = None) -> str:
    """Id of a task in ``eval.yaml``: of a property, or of the mean over a source's regressions where none is named."""
    return "_".join(part for part in (source_id, name, modality) if part is not None)
