"""Plots of one run as SVG that stands in the page, in the style of all figures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dataset_builder.catalogue import Task
from ...drawing.style import MARK, SOFT, available, inline_svg, new_figure, styled
from ...metrics.figures.answers import Answers, parity
from .answers import AnswerTable
from .findings import Findings

_STATUSES = {
    "json": "#1d4ed8",
    "labelled": "#60a5fa",
    "number": "#93c5fd",
    "refused": "#b45309",
    "empty": "#f59e0b",
    "no_number": "#fbbf24",
    "out_of_range": "#dc2626",
    "wrong_unit": "#f87171",
    "truncated": "#7c3aed",
}
_OTHER = "#64748b"


def draw(found: Findings, table: AnswerTable, task: Task) -> dict[str, str]:
    """The plots of a run, by what they show; none where matplotlib is not installed."""
    return _drawn(found, table, task) if available() else {}


@styled
def _drawn(found: Findings, table: AnswerTable, task: Task) -> dict[str, str]:
    drawn = {}
    if found.tokens:
        drawn["What came of the answers, by the tokens of the prompt"] = _by_tokens(found)
    if found.valid and task.kind == "regression":
        drawn["Answers beside true values"] = _histogram(table, task)
        answers = Answers(task.name, table.targets, table.answers)
        figure = parity([answers], task.unit)
        drawn["Each answer against the true value"] = inline_svg(figure, "Answers against true values")
    return drawn


def _figure(width: float = 5.2, height: float = 3.2) -> tuple[Any, Any]:
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def _by_tokens(found: Findings) -> str:
    figure, axes = _figure()
    bins = found.tokens
    places = np.arange(len(bins))
    below = np.zeros(len(bins))
    for status in [*_STATUSES, *sorted({name for one in bins for name in one.statuses} - set(_STATUSES))]:
        shares = np.array([100 * one.statuses.get(status, 0) / one.rows for one in bins])
        if shares.any():
            axes.bar(places, shares, 0.85, bottom=below, color=_STATUSES.get(status, _OTHER), label=status)
            below += shares
    labels = [f"{one.low:,}" if one.low == one.high else f"{one.low:,}–{one.high:,}" for one in bins]
    axes.set_xticks(places, labels, rotation=30, ha="right")
    axes.set_xlabel("tokens of the prompt")
    axes.set_ylabel("share of answers (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=4, fontsize=8)
    return inline_svg(figure, "Share of answers by status and tokens of the prompt")


def _window(table: AnswerTable) -> tuple[float, float]:
    """The range of the true values, a little wider: answers far off would hide all others."""
    low, high = float(table.targets.min()), float(table.targets.max())
    margin = 0.1 * (high - low) or 0.5 * abs(low) or 0.5
    return low - margin, high + margin


def _inside(values: NDArray[np.float64], window: tuple[float, float]) -> NDArray[np.float64]:
    return np.clip(values, *window)


def _histogram(table: AnswerTable, task: Task) -> str:
    figure, axes = _figure()
    window = _window(table)
    answers = table.answers[table.valid]
    edges = np.linspace(*window, 41)
    for values, colour, label, filled in (
        (table.targets, SOFT, "true values", False),
        (_inside(answers, window), MARK, "answers", True),
    ):
        counts, _ = np.histogram(values, edges)
        shares = 100 * counts / max(len(values), 1)
        axes.stairs(shares, edges, fill=filled, color=colour, alpha=0.55 if filled else 1, label=label, linewidth=1.3)
    axes.set_xlabel(f"{task.property.name}{_unit(task)}; what lies outside is counted at the ends")
    axes.set_ylabel("share (%)")
    axes.legend(fontsize=8)
    return inline_svg(figure, "Distribution of answers and of true values")


def _unit(task: Task) -> str:
    return f" ({task.unit})" if task.unit else ""
