"""Whether two seeds of a model say something different: copies with noise on them have no deviation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ...dataset_builder.catalogue import Kind
from ..scores import ranks
from .record import ResultRecord
from .verify_run import Verification

NOISE = 1e-3
"""Of the model's own mean error, or of the ranks: honest seeds differ by tenths."""
SHARE = 0.005
"""Of the rows: where fewer than that differ, the answers are the same."""
_ROUNDING = 1e-9


class Copy(NamedTuple):
    """Two runs with the very same answers to a task.

    Attributes:
        earlier: Folder of the first.
        later: Folder of the second.
        of: In what they should differ: ``seeds`` of one run, two ``models``, or ``protocols`` (settings, control or
            limit) of one model in one modality.
    """

    earlier: Path
    later: Path
    of: Literal["seeds", "models", "protocols"]


def copies(found: Iterable[Verification]) -> list[Copy]:
    """Pairs of sound runs that have the same answers, in whatever order and form they lie, where two should differ.

    Seeds of a model without chance in it have them honestly; a mean and deviation over them says nothing. Two models
    have them where one is the other under another name, or both know as little. Two protocols of one model have them
    where one of them is not what was done: a control or a limit that was struck out, say.

    Args:
        found: What was verified.
    """
    by_answers: dict[tuple[str, str, str], list[Verification]] = {}
    pairs = []
    for one in found:
        if one.record is None or one.answers is None or one.faults:
            continue
        earlier = by_answers.setdefault((one.record.task, one.record.data.labels_sha256, one.answers), [])
        mine = _but_seed(one.record)
        seed_of = next((other for other in earlier if other.record and _but_seed(other.record) == mine), None)
        if seed_of is not None:
            pairs.append(Copy(seed_of.folder, one.folder, "seeds"))
        elif (twin := next((other for other in earlier if _model(other) != _model(one)), None)) is not None:
            pairs.append(Copy(twin.folder, one.folder, "models"))
        elif (other := next((run for run in earlier if _modality(run) == _modality(one)), None)) is not None:
            pairs.append(Copy(other.folder, one.folder, "protocols"))
        earlier.append(one)
    return pairs


def _but_seed(record: ResultRecord) -> tuple[JsonValue, ...]:
    protocol = record.protocol.model_dump(mode="json", exclude={"seed"})
    return (record.modality, record.data.sha256, record.model.id, record.model.revision, protocol)


def _modality(run: Verification) -> str | None:
    return run.record.modality if run.record else None


def _model(run: Verification) -> str | None:
    return run.record.model.id if run.record else None


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
