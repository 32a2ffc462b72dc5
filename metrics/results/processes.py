"""Work on runs shared among processes: results in the order of the pieces, a killed process told in one line.

The process that asks does its share. Others take a second or two to start, in which a good part of the work of some
hundred runs is done.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
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
    truths: Truths,
    workers: int,
    doing: Callable[[_Piece], str],
) -> Iterator[_Result]:
    """Do pieces of work, here and in other processes; each has truths of its own (:func:`truths_here`).

    The other processes are started anew (`spawn`): a forked one would inherit the locks of threads that it does not
    have, and hang. This process does the pieces from the first on; the others, once they have started, from the last.

    Args:
        work: A function of a module.
        pieces: What it is called with.
        truths: Where data is; those of this process.
        workers: Processes, this one among them; at least one other is started.
        doing: Says what a piece is, for the message where a process was killed.

    Raises:
        DataError: A process was killed.
    """
    others = max((workers if _kept is not None else min(workers, len(pieces))) - 1, 1)
    elsewhere: dict[int, Future[_Result]] = {}
    with _processes(truths.places, others) as pool, _having(truths):
        started = pool.submit(_started)
        first, last = 0, len(pieces)
        try:
            while first < last:
                if started.done():
                    left = sum(not future.done() for future in elsewhere.values())
                    for _ in range(min(2 * others - left, last - first - 1)):  # one at work, one waiting
                        last -= 1
                        elsewhere[last] = pool.submit(work, pieces[last])
                yield work(pieces[first])
                first += 1
            for number in range(last, len(pieces)):
                future = elsewhere.pop(number)
                yield work(pieces[number]) if future.cancel() else future.result()
        except BrokenProcessPool as error:
            raise DataError(
                f"a process was killed while it {doing(pieces[min(last, len(pieces) - 1)])} (the memory ran out?); "
                "--workers 1 takes the least memory"
            ) from error
        finally:
            for future in elsewhere.values():
                future.cancel()


def _started() -> None:
    """Nothing: whoever has done it has started."""


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
    """The truths of a process that works for :func:`in_processes`."""
    return _truths_here or Truths()


@contextmanager
def _having(truths: Truths) -> Iterator[None]:
    global _truths_here  # noqa: PLW0603 - a process has one, for all its pieces
    before, _truths_here = _truths_here, truths
    try:
        yield
    finally:
        _truths_here = before


def _begin(places: Sequence[Place]) -> None:
    global _truths_here  # noqa: PLW0603 - a process has one, for all its pieces
    _truths_here = Truths(places)
