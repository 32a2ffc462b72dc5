"""Which of many runs say the same where they should differ, or differ where they should say the same."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import JsonValue

from .likeness import Places, alike
from .record import ResultRecord, json_sha256, settings_by_content
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
        found: What was verified. Each run is named with one of those before it, of each kind that there is.
    """
    groups: dict[tuple[str, str], list[_Run]] = defaultdict(list)
    for one in found:
        record = one.record
        if record is not None and not one.faults and one.answers is not None and record.counts.n_scored:
            run = _Run(one.folder, record, json_sha256(said_of(record)), one.answers, one.places)
            groups[record.task, record.data.labels_sha256].append(run)
    return [pair for runs in groups.values() for pair in _within(runs)]


class _Run(NamedTuple):
    """A sound run: what is said of it, and its answers by their hash and their places."""

    folder: Path
    record: ResultRecord
    said: str
    answers: str
    places: Places | None


def _within(runs: list[_Run]) -> Iterator[Copy]:
    near = alike([run.places for run in runs])
    with_answers: dict[str, list[int]] = defaultdict(list)
    of_seed: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        same, seed = with_answers[run.answers], of_seed[run.said, run.record.protocol.seed]
        pairs = []
        for other in sorted({*same, *near[number], *seed}):
            exact, of = runs[other].answers == run.answers, _difference(runs[other], run)
            # A run that stands twice is no fault, and two settings are told only where they change nothing at all.
            if of is not None and {"runs": not exact, "settings": exact}.get(of, True):
                pairs.append(Copy(runs[other].folder, run.folder, of, exact))
        same.append(number)
        seed.append(number)
        # One of each kind, so that none hides another: a seed that is a copy may be one of somebody else's, too.
        for kind in _ORDER:
            yield from sorted((pair for pair in pairs if pair.of == kind), key=lambda pair: not pair.exact)[:1]


def _difference(one: _Run, other: _Run) -> Difference | None:
    """In what two runs should differ; None where they need not."""
    first, second = one.record, other.record
    if first.model.id != second.model.id:
        return "models"
    if first.modality != second.modality:
        return None
    if one.said == other.said:
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
