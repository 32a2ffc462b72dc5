"""Work on runs shared among processes: results in the order of the pieces, a killed process told in one line."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from ...errors import DataError
from .places import Place, Truths

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def in_processes(
    work: Callable[[_Piece], _Result],
    pieces: Sequence[_Piece],
    places: Sequence[Place],
    workers: int,
    doing: Callable[[_Piece], str],
) -> Iterator[_Result]:
    """Do pieces of work in processes, each with truths of its own (:func:`truths_here`).

    The processes are started anew (`spawn`): a forked one would inherit the locks of threads that it does not have, and
    hang.

    Args:
        work: A function of a module.
        pieces: What it is called with.
        places: Where data is.
        workers: Processes.
        doing: Says what a piece is, for the message where a process was killed.

    Raises:
        DataError: A process was killed.
    """
    done = 0
    try:
        with _processes(places, workers if _kept is not None else min(workers, len(pieces))) as pool:
            for result in pool.map(work, pieces):
                done += 1
                yield result
    except BrokenProcessPool as error:
        raise DataError(
            f"a process was killed while it {doing(pieces[min(done, len(pieces) - 1)])} (the memory ran out?); "
            "--workers 1 takes the least memory"
        ) from error


@contextmanager
def keeping_processes() -> Iterator[None]:
    """Let all calls of :func:`in_processes` in the block share their processes: each takes a second or two to start."""
    global _kept  # noqa: PLW0603 - what is kept must be found by whoever shares work
    before, _kept = _kept, {}
    try:
        yield
    finally:
        for pool in _kept.values():
            pool.shutdown()
        _kept = before


def worth_processes(pieces: int, least: int) -> bool:
    """Whether much work is worth other processes: so many pieces, or any where some were started and are kept."""
    return pieces >= least or bool(_kept)


@contextmanager
def _processes(places: Sequence[Place], workers: int) -> Iterator[ProcessPoolExecutor]:
    if _kept is None:
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (places,)) as pool:
            yield pool
        return
    key = (tuple(places), workers)
    if key not in _kept:
        _kept[key] = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (places,))
    yield _kept[key]


_kept: dict[tuple[tuple[Place, ...], int], ProcessPoolExecutor] | None = None
_truths_here: Truths | None = None


def truths_here() -> Truths:
    """The places of a process that :func:`in_processes` started."""
    return _truths_here or Truths()


def _begin(places: Sequence[Place]) -> None:
    global _truths_here  # noqa: PLW0603 - a process has one, for all its pieces
    _truths_here = Truths(places)
