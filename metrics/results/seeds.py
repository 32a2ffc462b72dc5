"""Which of many runs say the same where they should differ, or differ where they should say the same."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import JsonValue

from .likeness import alike
from .record import ResultRecord, settings_by_content
from .verify_run import Verification

Difference = Literal["runs", "seeds", "models", "protocols", "settings"]


class Copy(NamedTuple):
    """Two runs on one task whose answers are not what their records make of them.

    Attributes:
        earlier: Folder of the first.
        later: Folder of the second.
        of: What the two are said to be: ``seeds`` of one run, two ``models``, two ``protocols`` (one of them a control,
            a limited run, or one on fewer training rows) or two ``settings`` of one model in one modality. Or ``runs``:
            the same in all that is said of them, with other answers.
        exact: The answers are the same to the last digit (never for ``runs``); else they agree in all but noise.
    """

    earlier: Path
    later: Path
    of: Difference
    exact: bool

    @property
    def suspicious(self) -> bool:
        """Whether it is more than another setting that changed nothing."""
        return self.of != "settings"


_ORDER: tuple[Difference, ...] = ("runs", "seeds", "models", "protocols", "settings")


def copies(found: Iterable[Verification]) -> list[Copy]:
    """Pairs of sound runs that have the same answers, in whatever order and form they lie, where two should differ.

    Seeds of a model without chance in it have them honestly; a mean and deviation over them says nothing. Two models
    have them where one is the other under another name, or both know as little. Two protocols of one model have them
    where one of them is not what was done: a control or a limit that was struck out, say. Of two runs of one seed with
    different answers nobody knows which one counts.

    Args:
        found: What was verified. Each run is named with one of those before it.
    """
    groups: dict[tuple[str, str], list[Verification]] = defaultdict(list)
    for one in found:
        if one.record is not None and not one.faults and one.answers is not None and one.record.counts.n_scored:
            groups[one.record.task, one.record.data.labels_sha256].append(one)
    return [pair for runs in groups.values() for pair in _within(runs)]


def _within(runs: list[Verification]) -> Iterable[Copy]:
    for number, run in enumerate(runs):
        near = _near(run, runs[:number])
        pairs = []
        for other, is_near in zip(runs, near, strict=False):
            exact = run.answers == other.answers
            of = _difference(other, run)
            if (of == "runs" and not exact) or (of is not None and of != "runs" and (exact or is_near)):
                if of == "settings" and not exact:
                    continue
                pairs.append(Copy(other.folder, run.folder, of, exact))
        if pairs:
            yield min(pairs, key=lambda pair: (_ORDER.index(pair.of), not pair.exact))


def _near(run: Verification, others: list[Verification]) -> list[bool]:
    """Which of the others agree in all but noise."""
    found = np.zeros(len(others), dtype=bool)
    if run.places is not None:
        size = len(run.places.of_rows)
        placed = [(i, o.places) for i, o in enumerate(others) if o.places is not None and len(o.places.of_rows) == size]
        if placed:
            found[[i for i, _ in placed]] = alike(run.places, [places for _, places in placed])
    return [bool(one) for one in found]


def _difference(one: Verification, other: Verification) -> Difference | None:
    """In what two runs should differ; None where they need not."""
    first, second = one.record, other.record
    assert first is not None and second is not None  # noqa: S101 - both are sound
    if first.model.id != second.model.id:
        return "models"
    if first.modality != second.modality:
        return None
    if said_of(first) == said_of(second):
        return "runs" if first.protocol.seed == second.protocol.seed else "seeds"
    return "settings" if _kept_back(first) == _kept_back(second) else "protocols"


def said_of(record: ResultRecord) -> dict[str, JsonValue]:
    """All that is said of a run but its task, its data and its seed: equal for seeds of one run.

    Of paths the hashes of what lay there count, and the hash of answers that were sent in does not.
    """
    protocol = record.protocol.model_dump(mode="json", exclude={"seed", "answers_sha256", "places"})
    return {
        "model": record.model.id,
        "revision": record.model.revision,
        "kind": record.model.kind,
        "pretraining_overlap": record.model.pretraining_overlap,
        "protocol": {**protocol, "settings": settings_by_content(record.protocol)},
        "modality": record.modality,
    }


def _kept_back(record: ResultRecord) -> tuple[JsonValue, ...]:
    protocol = record.protocol
    rows = protocol.train_rows if protocol.kind == "training" else None
    return (protocol.control, protocol.limit, rows)
