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
    have, and hang. They take the pieces from the first on, this one takes them from the last on.

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
    done = 0
    try:
        with _processes(truths.places, others) as pool, _having(truths):
            futures = [pool.submit(work, piece) for piece in pieces]
            try:
                for result in _in_order(work, pieces, futures):
                    done += 1
                    yield result
            finally:
                for future in futures:
                    future.cancel()
    except BrokenProcessPool as error:
        raise DataError(
            f"a process was killed while it {doing(pieces[min(done, len(pieces) - 1)])} (the memory ran out?); "
            "--workers 1 takes the least memory"
        ) from error


def _in_order(
    work: Callable[[_Piece], _Result], pieces: Sequence[_Piece], futures: "Sequence[Future[_Result]]"
) -> Iterator[_Result]:
    """What comes of the pieces; while the next one is not done, the last that nobody has begun is done here."""
    here: dict[int, _Result] = {}
    last = len(pieces)
    for number, future in enumerate(futures):
        while number not in here and last > number and not future.done():
            last -= 1
            if futures[last].cancel():
                here[last] = work(pieces[last])
        yield here.pop(number) if number in here else future.result()


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
