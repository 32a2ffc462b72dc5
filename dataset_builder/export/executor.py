"""Run jobs in this process, in several, or on a Ray cluster; the results are the same."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from ...errors import DataError
from ...ray_cluster import Cluster

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


def run_jobs(
    function: Callable[[JobT], ResultT], jobs: Sequence[JobT], *, workers: int = 1, ray_address: str | None = None
) -> Iterator[ResultT]:
    """Run every job and yield results as they come, in no fixed order.

    Args:
        function: A function of a module, which other processes can import.
        jobs: Its arguments.
        workers: Processes on this machine; 1 runs in this one.
        ray_address: Address of a Ray cluster (``auto`` for the one of this machine) that runs the jobs instead.

    Raises:
        DataError: A worker process died, or a job failed (its own error is raised as it is).
    """
    if ray_address is not None:
        with Cluster(ray_address) as cluster:
            yield from cluster.map(function, jobs)
    elif workers <= 1 or len(jobs) <= 1:
        yield from map(function, jobs)
    else:
        yield from _run_in_processes(function, jobs, workers)


def _run_in_processes(function: Callable[[JobT], ResultT], jobs: Sequence[JobT], workers: int) -> Iterator[ResultT]:
    # Spawned, not forked: Arrow's threads do not survive a fork.
    with ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=get_context("spawn"), initializer=_leave_with, initargs=(os.getpid(),)
    ) as pool:
        futures = [pool.submit(function, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process was killed (out of memory?); the same call goes on where it left off, "
                "perhaps with fewer --workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_with(parent: int) -> None:
    """End this worker once its parent is gone: nobody waits for its results any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
