"""Scores of a classification against the truth: the ROC curve, and how the scores of both classes lie."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...drawing.fitting import fitted, headed_figure, key_below
from ...drawing.paper import Paper
from ...drawing.style import LINE, MARK, SECOND, styled
from .answers import PANEL_HEAD, Answers, Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CORNERS = 400


@styled
def roc(runs: Sequence[Answers]) -> "Figure":
    """True against false positive rate over all thresholds, one panel a run.

    Args:
        runs: At least one; targets 0 or 1, answers higher for the positive class.
    """
    from matplotlib.lines import Line2D

    paper = Paper(4.0 * len(runs), 3.7)
    for number, run in enumerate(runs):
        box = (4.0 * number + 0.65, 0.55, 3.15, 3.15)
        false, true = roc_points(run.targets, run.answers)
        kept = np.unique(np.linspace(0, len(false) - 1, min(len(false), _MOST_CORNERS)).astype(int))
        labels = ("false positive rate", "true positive rate")
        place = paper.panel(box, (-0.02, 1.02), (-0.02, 1.02), labels=labels)
        paper.add(Line2D([0, 1], [0, 1], color=LINE, linestyle="--", linewidth=1, transform=place), placed=True)
        paper.add(Line2D(false[kept], true[kept], color=MARK, linewidth=1.8, transform=place), placed=True)
        missing = int(np.isnan(run.answers).sum())
        notes = [f"{missing:,} without an answer, not drawn"] if missing else []
        paper.head(box[0] + box[2] / 2, PANEL_HEAD, run.name, notes)
    paper.finish()
    return paper.figure


def roc_points(targets: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1); materials with equal scores move together.

    Args:
        targets: 0 or 1, shape ``(n,)``.
        scores: Shape ``(n,)``; rows with NaN are left out.
    """
    answered = ~np.isnan(scores)
    labels, ranked = targets[answered] > 0.5, scores[answered]
    order = np.argsort(-ranked, kind="stable")
    labels, ranked = labels[order], ranked[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(len(ranked), 1), dtype=bool)))
    hits, alarms = np.cumsum(labels)[ends], np.cumsum(~labels)[ends]
    true = np.concatenate([[0.0], hits / max(int(labels.sum()), 1)])
    false = np.concatenate([[0.0], alarms / max(int((~labels).sum()), 1)])
    return false, true


@styled
def class_scores(run: Answers, names: tuple[str, str]) -> "Figure":
    """How the scores of both classes lie.

    Args:
        run: The run.
        names: Of the negative and the positive class.
    """
    answered = ~np.isnan(run.answers)
    scores, labels = np.clip(run.answers[answered], -1e30, 1e30), run.targets[answered] > 0.5
    figure = headed_figure(6.0, 3.3, run.name, [] if len(scores) else [f"none of {len(run.answers):,} answered"])
    axes = figure.subplots()
    axes.set_xlabel("score of the positive class")
    axes.set_ylabel("share of the class")
    if not len(scores):
        return figure
    low, high = float(scores.min()), float(scores.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    edges = np.linspace(low, high, 26)
    handles, labels_of = [], []
    for chosen, name, colour in ((~labels, names[0], SECOND), (labels, names[1], MARK)):
        if chosen.any():
            counts = np.histogram(scores[chosen], edges)[0] / int(chosen.sum())
            handles.append(axes.stairs(counts, edges, fill=True, alpha=0.45, color=colour))
            labels_of.append("\n".join(fitted(f"{name} ({int(chosen.sum()):,})", 5.2, 8)))
    key_below(figure, handles, labels_of, ncols=1 if max(map(len, names)) > 24 else 2)
    return figure
