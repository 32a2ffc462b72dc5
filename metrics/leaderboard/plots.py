"""Plots as SVG text: small, readable in dark and light, no library in the reader's browser."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

SIZE = 340
_LEFT, _BOTTOM, _TOP, _RIGHT = 52, 44, 14, 14
_MOST_POINTS = 2000
_CELLS = 56
_FARTHEST = 1e300

_STYLE = """<style>
.frame{fill:none;stroke:#9aa4b2}.guide{stroke:#9aa4b2;stroke-dasharray:4 4}.mark{fill:#2563eb}
.curve{fill:none;stroke:#2563eb;stroke-width:2}.band{stroke:#2563eb;stroke-width:2}
text{font:11px system-ui,sans-serif;fill:#334155}
@media (prefers-color-scheme:dark){.frame,.guide{stroke:#64748b}.mark{fill:#7db1ff}.curve,.band{stroke:#7db1ff}
text{fill:#cbd5e1}}
</style>"""


def parity_plot(targets: NDArray[np.float64], predictions: NDArray[np.float64], unit: str | None, title: str) -> str:
    """Predicted against true values; above 2,000 points as a map of how many lie where.

    Args:
        targets: True values, shape ``(n,)``.
        predictions: Answers, shape ``(n,)``; NaN (no answer) is not drawn but counted in the caption.
        unit: Unit of both.
        title: For readers that cannot see.
    """
    answered = ~np.isnan(predictions)
    true, predicted = _drawable(targets[answered]), _drawable(predictions[answered])
    values = np.concatenate([_drawable(targets), predicted])
    low, high = _widened(float(values.min()), float(values.max()))
    inner = SIZE - _LEFT - _RIGHT, SIZE - _TOP - _BOTTOM

    def x(value: NDArray[np.float64] | float) -> NDArray[np.float64] | float:
        return _LEFT + (value - low) / (high - low) * inner[0]

    def y(value: NDArray[np.float64] | float) -> NDArray[np.float64] | float:
        return SIZE - _BOTTOM - (value - low) / (high - low) * inner[1]

    parts = [f'<line class="guide" x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}"/>']
    if len(true) <= _MOST_POINTS:
        parts += [
            f'<circle class="mark" cx="{cx:.1f}" cy="{cy:.1f}" r="2.6" fill-opacity=".45"/>'
            for cx, cy in zip(np.atleast_1d(x(true)), np.atleast_1d(y(predicted)), strict=True)
        ]
    else:
        parts += _density(true, predicted, low, high, inner)
    unit_text = f" ({unit})" if unit else ""
    parts += _axes(_ticks(low, high), x, y, f"true value{unit_text}", f"predicted{unit_text}")
    if missing := int((~answered).sum()):
        parts.append(f'<text x="{_LEFT + 8}" y="{_TOP + 16}">{missing} without an answer</text>')
    return _svg(parts, SIZE, SIZE, title)


def roc_plot(targets: NDArray[np.float64], scores: NDArray[np.float64], title: str) -> str:
    """True against false positive rate, over all thresholds.

    Args:
        targets: 0 or 1, shape ``(n,)``.
        scores: Higher for the positive class, shape ``(n,)``; NaN is not drawn.
        title: For readers that cannot see.
    """
    answered = ~np.isnan(scores)
    labels, ranked = targets[answered] > 0.5, scores[answered]
    order = np.argsort(-ranked, kind="stable")
    labels, ranked = labels[order], ranked[order]
    # Tied scores move together.
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(len(ranked), 1), dtype=bool)))
    hits, alarms = np.cumsum(labels)[ends], np.cumsum(~labels)[ends]
    rate_y = np.concatenate([[0.0], hits / max(int(labels.sum()), 1)])
    rate_x = np.concatenate([[0.0], alarms / max(int((~labels).sum()), 1)])
    if len(rate_x) > 600:
        kept = np.unique(np.linspace(0, len(rate_x) - 1, 600).astype(int))
        rate_x, rate_y = rate_x[kept], rate_y[kept]
    inner = SIZE - _LEFT - _RIGHT, SIZE - _TOP - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + value * inner[0]

    def y(value: float) -> float:
        return SIZE - _BOTTOM - value * inner[1]

    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(rate_x, rate_y, strict=True))
    parts = [
        f'<line class="guide" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>',
        f'<polyline class="curve" points="{points}"/>',
        *_axes([0.0, 0.25, 0.5, 0.75, 1.0], x, y, "false positive rate", "true positive rate"),
    ]
    return _svg(parts, SIZE, SIZE, title)


def forest_plot(
    rows: Sequence[tuple[str, float, float | None, float | None]], guide: float, axis: str, title: str
) -> str:
    """Scores side by side, each with its interval.

    Args:
        rows: Label, score, lower and upper end of its interval.
        guide: The score of a model that knows nothing: 1 for MAD:MAE, 0.5 for AUC.
        axis: What the scores are.
        title: For readers that cannot see.
    """
    ends = [_inside(end) for _, value, low, high in rows for end in (value, low, high) if end is not None]
    least, most = _widened(min(*ends, guide), max(*ends, guide))
    width, left, step = 560, 210, 24
    height = _TOP + step * len(rows) + _BOTTOM
    span = width - left - 24

    def x(value: float) -> float:
        return left + (_inside(value) - least) / (most - least) * span

    bottom = height - _BOTTOM
    parts = [f'<line class="guide" x1="{x(guide):.1f}" y1="{_TOP}" x2="{x(guide):.1f}" y2="{bottom}"/>']
    for index, (label, value, low, high) in enumerate(rows):
        middle = _TOP + step * (index + 0.5)
        short = label if len(label) <= 34 else label[:33] + "…"
        parts.append(f'<text x="{left - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(short)}</text>')
        if low is not None and high is not None:
            parts.append(
                f'<line class="band" x1="{x(low):.1f}" y1="{middle:.1f}" x2="{x(high):.1f}" y2="{middle:.1f}"/>'
            )
        parts.append(f'<circle class="mark" cx="{x(value):.1f}" cy="{middle:.1f}" r="4.5"/>')
    for tick in _ticks(least, most):
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<line class="frame" x1="{left}" y1="{bottom}" x2="{width - 24}" y2="{bottom}"/>')
    parts.append(f'<text x="{left + span / 2}" y="{height - 8}" text-anchor="middle">{escape(axis)}</text>')
    return _svg(parts, width, height, title)


def _density(
    true: NDArray[np.float64], predicted: NDArray[np.float64], low: float, high: float, inner: tuple[int, int]
) -> list[str]:
    counts, _, _ = np.histogram2d(true, predicted, bins=_CELLS, range=[[low, high], [low, high]])
    width, height = inner[0] / _CELLS, inner[1] / _CELLS
    shade = np.log1p(counts) / math.log1p(counts.max())
    return [
        f'<rect class="mark" x="{_LEFT + i * width:.1f}" y="{SIZE - _BOTTOM - (j + 1) * height:.1f}" '
        f'width="{width:.2f}" height="{height:.2f}" fill-opacity="{0.08 + 0.92 * shade[i, j]:.2f}"/>'
        for i, j in np.argwhere(counts)
    ]


def _axes(ticks: Sequence[float], x, y, x_label: str, y_label: str) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    right, bottom = SIZE - _RIGHT, SIZE - _BOTTOM
    parts = [f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}"/>']
    for tick in ticks:
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
    parts.append(f'<text x="{middle_x}" y="{SIZE - 8}" text-anchor="middle">{escape(x_label)}</text>')
    turned = f'transform="rotate(-90 12 {middle_y})"'
    parts.append(f'<text x="12" y="{middle_y}" text-anchor="middle" {turned}>{escape(y_label)}</text>')
    return parts


def _svg(parts: Sequence[str], width: int, height: int, title: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", _STYLE, *parts, "</svg>", ""])


def _drawable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values whose differences are finite: what lies beyond 1e300 is drawn there."""
    return np.clip(values, -_FARTHEST, _FARTHEST)


def _inside(value: float) -> float:
    """As :func:`_drawable`, of one value."""
    return min(max(value, -_FARTHEST), _FARTHEST)


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.04 * (high - low) or 0.5 * abs(low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two ends."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [round(index * step, 12) for index in range(first, math.floor(high / step) + 1)]
