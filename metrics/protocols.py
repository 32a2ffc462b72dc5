"""Both protocols of the benchmark: every score of a run, over the answers given and over the whole test set.

A missing answer is NaN (or None) in place of a prediction.

- ``published`` scores the valid answers only, and refuses ("Inval." in the published tables) fewer than ten of them.
- ``whole``, the headline, scores the whole test set: a missing answer counts as the mean of the training targets in
  regression and as a score that takes no side in classification. A model cannot win by answering only easy cases.

A score that does not exist, say a rank correlation with a constant prediction, is a null with a reason and leaves the
others standing. Everything here can be written as JSON: infinity (MAD:MAE of perfect predictions) is a null of status
``infinite``.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from . import intervals, scores
from .arrays import Floats, as_numbers, binary_labels, require_both_classes, require_finite, require_same_length
from .confusion import Rate, confusion, rates
from .errors import ScoreError
from .intervals import CONFIDENCE, N_RESAMPLES, Interval, RegressionStatistic

ScoreKind = Literal["probability", "logit", "hard_label"]
Protocol = Literal["published", "whole"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]

MINIMUM_ANSWERS = 10
"""The published protocol gives no score to fewer valid answers."""
NEUTRAL: dict[ScoreKind, float] = {"probability": 0.5, "logit": 0.0, "hard_label": 0.5}
"""The score that takes no side: what a missing answer counts as, and the threshold between the classes."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Model):
    """One score with its interval, or the reason why there is none.

    Attributes:
        value: the score; None unless ``status`` is ``defined``.
        interval: None where intervals were not asked for or do not exist.
        status: ``infinite`` is MAD:MAE of perfect predictions, ``undefined`` whatever has no value at all.
        reason: why the value or the interval is missing.
    """

    value: Annotated[float, Field(allow_inf_nan=False)] | None
    interval: Interval | None = None
    status: Literal["defined", "infinite", "undefined"] = "defined"
    reason: str | None = None

    @model_validator(mode="after")
    def _value_fits_status(self) -> Self:
        if (self.value is None) != (self.status != "defined"):
            raise ValueError("a score has a value where its status is 'defined', and only there")
        if self.value is None and not self.reason:
            raise ValueError("a score without a value needs a reason")
        return self

    def __float__(self) -> float:
        """Return the value; infinity or NaN where the status says so."""
        if self.value is not None:
            return self.value
        return math.inf if self.status == "infinite" else math.nan


class RegressionScores(_Model):
    """Scores of ``n`` predictions; ``mad``, ``mae`` and ``rmse`` in the unit of the targets."""

    kind: Literal["regression"] = "regression"
    n: Annotated[int, Field(ge=1)]
    mad_mae: Score
    mae: Score
    rmse: Score
    r2: Score
    spearman: Score
    mad: Score


class ClassificationScores(_Model):
    """Scores of ``n`` answers, ``n_positive`` of them to materials of the positive class."""

    kind: Literal["classification"] = "classification"
    n: Annotated[int, Field(ge=1)]
    n_positive: Count
    roc_auc: Score
    accuracy: Score
    balanced_accuracy: Score
    precision: Score
    recall: Score
    f1: Score


class Refused(_Model):
    """No scores, where the published tables print "Inval.".

    Attributes:
        n: number of valid answers.
        reason: why they are not scored.
    """

    kind: Literal["refused"] = "refused"
    n: Count
    reason: str


def _flat(report: "RegressionReport | ClassificationReport", protocol: Protocol) -> dict[str, Any]:
    chosen = report.published if protocol == "published" else report.whole
    shape = type(report.whole)
    result: dict[str, Any] = {}
    undefined, found = {}, {}
    for name in (name for name, field in shape.model_fields.items() if field.annotation is Score):
        if isinstance(chosen, Refused):
            score = Score(value=None, status="undefined", reason=chosen.reason)
        else:
            score = getattr(chosen, name)
        result[name] = score.value
        if score.value is None:
            undefined[name] = score.reason
        if score.interval is not None:
            found[name] = score.interval.model_dump()
    result |= {"n": chosen.n, "n_total": report.n_total, "coverage": report.coverage, "protocol": protocol}
    if undefined:
        result["undefined"] = undefined
    if report.confidence is not None:
        result["intervals"] = found
    return result


