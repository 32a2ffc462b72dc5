"""A run beside its controls: the same model asked the same way, but for one thing."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from ...metrics.headline import whole_headline
from ...metrics.results.predictions import read_predictions
from ...metrics.results.record import ResultRecord, json_sha256
from ...metrics.results.verify import Verification
from .findings import Comparison


def comparisons_of(run: Verification, others: Sequence[Verification]) -> tuple[Comparison, ...]:
    """The controls of a run among others; none for a run that is a control itself."""
    record = run.record
    if record is None or run.report is None or record.protocol.control != "none":
        return ()
    own = whole_headline(run.report)
    found = []
    for other in others:
        theirs = other.record
        if theirs is None or other.report is None or theirs.protocol.control == "none":
            continue
        if _asked(theirs) != _asked(record):
            continue
        found.append(
            Comparison(
                control=theirs.protocol.control,
                run_id=theirs.run_id,
                own=own.value,
                other=whole_headline(other.report).value,
                own_interval=None if own.interval is None else (own.interval.low, own.interval.high),
                same_answers=_same_answers(run, other),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.control, one.run_id)))


def _asked(record: ResultRecord) -> str:
    """What a run and its controls share."""
    return json_sha256(
        {
            "task": record.task,
            "modality": record.modality,
            "model": [record.model.id, record.model.revision],
            "labels": record.data.labels_sha256,
            "protocol": record.protocol.model_dump(mode="json", exclude={"control", "preset"}),
        }
    )


def _same_answers(run: Verification, other: Verification) -> float | None:
    """Share of the rows answered in both that got the same answer, to a relative 1e-6."""
    tables = []
    for one in (run, other):
        assert one.record is not None  # noqa: S101 - looked at by the caller
        tables.append(read_predictions(one.folder / one.record.predictions.file, one.record.metrics.kind).by_id())
    first, second = tables
    if not pc.all(pc.equal(first.material_ids, second.material_ids)).as_py():
        return None
    both = ~np.isnan(first.answers) & ~np.isnan(second.answers)
    if not both.any():
        return None
    a, b = first.answers[both], second.answers[both]
    assert run.record is not None  # noqa: S101
    if run.record.metrics.kind == "classification":
        return float(((a > 0.5) == (b > 0.5)).mean())
    return float(np.isclose(a, b, rtol=1e-6, atol=0).mean())
