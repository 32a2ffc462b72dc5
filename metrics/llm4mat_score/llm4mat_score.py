"""The scores of LLM4Mat-Bench for the evaluate library: a thin wrapper over llm4mat_bench.metrics.protocols.

Evaluate reads the imports of this file line by line: one import a line, none in a try.
"""

from typing import Any

import datasets
import evaluate

from llm4mat_bench.metrics import protocols

_DESCRIPTION = """\
Scores of LLM4Mat-Bench, the benchmark of language models that predict the properties of crystals.
Configuration "regression": MAD:MAE (the benchmark's score), MAE, RMSE, R2, Spearman's rank correlation, MAD.
Configuration "classification": ROC AUC (the benchmark's score), accuracy, balanced accuracy, precision, recall, F1.
Both report coverage, the share of materials that got a valid answer, and give confidence intervals on request.
"""

_CITATION = """\
@article{rubungo2025llm4matbench,
  title = {{LLM4Mat-Bench}: benchmarking large language models for materials property prediction},
  author = {Rubungo, Andre Niyongabo and Li, Kangming and Hattrick-Simpers, Jason and Dieng, Adji Bousso},
  journal = {Machine Learning: Science and Technology},
  year = {2025},
  doi = {10.1088/2632-2153/add3bb},
}
"""

_INPUTS = """\
Args:
    predictions: list of float. Regression: predicted values, in the unit of the references. Classification: scores,
        higher for the positive class (score_kind says what they are). NaN or None where the model gave no valid answer.
    references: list of float, the true values; classification: labels 0 or 1.
    protocol: "whole" (default) scores the whole test set, a missing answer counting as train_mean (regression) or as
        a score that takes no side (classification); "published" scores valid answers only, and none where there are
        fewer than ten.
    train_mean: float, regression only: mean of the training targets; needed by "whole" where an answer is missing.
    score_kind: classification only: "probability" (default), "logit" or "hard_label".
    confidence: level of the intervals, for example 0.95; None (default) leaves them out.
    seed: int, of the bootstrap behind the intervals (default 0).
Returns:
    A dictionary of floats: mad_mae, mae, rmse, r2, spearman and mad; or roc_auc, accuracy, balanced_accuracy,
    precision, recall and f1. Beside them n (answers scored), n_total, coverage and protocol. A score that does not
    exist is None, with the reason under "undefined". With confidence, "intervals" holds
    {"low", "high", "level", "method"} by score.
Examples:
    >>> metric = evaluate.load(str(llm4mat_bench.metrics.module_path()), "regression")
    >>> metric.compute(predictions=[1.0, 3.0, 3.0, 4.0], references=[1.0, 2.0, 3.0, 6.0])["mad_mae"]
    2.0
"""

_CONFIGS = ("regression", "classification")


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class Llm4matScore(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Scores of LLM4Mat-Bench."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _CONFIGS:
            given = "none was" if self.config_name == "default" else f"{self.config_name!r} was"
            raise ValueError(
                f'llm4mat_score needs a configuration, "regression" or "classification", and {given} given: '
                f'evaluate.load(path, "regression")'
            )
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            # Labels are floats too: evaluate would cut 0.7 to the integer 0 in silence.
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
        )

    def _compute(
        self,
        *,
        predictions: list[float],
        references: list[float],
        protocol: protocols.Protocol = "whole",
        train_mean: float | None = None,
        score_kind: protocols.ScoreKind | None = None,
        confidence: float | None = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        if protocol not in ("whole", "published"):
            raise ValueError(f"protocol must be 'whole' or 'published', not {protocol!r}")
        if self.config_name == "classification":
            if train_mean is not None:
                raise ValueError("train_mean belongs to the configuration 'regression'")
            return protocols.score_classification(
                references, predictions, score_kind or "probability", confidence=confidence, seed=seed
            ).flat(protocol)
        if score_kind is not None:
            raise ValueError("score_kind belongs to the configuration 'classification'")
        if train_mean is None and protocol == "published":
            train_mean = 0.0  # reaches only the scores of the other protocol, which are not returned
        return protocols.score_regression(
            references, predictions, train_mean=train_mean, confidence=confidence, seed=seed
        ).flat(protocol)