class _Report(_Model):
    n_total: Annotated[int, Field(ge=1)]
    n_scored: Count
    n_missing: Count
    coverage: Share
    confidence: Annotated[float, Field(gt=0, lt=1)] | None
    n_resamples: Annotated[int, Field(ge=1)]
    seed: Count


class RegressionReport(_Report):
    """Both protocols' scores of one run on a regression task.

    Attributes:
        n_total: materials in the test set.
        n_scored: valid answers.
        n_missing: the others.
        coverage: ``n_scored / n_total``.
        confidence: level of the intervals, None where there are none.
        n_resamples: of the bootstrap.
        seed: of the bootstrap.
        train_mean: what a missing answer counts as in ``whole``.
        published: scores of the valid answers.
        whole: scores of the whole test set, the headline.
    """

    kind: Literal["regression"] = "regression"
    train_mean: Annotated[float, Field(allow_inf_nan=False)] | None
    published: Annotated[RegressionScores | Refused, Field(discriminator="kind")]
    whole: RegressionScores

    def flat(self, protocol: Protocol = "whole") -> dict[str, Any]:
        """Return one protocol's scores as plain values by name, ready for JSON.

        A score without a value is None, with its reason under ``undefined``; intervals, where they were computed, stand
        under ``intervals``.
        """
        return _flat(self, protocol)


class ClassificationReport(_Report):
    """Both protocols' scores of one run on a classification task; attributes as in :class:`RegressionReport`.

    Attributes:
        score_kind: what the scores are. An AUC of hard labels is not comparable to one of probabilities or logits.
        threshold: scores above it answer the positive class.
    """

    kind: Literal["classification"] = "classification"
    score_kind: ScoreKind
    threshold: float
    published: Annotated[ClassificationScores | Refused, Field(discriminator="kind")]
    whole: ClassificationScores

    def flat(self, protocol: Protocol = "whole") -> dict[str, Any]:
        """Return one protocol's scores as plain values by name; see :meth:`RegressionReport.flat`."""
        return {**_flat(self, protocol), "score_kind": self.score_kind}


