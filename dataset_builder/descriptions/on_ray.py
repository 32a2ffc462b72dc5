"""The same work on a Ray cluster: the driver reads, keeps the journal and writes; the nodes describe."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import DescribeUsageError, PoolError
from .pool import LocalPool
from .records import Outcome, Settings, Status, Task
from .versions import library_versions

if TYPE_CHECKING:
    import ray

TASKS_PER_CHUNK = 8
ATTEMPTS = 5
"""A task that was alone on a worker whose node or process died so often is given up."""
RESOURCES_SECONDS = 10.0

_pools: dict[str, LocalPool] = {}


class _Chunk(NamedTuple):
    tasks: list[Task]
    attempt: int


def describe_chunk(settings_json: str, tasks: list[tuple[int, str]], versions: dict[str, str | None]) -> list[str]:
    """Describe a few structures; runs in a worker process of Ray.

    The process keeps a pool of one between chunks: it brings the time-out, the memory limit and the import done once.

    Args:
        settings_json: A ``Settings``.
        tasks: Row and text of each.
        versions: Those of the driver; other ones here could write another text.
    """
    here = library_versions()
    if here != versions:
        changed = ", ".join(f"{name} {here[name]} (driver: {versions.get(name)})" for name in here)
        raise PoolError(f"a node has other versions than the driver: {changed}")
    if settings_json not in _pools:
        for pool in _pools.values():
            pool.close()
        _pools.clear()
        _pools[settings_json] = LocalPool(Settings.model_validate_json(settings_json), workers=1)
    pool = _pools[settings_json]
    outcomes: list[Outcome] = []
    new = [Task(row, text) for row, text in tasks]
    try:
        while new or pool.in_flight:
            outcomes += pool.exchange(new)
            new = []
    except BaseException:
        _pools.pop(settings_json).close()
        raise
    return [outcome.model_dump_json() for outcome in outcomes]


def _knock(address: str) -> None:
    """See whether anything listens at an address with a port: Ray itself tries for minutes, then ends the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise PoolError(f"no Ray cluster at {address}: {error}") from error


class RayCluster:
    """An executor on a Ray cluster. Nodes may come and go: what a lost node had is done again by another.

    Args:
        settings: How to describe.
        address: As ``ray.init`` takes it: ``auto``, ``HOST:6379``, ``ray://HOST:10001`` or ``local``.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone unless asked for
        try:
            import ray
        except ImportError as error:
            raise DescribeUsageError("--ray needs Ray: pip install 'llm4mat-bench[describe,ray]'") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            _knock(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
                first_line = (str(error).splitlines() or [type(error).__name__])[0]
                raise PoolError(f"no Ray cluster at {address}: {first_line}") from error
        self._settings = settings.model_dump_json()
        self._versions = library_versions()
        # Ray itself repeats a chunk whose node died; what it gives up is handed out again by _failed.
        self._remote = ray.remote(describe_chunk).options(num_cpus=1, max_retries=3, scheduling_strategy="SPREAD")
        self._chunks: dict[ray.ObjectRef[Any], _Chunk] = {}
        self._again: deque[_Chunk] = deque()
        self._processors = 1
        self._looked = -RESOURCES_SECONDS

    @property
    def capacity(self) -> int:
        """Two chunks for each processor of the cluster as it is now."""
        if time.monotonic() - self._looked > RESOURCES_SECONDS:
            self._processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
            self._looked = time.monotonic()
        return 2 * TASKS_PER_CHUNK * self._processors

    @property
    def in_flight(self) -> int:
        """How many tasks have been given and not yet answered."""
        return sum(len(chunk.tasks) for chunk in (*self._chunks.values(), *self._again))

    def exchange(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Give new tasks; wait for at least one outcome of any task in flight.

        Raises:
            PoolError: The nodes cannot describe at all.
        """
        for start in range(0, len(tasks), TASKS_PER_CHUNK):
            self._submit(_Chunk(list(tasks[start : start + TASKS_PER_CHUNK]), 1))
        outcomes: list[Outcome] = []
        while not outcomes and self.in_flight:
            while self._again:
                self._submit(self._again.popleft())
            ready, _ = self._ray.wait(list(self._chunks), num_returns=1)
            for reference in ready:
                outcomes += self._receive(reference)
        return outcomes

    def close(self) -> None:
        """Cancel what is under way and leave the cluster."""
        for reference in self._chunks:
            self._ray.cancel(reference, force=True)
        self._chunks.clear()
        if self._ours:
            self._ray.shutdown()

    def _submit(self, chunk: _Chunk) -> None:
        plain = [(task.row, task.text) for task in chunk.tasks]
        self._chunks[self._remote.remote(self._settings, plain, self._versions)] = chunk

    def _receive(self, reference: "ray.ObjectRef[Any]") -> list[Outcome]:
        chunk = self._chunks.pop(reference)
        try:
            return [Outcome.model_validate_json(answer) for answer in self._ray.get(reference)]
        except self._ray.exceptions.RayTaskError as error:
            raise PoolError(str(error.cause)) from error
        except self._ray.exceptions.RayError as error:
            return self._failed(chunk, error)

    def _failed(self, chunk: _Chunk, error: Exception) -> list[Outcome]:
        """Hand out again what was lost with a node, each structure alone, so that one that kills nodes is found."""
        if len(chunk.tasks) > 1:
            self._again.extend(_Chunk([task], 1) for task in chunk.tasks)
            return []
        if chunk.attempt < ATTEMPTS:
            self._again.append(_Chunk(chunk.tasks, chunk.attempt + 1))
            return []
        memory = isinstance(error, self._ray.exceptions.OutOfMemoryError)
        status = Status.OUT_OF_MEMORY if memory else Status.ROBOCRYS_ERROR
        reason = f"its worker on the cluster died {ATTEMPTS} times ({type(error).__name__})"
        return [Outcome(index=chunk.tasks[0].row, status=status, reason=reason)]
