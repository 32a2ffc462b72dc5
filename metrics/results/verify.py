"""Verify every run under a folder, many of them in processes of their own."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from ...progress import Progress, silent
from ..studentised import keeping_draws
from .places import Place, Truths
from .processes import in_processes, truths_here
from .record import RESULT_FILE
from .verify_run import Verification, verify_run

__all__ = ["Verification", "find_runs", "verify_results", "verify_run"]

_WORTH_WORKERS = 200
"""Runs from which on another process is worth its start, a second or two."""
_PIECE = 50
"""Runs that a process takes at a time."""


def find_runs(results: Path, *, needed: bool = True) -> list[Path]:
    """Folders under ``results`` that hold a ``result.json``, sorted; hidden (unfinished) ones are passed over.

    Args:
        results: The folder.
        needed: Refuse a folder without any run.

    Raises:
        DataError: There is no such folder, or no run in it.
    """
    if not results.is_dir():
        raise DataError(f"{results}: no such folder")
    runs = sorted(
        path.parent
        for path in results.rglob(RESULT_FILE)
        if not any(part.startswith(".") for part in path.relative_to(results).parts)
    )
    if needed and not runs:
        raise DataError(f"{results}: no {RESULT_FILE} in it or below; `llm4mat-bench train` writes one")
    return runs


def verify_results(
    results: Path,
    places: Sequence[Place | str] | Truths = (),
    progress: Progress = silent,
    *,
    workers: int = 1,
) -> list[Verification]:
    """Verify every run under a folder.

    Args:
        results: Folder of results.
        places: Where data is, for runs that are not on the embedded sample; or places already opened.
        progress: Called as the work goes on.
        workers: Processes to share the runs among, where there are many. They are started anew (`spawn`), so a script
            that asks for more than one needs the usual ``if __name__ == "__main__":``.

    Raises:
        DataError: There is no run.
    """
    runs = find_runs(results)
    truths = places if isinstance(places, Truths) else Truths(places)
    if workers > 1 and len(runs) >= _WORTH_WORKERS:
        return _verify_in_processes(runs, truths, progress, workers)
    found = []
    with keeping_draws():
        for done, folder in enumerate(runs):
            progress("verifying", done, len(runs))
            found.append(verify_run(folder, truths))
    progress("verifying", len(runs), len(runs))
    return found


def _verify_in_processes(runs: list[Path], truths: Truths, progress: Progress, workers: int) -> list[Verification]:
    """Verify pieces of neighbouring runs, which are mostly of one task, each process with truths of its own."""
    pieces = [runs[start : start + _PIECE] for start in range(0, len(runs), _PIECE)]
    found: list[Verification] = []
    progress("verifying", 0, len(runs))
    for verified, used in in_processes(
        _verify_piece, pieces, truths, workers, lambda piece: f"verified, near {piece[0]}"
    ):
        found += verified
        truths.used |= used
        progress("verifying", len(found), len(runs))
    for name in {one.record.task for one in found if one.record is not None and not one.faults}:
        truths.task(name)  # sources of the user's own are known in this process, too
    return found


def _verify_piece(folders: list[Path]) -> tuple[list[Verification], set[Place]]:
    truths = truths_here()
    with keeping_draws():
        return [verify_run(folder, truths) for folder in folders], truths.used
