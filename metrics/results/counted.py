"""Which of several runs count: none twice, of each seed the worst, and no seed that is a copy of another."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..headline import whole_headline
from .likeness import alike
from .verify_run import Verification


class Counted(NamedTuple):
    """A run that counts.

    Attributes:
        run: The run.
        instead_of: Runs that do not, because of it.
        note: Why they do not; None where there are none, or none with other answers.
    """

    run: Verification
    instead_of: tuple[Verification, ...]
    note: str | None


def that_count(runs: Sequence[Verification]) -> list[Counted]:
    """Choose among sound runs that differ in their seed at most, in the order of the seeds.

    Of several with one seed the worst counts: whoever sends in results must not choose the best of many, nor somebody
    else put a better run in the place of theirs. Of seeds with the same answers, noise or none, the first counts, so
    that no copy makes a deviation small.
    """
    by_seed: dict[int, list[Verification]] = defaultdict(list)
    for run in runs:
        by_seed[_seed(run)].append(run)
    worst = [min(its, key=_order) for _, its in sorted(by_seed.items())]
    groups: list[list[int]] = []
    for number, earlier in enumerate(_copies(worst)):
        group = next((one for one in groups if set(one) & earlier), None)
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    return [_counted([worst[number] for number in group], by_seed) for group in groups]


def once(runs: Sequence[Verification]) -> tuple[list[Verification], list[tuple[Path, Path]]]:
    """Runs whose records are the same to the letter once.

    Args:
        runs: Runs with records.

    Returns:
        The runs, and the folders of those left out, each with that of the one that is kept.
    """
    kept: dict[str, Verification] = {}
    same = []
    for run in runs:
        assert run.record is not None  # noqa: S101 - they have records
        first = kept.setdefault(run.record.record_sha256, run)
        if first is not run:
            same.append((run.folder, first.folder))
    return list(kept.values()), same


def worth(run: Verification) -> float:
    """What orders runs on one task: the score over the whole test set, more being better."""
    score = whole_headline(run.report) if run.report is not None else None
    if score is not None and score.status == "infinite":
        return math.inf
    return -math.inf if score is None or score.value is None else score.value


def _counted(seeds: list[Verification], by_seed: dict[int, list[Verification]]) -> Counted:
    first, copied = seeds[0], seeds[1:]
    notes = []
    its = by_seed[_seed(first)]
    if len({run.answers for run in its}) > 1:
        notes.append(f"the worst of {len(its)} runs with seed {_seed(first)} and different answers")
    if copied:
        exact = all(run.answers == first.answers for run in copied)
        names = ", ".join(str(_seed(run)) for run in copied)
        notes.append(
            f"seed{'s' if len(copied) > 1 else ''} {names} with "
            f"{'the very answers of' if exact else 'much the same answers as'} seed {_seed(first)}: counted once"
        )
    behind = [run for seed in seeds for run in by_seed[_seed(seed)] if run is not first]
    return Counted(first, tuple(behind), "; ".join(notes) or None)


def _copies(runs: Sequence[Verification]) -> list[set[int]]:
    """For each run the numbers of the earlier ones that have the same answers, noise or none."""
    near = alike([run.places for run in runs])
    return [
        {*near[number], *(one for one in range(number) if runs[one].answers == run.answers)}
        for number, run in enumerate(runs)
    ]


def _seed(run: Verification) -> int:
    assert run.record is not None  # noqa: S101 - it is sound
    return run.record.protocol.seed


def _order(run: Verification) -> tuple[float, str]:
    assert run.record is not None  # noqa: S101 - it is sound
    return worth(run), run.record.record_sha256
