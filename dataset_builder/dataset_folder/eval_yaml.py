"""``eval.yaml``: the file by which a dataset repo on the Hub declares itself a benchmark with tasks."""

from typing import Any

from ..catalogue import MODALITIES, get_benchmark
from .report import BuildReport

# The Hub accepts a closed list of frameworks; the name is shown there once it has been added to that list.
EVALUATION_FRAMEWORK = "llm4mat-bench"


def eval_declaration(build: BuildReport) -> dict[str, Any]:
    """One entry a source and modality: results are the source's mean over its tasks."""
    return {
        "name": get_benchmark().title,
        "description": "Prediction of crystal properties from composition, CIF or description. Scores: MAD:MAE "
        "(regression) and ROC AUC (classification), whole test set.",
        "evaluation_framework": EVALUATION_FRAMEWORK,
        "tasks": [
            {"id": f"{source_id}_{modality}", "config": f"{source_id}-{modality}", "split": "test"}
            for source_id in build.sources
            for modality in MODALITIES
        ],
    }
