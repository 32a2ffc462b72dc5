"""Runs that are left out, told without a word of the machine that the page was made on."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..results.names import visible
from ..results.places import Place
from ..results.verify import Verification

_ABSOLUTE = re.compile(r"(?<![\w./:])(?:/|[A-Za-z]:[\\/])[^\s:;,'\"()]*[\\/]([^\s:;,'\"()\\/]+)")


class Refusal(NamedTuple):
    """One run that did not verify: where it lies in the results, and why."""

    folder: str
    reason: str


def refusals(refused: Sequence[Verification], results: Path, places: Sequence[Place]) -> list[Refusal]:
    """Say which runs were left out.

    Args:
        refused: Runs that did not verify.
        results: The folder of results: paths are told from there on.
        places: Places of data: named, not located.
    """
    roots = {str(root) for root in (results, results.absolute(), results.resolve())}
    named = {str(place.data): place.name or Path(place.data).name for place in places if place.is_folder}
    found = []
    for one in refused:
        reason = one.faults[0]
        for root in sorted(roots, key=len, reverse=True):
            reason = reason.replace(f"{root}/", "")
        for data, name in named.items():
            reason = reason.replace(data, name)
        found.append(Refusal(visible(_inside(one.folder, results), 160), visible(_ABSOLUTE.sub(r"\1", reason), 600)))
    return found


def _inside(folder: Path, results: Path) -> str:
    try:
        return folder.relative_to(results).as_posix()
    except ValueError:
        return folder.name
