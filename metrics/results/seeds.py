"""Whether two seeds of a model say something different: copies with noise on them have no deviation."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ...dataset_builder.catalogue import Kind
from ..scores import ranks
from .record import ResultRecord, json_sha256

NOISE = 1e-3
"""Of the model's own mean error, or of the ranks: honest seeds differ by tenths."""
SHARE = 0.005
"""Of the rows: where fewer than that differ, the answers are the same."""
_ROUNDING = 1e-9


def same_files(runs: Iterable[tuple[Path, ResultRecord]]) -> list[tuple[Path, Path]]:
    """Pairs of runs that differ in nothing but the seed and have the very same predictions file.

    A model without chance in it gives them honestly; a mean and deviation over them says nothing.

    Args:
        runs: Folders and records.
    """
    first: dict[str, Path] = {}
    found = []
    for folder, record in runs:
        what: dict[str, JsonValue] = {
            "task": record.task,
            "modality": record.modality,
            "data": record.data.sha256,
            "model": [record.model.id, record.model.revision],
            "protocol": record.protocol.model_dump(mode="json", exclude={"seed"}),
            "predictions": record.predictions.sha256,
        }
        earlier = first.setdefault(json_sha256(what), folder)
        if earlier != folder:
            found.append((earlier, folder))
    return found


def same_but_for_noise(
    first: NDArray[np.float64], second: NDArray[np.float64], targets: NDArray[np.float64], kind: Kind
) -> bool:
    """Tell whether two sets of answers agree in all but noise.

    Regression: what is left of the second after the best straight line through the first (a copy may be shifted or
    scaled) is compared with the mean absolute error. Classification: the ranks of the scores are compared, which is all
    that an AUC sees of them.

    Args:
        first: Answers, shape ``(n,)``, NaN where there is none.
        second: Answers to the same materials in the same order.
        targets: True values, shape ``(n,)``.
        kind: What the task asks for.
    """
    both = ~np.isnan(first) & ~np.isnan(second)
    differ = int((np.isnan(first) != np.isnan(second)).sum())
    if both.any():
        one, other, true = first[both], second[both], targets[both]
        if kind == "regression":
            # To magnitudes of at most 1, whose squares neither overflow nor vanish together.
            largest = max(float(np.abs(values).max()) for values in (one, other, true)) or 1.0
            one, other, true = one / largest, other / largest, true / largest
            error = min(float(np.abs(one - true).mean()), float(np.abs(other - true).mean()))
            least = max(NOISE * error, _ROUNDING * float(np.abs(one).max()))
            # Both ways: a constant lies on a line through anything, but nothing on a line through a constant.
            differ += max(int((_left_of(a, b) > least).sum()) for a, b in ((one, other), (other, one)))
        else:
            differ += int((np.abs(ranks(one) - ranks(other)) > NOISE * len(one)).sum())
    return differ <= SHARE * len(first)


def _left_of(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Size of what is left of the second after the best straight line through the first."""
    x, y = one - one.mean(), other - other.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 0 else 0.0
    left: NDArray[np.float64] = np.abs(y - slope * x)
    return left
