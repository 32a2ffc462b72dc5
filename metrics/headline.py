"""The one number that stands for a run, and how to write it."""

import math
from collections.abc import Sequence

from .protocols import ClassificationReport, ClassificationScores, Refused, RegressionReport, RegressionScores, Score

HEADLINE = {"regression": "MAD:MAE", "classification": "ROC AUC"}


def headline(scores: RegressionScores | ClassificationScores | Refused) -> Score | None:
    """MAD:MAE of a regression, AUC of a classification, None where the protocol refuses a score."""
    if isinstance(scores, Refused):
        return None
    return scores.mad_mae if isinstance(scores, RegressionScores) else scores.roc_auc


def whole_headline(report: RegressionReport | ClassificationReport) -> Score:
    """The headline over the whole test set, which is what runs are ranked by."""
    found = headline(report.whole)
    assert found is not None  # noqa: S101 - the whole test set is always scored
    return found


def written(score: Score | None, digits: int = 3) -> str:
    """A score for a table: ``Inval.`` where the protocol refuses one, ``∞`` for perfect predictions, else its value."""
    if score is None:
        return "Inval."
    if score.value is None:
        return "∞" if score.status == "infinite" else "–"
    return f"{score.value:.{digits}f}"


def written_interval(score: Score | None, digits: int = 3) -> str:
    """The interval of a score for a table, empty where there is none."""
    if score is None or score.interval is None:
        return ""
    low, high = score.interval.low, score.interval.high
    return f"[{'−∞' if low is None else f'{low:.{digits}f}'}, {'∞' if high is None else f'{high:.{digits}f}'}]"


def weighted_mean(values: Sequence[float], weights: Sequence[int]) -> float:
    """Mean over tasks weighted by their number of samples, as the publication averages a source."""
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
