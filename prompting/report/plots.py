"""Plots of one run as SVG that stands in the page and takes its colours."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dataset_builder.catalogue import Task
from .answers import AnswerTable
from .findings import Findings

_COLOURS = {"#010203": "var(--ink)", "#010204": "var(--soft)", "#010205": "var(--accent)", "#010206": "var(--line)"}
_INK, _SOFT, _ACCENT, _LINE = _COLOURS
_STATUSES = {
    "json": "#2563eb",
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
_MOST_POINTS = 1500
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "llm4mat-bench",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "path.simplify": True,
}


def draw(found: Findings, table: AnswerTable, task: Task) -> dict[str, str]:
    """The plots of a run, by what they show; none where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return {}
    drawn = {}
    with mpl.rc_context(_STYLE):
        if found.tokens:
            drawn["What came of the answers, by the tokens of the prompt"] = _by_tokens(found)
        if found.valid and task.kind == "regression":
            drawn["Answers beside true values"] = _histogram(table, task)
            drawn["Each answer against the true value"] = _parity(table, task)
    return drawn


def _figure(width: float = 5.2, height: float = 3.2) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def _svg(figure: Any, title: str) -> str:  # noqa: ANN401 - of matplotlib
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in _COLOURS.items():
        text = text.replace(colour, name)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


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
    return _svg(figure, "Share of answers by status and tokens of the prompt")


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
        (table.targets, _SOFT, "true values", False),
        (_inside(answers, window), _ACCENT, "answers", True),
    ):
        counts, _ = np.histogram(values, edges)
        shares = 100 * counts / max(len(values), 1)
        axes.stairs(shares, edges, fill=filled, color=colour, alpha=0.55 if filled else 1, label=label, linewidth=1.3)
    axes.set_xlabel(f"{task.property.name}{_unit(task)}; what lies outside is counted at the ends")
    axes.set_ylabel("share (%)")
    axes.legend(fontsize=8)
    return _svg(figure, "Distribution of answers and of true values")


def _parity(table: AnswerTable, task: Task) -> str:
    figure, axes = _figure(height=3.6)
    window = _window(table)
    rows = np.flatnonzero(table.valid)
    true, answers = table.targets[rows], _inside(table.answers[rows], window)
    axes.plot(window, window, color=_SOFT, linestyle="--", linewidth=1)
    if len(rows) <= _MOST_POINTS:
        axes.scatter(true, answers, s=10, color=_ACCENT, alpha=0.45, linewidths=0)
    else:
        axes.hist2d(true, answers, bins=60, range=(window, window), norm="log", cmap=_blues(), rasterized=True)
    axes.set_xlim(window)
    axes.set_ylim(window)
    axes.set_xlabel(f"true value{_unit(task)}")
    axes.set_ylabel(f"answer{_unit(task)}")
    return _svg(figure, "Answers against true values")


def _blues() -> Any:  # noqa: ANN401 - of matplotlib
    """From clear to blue, so that it stands on light and dark ground."""
    from matplotlib.colors import LinearSegmentedColormap

    found = LinearSegmentedColormap.from_list("blues", [(0.23, 0.51, 0.96, 0.15), (0.23, 0.51, 0.96, 1.0)])
    found.set_bad((0, 0, 0, 0))
    return found


def _unit(task: Task) -> str:
    return f" ({task.unit})" if task.unit else ""