def score_regression(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    train_mean: float | None = None,
    confidence: float | None = CONFIDENCE,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> RegressionReport:
    """Score a run on a regression task by both protocols.

    Args:
        targets: shape ``(n,)``, finite.
        predictions: shape ``(n,)``, NaN or None where there is no valid answer.
        train_mean: mean of the training targets, in their unit; needed where an answer is missing.
        confidence: level of the intervals; None leaves them out.
        seed: of the bootstrap.
        n_resamples: of the bootstrap.

    Raises:
        ScoreError: the input is empty, mismatched, textual or infinite, a target is NaN, or an answer is missing and
            ``train_mean`` is not given.
    """
    true, predicted, missing = _answers(targets, predictions, "predictions")
    n_missing = int(missing.sum())
    if train_mean is not None and not math.isfinite(train_mean):
        raise ScoreError(f"train_mean must be a finite number, not {train_mean}")
    if n_missing and train_mean is None:
        raise ScoreError(
            f"{n_missing} of {true.size} predictions are missing: give train_mean, the mean of the training targets, "
            "which they count as over the whole test set"
        )

    def scored(kept: Floats, answers: Floats) -> RegressionScores:
        return _regression_scores(kept, answers, confidence=confidence, seed=seed, n_resamples=n_resamples)

    whole = scored(true, predicted if train_mean is None else np.where(missing, train_mean, predicted))
    published: RegressionScores | Refused | None = _refusal(true.size - n_missing)
    if published is None:
        published = scored(true[~missing], predicted[~missing]) if n_missing else whole
    return RegressionReport(
        n_total=true.size,
        n_scored=true.size - n_missing,
        n_missing=n_missing,
        coverage=(true.size - n_missing) / true.size,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        train_mean=train_mean,
        published=published,
        whole=whole,
    )


def score_classification(
    targets: ArrayLike,
    scores: ArrayLike,
    score_kind: ScoreKind,
    *,
    confidence: float | None = CONFIDENCE,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> ClassificationReport:
    """Score a run on a classification task by both protocols.

    A score above the threshold (0.5; 0 for logits) answers the positive class; one exactly on it answers the negative
    class, as taking the likelier of two classes in order and rounding half to even both do. Over the whole test set a
    missing answer has the threshold for a score in the AUC, and is a wrong answer in the rates.

    Args:
        targets: shape ``(n,)``, class labels 0/1.
        scores: shape ``(n,)``, higher for the positive class, NaN or None where there is no valid answer.
        score_kind: what the scores are: probabilities of the positive class, logits, or labels 0/1.
        confidence: level of the intervals; None leaves them out.
        seed: kept in the report; no interval of a classification is drawn at random.
        n_resamples: likewise.

    Raises:
        ScoreError: the input is empty, mismatched, textual or infinite, a label is not 0 or 1, or the scores are not
            what ``score_kind`` says.
    """
    if score_kind not in NEUTRAL:
        raise ScoreError(f"score_kind must be one of {', '.join(NEUTRAL)}, not {score_kind!r}")
    positive = binary_labels(targets)
    _, values, missing = _answers(targets, scores, "scores")
    _require_kind(values, missing, score_kind)
    n_missing, neutral = int(missing.sum()), NEUTRAL[score_kind]

    def scored(labels: NDArray[np.bool_], ranked: Floats, answers: NDArray[np.bool_]) -> ClassificationScores:
        return _classification_scores(labels, ranked, answers, confidence=confidence)

    answers = values > neutral  # NaN is above nothing
    whole = scored(positive, np.where(missing, neutral, values), np.where(missing, ~positive, answers))
    published: ClassificationScores | Refused | None = _refusal(positive.size - n_missing)
    if published is None:
        published = scored(positive[~missing], values[~missing], answers[~missing]) if n_missing else whole
    return ClassificationReport(
        n_total=positive.size,
        n_scored=positive.size - n_missing,
        n_missing=n_missing,
        coverage=(positive.size - n_missing) / positive.size,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        score_kind=score_kind,
        threshold=neutral,
        published=published,
        whole=whole,
    )


def kind_of_scores(scores: ArrayLike, said: ScoreKind = "probability") -> ScoreKind:
    """What a classifier's scores are: hard labels where they are all 0 or 1, else what they are said to be.

    Args:
        scores: shape ``(n,)``, NaN or None where there is no valid answer.
        said: what they are said to be.
    """
    values = as_numbers(scores, "scores", none_is_nan=True)
    given = values[~np.isnan(values)]
    if given.size and bool(((given == 0.0) | (given == 1.0)).all()):
        return "hard_label"
    return said


def _answers(targets: ArrayLike, answers: ArrayLike, name: str) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return finite targets, answers finite or NaN, and where they are NaN."""
    true, given = as_numbers(targets, "targets"), as_numbers(answers, name, none_is_nan=True)
    require_same_length(true, given, name)
    require_finite(true, "targets")
    missing = np.isnan(given)
    if infinite := int(np.isinf(given).sum()):
        first = int(np.isinf(given).argmax())
        raise ScoreError(
            f"{name}: {infinite} of {given.size} values {'is' if infinite == 1 else 'are'} infinite, the first at "
            f"position {first}; an answer that is no number is given as NaN"
        )
    return true, given, missing


def _require_kind(values: Floats, missing: NDArray[np.bool_], score_kind: ScoreKind) -> None:
    if score_kind == "logit":
        return
    if score_kind == "probability":
        bad, what = ~((values >= 0) & (values <= 1)), "outside 0 to 1: not probabilities; score_kind='logit'?"
    else:
        bad, what = ~((values == 0) | (values == 1)), "neither 0 nor 1: not hard labels; score_kind='probability'?"
    bad &= ~missing
    if count := int(bad.sum()):
        first = int(bad.argmax())
        raise ScoreError(
            f"scores: {count} of {values.size} values, the first {values[first]:g} at position {first}, "
            f"{'is' if count == 1 else 'are'} {what}"
        )


def _refusal(n_scored: int) -> Refused | None:
    if n_scored >= MINIMUM_ANSWERS:
        return None
    answers = "1 valid answer" if n_scored == 1 else f"{n_scored} valid answers"
    return Refused(
        n=n_scored, reason=f"{answers}: the published protocol gives no score under {MINIMUM_ANSWERS} (Inval.)"
    )


def _regression_scores(
    targets: Floats, predictions: Floats, *, confidence: float | None, seed: int, n_resamples: int
) -> RegressionScores:
    found: dict[RegressionStatistic, Interval] = {}
    if confidence is not None:
        found = intervals.regression_intervals(
            targets, predictions, confidence=confidence, seed=seed, n_resamples=n_resamples
        )

    def one(name: RegressionStatistic, compute: Callable[[], float]) -> Score:
        return _score(compute, lambda _: found.get(name))

    def rank_interval(correlation: float) -> Interval | None:
        if confidence is None:
            return None
        return intervals.bonett_wright_interval(correlation, targets.size, confidence=confidence)

    return RegressionScores(
        n=targets.size,
        mad_mae=one("mad_mae", lambda: scores.mad_mae(targets, predictions)),
        mae=one("mae", lambda: scores.mae(targets, predictions)),
        rmse=one("rmse", lambda: scores.rmse(targets, predictions)),
        r2=one("r2", lambda: scores.r2(targets, predictions)),
        spearman=_score(lambda: scores.spearman(targets, predictions), rank_interval),
        mad=one("mad", lambda: scores.mean_absolute_deviation(targets)),
    )


def _classification_scores(
    positive: NDArray[np.bool_],
    values: Floats,
    answers: NDArray[np.bool_],
    *,
    confidence: float | None,
) -> ClassificationScores:
    table = confusion(positive, answers)
    found: dict[Rate, Interval] = {}
    if confidence is not None:
        found = intervals.rate_intervals(table, confidence=confidence)
    all_ranks = scores.ranks(values)

    def auc() -> float:
        require_both_classes(positive)
        return scores.area(positive, all_ranks)

    def auc_interval(_: float) -> Interval | None:
        if confidence is None:
            return None
        return intervals.delong_interval(positive, values, all_ranks, confidence=confidence)

    by_name: dict[str, Score] = {}
    for name, value in rates(table).items():
        if np.isnan(value):
            by_name[name] = Score(value=None, status="undefined", reason=_why_undefined(name, positive))
        else:
            by_name[name] = Score(value=float(value), interval=found.get(name))
    return ClassificationScores(
        n=positive.size, n_positive=int(positive.sum()), roc_auc=_score(auc, auc_interval), **by_name
    )


def _why_undefined(name: Rate, positive: NDArray[np.bool_]) -> str:
    if name == "precision":
        return "no material was answered to be positive"
    return f"all {positive.size} labels are {int(positive[0])}"


def _score(compute: Callable[[], float], interval_of: Callable[[float], Interval | None]) -> Score:
    """Turn a value, or the error that there is none, into a Score."""
    try:
        value = compute()
    except ScoreError as error:
        return Score(value=None, status="undefined", reason=str(error))
    if math.isinf(value):
        return Score(value=None, status="infinite", reason="every prediction is exact: MAE is 0")
    try:
        return Score(value=value, interval=interval_of(value))
    except ScoreError as error:
        return Score(value=value, reason=str(error))
