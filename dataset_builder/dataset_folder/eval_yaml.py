"""``eval.yaml``: the file by which a dataset repo on the Hub declares itself a benchmark with tasks."""

from typing import Any

from ..catalogue import MODALITIES, get_benchmark
from .report import BuildReport

# The Hub accepts a closed list of frameworks; the name is shown there once it has been added to that list.
EVALUATION_FRAMEWORK = "llm4mat-bench"


def eval_declaration(build: BuildReport) -> dict[str, Any]:
    """One entry a source and modality, whose results are means over its regressions, and one a task and modality."""
    return {
        "name": get_benchmark().title,
        "description": "Prediction of crystal properties from composition, CIF or description. Scores: MAD:MAE "
        "(regression) and ROC AUC (classification), whole test set.",
        "evaluation_framework": EVALUATION_FRAMEWORK,
        "tasks": [
            {"id": eval_task_id(source_id, modality, name), "config": f"{source_id}-{modality}", "split": "test"}
            for source_id, report in build.sources.items()
            for name in (None, *(prop.name for prop in report.declaration.properties))
            for modality in MODALITIES
        ],
    }


def eval_task_id(source_id: str, modality: str, name: str | None = None) -> str:
    """Id of a task in ``eval.yaml``: of a property, or of a source's mean where none is named."""
    return "_".join(part for part in (source_id, name, modality) if part is not None)
