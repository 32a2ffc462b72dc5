"""The one number that stands for a run, and how to write it."""

import math
from collections.abc import Sequence

from .protocols import ClassificationReport, ClassificationScores, Refused, RegressionReport, RegressionScores, Score

_HUGE = 1e9
HEADLINE = {"regression": "MAD:MAE", "classification": "ROC AUC"}


def headline_name(report: RegressionReport | ClassificationReport) -> str:
    """What the headline is called; an AUC of hard labels, which is a balanced accuracy, says so."""
    hard = report.kind == "classification" and report.score_kind == "hard_label"
    return f"{HEADLINE[report.kind]}{' of hard labels' if hard else ''}"


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
    return in_short(score.value, digits)


def written_interval(score: Score | None, digits: int = 3) -> str:
    """The interval of a score for a table, empty where there is none."""
    if score is None or score.interval is None:
        return ""
    low, high = score.interval.low, score.interval.high
    return f"[{'−∞' if low is None else in_short(low, digits)}, {'∞' if high is None else in_short(high, digits)}]"


def in_short(value: float, digits: int = 3) -> str:
    """A number with so many decimals; a huge one, of which nobody reads three hundred digits, by its power of ten."""
    return f"{value:.{digits}f}" if abs(value) < _HUGE else f"{value:.{digits}e}"


def weighted_mean(values: Sequence[float], weights: Sequence[int]) -> float:
    """Mean over tasks weighted by their number of samples, as the publication averages a source."""
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
