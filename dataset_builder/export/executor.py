"""Run jobs in this process, in several, or on a Ray cluster; the results are the same."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from ...errors import DataError, LLM4MatError, UsageError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
RAY_RETRIES = 10  # of a task whose node was lost; the part it wrote half is written anew


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
        yield from _run_on_ray(function, jobs, ray_address)
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


def _refuse_silence(address: str) -> None:
    """Look whether anybody listens: Ray itself tries for minutes before it gives up, and ends the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # "auto", "local"
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise DataError(f"no Ray cluster at '{address}': {error.strerror or error}") from error


def _run_on_ray(function: Callable[[JobT], ResultT], jobs: Sequence[JobT], address: str) -> Iterator[ResultT]:
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install 'llm4mat-bench[ray]'") from error
    started = not ray.is_initialized()
    if started:
        _refuse_silence(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise DataError(f"no Ray cluster at '{address}': {error}") from error
    try:
        task: Any = ray.remote(max_retries=RAY_RETRIES, num_cpus=1)(function)
        # Twice as many tasks as cores are under way: enough to keep them busy, few enough to lose.
        waiting = list(jobs)[::-1]
        running: list[Any] = []
        while waiting or running:
            room = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < room:
                running.append(task.remote(waiting.pop()))
            ready, running = ray.wait(running, num_returns=1, timeout=5.0)
            for reference in ready:
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    cause = error.cause
                    if isinstance(cause, LLM4MatError):
                        raise type(cause)(str(cause)) from error
                    raise DataError(f"a Ray task failed: {error}") from error
                except ray.exceptions.RayError as error:
                    raise DataError(
                        f"a Ray task was lost {RAY_RETRIES + 1} times ({type(error).__name__}); the same call goes on "
                        "where it left off"
                    ) from error
    finally:
        if started:
            ray.shutdown()
