"""Work that many processes share, a few jobs ahead: neither all jobs nor all results are ever held."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from ...errors import DataError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
_AHEAD = 4


def in_processes(
    function: Callable[[JobT], ResultT], jobs: Iterable[JobT], processes: int
) -> Iterator[tuple[JobT, ResultT]]:
    """Yield each job with its result, in the order of the jobs.

    Args:
        function: What to do; sent to the processes.
        jobs: Taken as they are needed.
        processes: How many; 1 works in this process.

    Raises:
        DataError: A process was killed.
    """
    if processes <= 1:
        yield from ((job, function(job)) for job in jobs)
        return
    remaining = iter(jobs)
    # Spawned, not forked: threads of Arrow and PyTorch do not survive a fork.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_leave_with, initargs=(os.getpid(),)
    ) as pool:
        waiting: deque[tuple[JobT, Future[ResultT]]] = deque()
        try:
            for job in islice(remaining, _AHEAD * processes):
                waiting.append((job, pool.submit(function, job)))
            while waiting:
                job, future = waiting.popleft()
                result = future.result()
                for another in islice(remaining, 1):
                    waiting.append((another, pool.submit(function, another)))
                yield job, result
        except BrokenProcessPool as error:
            raise DataError(
                "a process that makes crystal graphs was killed (out of memory?), or could not be started (a script "
                "that trains needs `if __name__ == '__main__':`); the same call goes on where it left off"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_with(parent: int) -> None:
    """End this process once its parent is gone: nobody waits for its results any more."""
    import warnings

    warnings.simplefilter("ignore")  # of parsers, which would be printed once a process

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
