"""Learning curves of models that were trained on several numbers of rows."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from ...dataset_builder.catalogue import Task
from ...errors import DataError
from ..headline import HEADLINE, whole_headline
from ..results.counted import that_count
from ..results.record import ResultRecord, json_sha256
from ..results.seeds import said_of
from ..results.verify import Verification
from .names import curve_names
from .runs import Size, learning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUIDE = {"regression": 1.0, "classification": 0.5}
"""The score of a model that knows nothing."""


def learning_of(task: Task, runs: Sequence[Verification]) -> "Figure":
    """What more training rows bring, for models that were trained on several numbers of them.

    Raises:
        DataError: There is none; the message says how to make one.
    """
    curves = _curves(runs)
    if not curves:
        raise DataError(
            f"{task.name}: no model was trained on more than one number of rows; `llm4mat-bench train --train-rows N` "
            "makes points of a curve"
        )
    names = curve_names([one.first for one in curves])
    named = {name: one.points for name, one in zip(names, curves, strict=True)}
    notes = ["bars: 95 % intervals; points without: means over seeds"]
    if left_out := sum(one.left_out for one in curves):
        what = "1 run repeats" if left_out == 1 else f"{left_out} runs repeat"
        notes.append(f"{what} a seed, or another seed's answers, and {'counts' if left_out == 1 else 'count'} once")
    return learning(named, HEADLINE[task.kind], GUIDE[task.kind], task.name, notes)


def learning_curves(runs: Sequence[Verification]) -> list[tuple[ResultRecord, list[Size]]]:
    """Points of each model that was trained on several numbers of rows of one task, with one of its records."""
    return [(_record(one.first), one.points) for one in _curves(runs)]


class _Curve(NamedTuple):
    """A line of the figure: the first of its runs, its points, and how many of its runs do not count."""

    first: Verification
    points: list[Size]
    left_out: int


def _curves(runs: Sequence[Verification]) -> list[_Curve]:
    groups: dict[str, dict[int, list[Verification]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        record = _record(run)
        protocol = record.protocol
        if protocol.kind != "training" or protocol.control != "none" or protocol.limit is not None:
            continue
        same = said_of(record.model_copy(update={"protocol": protocol.model_copy(update={"train_rows": None})}))
        group = json_sha256([record.task, same, record.data.labels_sha256, run.data_checked])
        groups[group][min(protocol.train_rows or record.data.n_train, record.data.n_train)].append(run)
    curves = []
    for sizes in groups.values():
        counted = {rows: [one.run for one in that_count(its)] for rows, its in sorted(sizes.items())}
        points = [point for rows, its in counted.items() if (point := _point(rows, its)) is not None]
        if len(points) > 1:
            left_out = sum(map(len, sizes.values())) - sum(map(len, counted.values()))
            curves.append(_Curve(next(iter(sizes.values()))[0], points, left_out))
    return sorted(curves, key=lambda one: (*_names(one.first), str(one.first.folder)))


def _names(run: Verification) -> tuple[str, str]:
    return _record(run).model.id, _record(run).modality


def _point(rows: int, runs: Sequence[Verification]) -> Size | None:
    scores = [whole_headline(run.report) for run in runs if run.report is not None]
    values = [score.value for score in scores if score.value is not None]
    if not values:
        return None
    interval = scores[0].interval if len(runs) == 1 else None
    return Size(rows, fmean(values), interval.low if interval else None, interval.high if interval else None)


def _record(run: Verification) -> ResultRecord:
    assert run.record is not None  # noqa: S101 - only sound runs are drawn
    return run.record
