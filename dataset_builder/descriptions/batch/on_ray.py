"""The same work on a Ray cluster: the driver reads, keeps the journal and writes; the nodes describe."""

from collections.abc import Sequence
from typing import NamedTuple

from ....ray_cluster import Cluster, ClusterError, Lost, Tasks
from .errors import PoolError
from .pool import LocalPool
from .records import Outcome, Settings, Status, Task
from .versions import library_versions

TASKS_PER_CHUNK = 8
ATTEMPTS = 5
"""A task that was alone on a worker whose node or process died so often is given up."""

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
        changed = ", ".join(
            f"{name} {here[name]} (driver: {versions.get(name)})" for name in here if here[name] != versions.get(name)
        )
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


class RayCluster:
    """An executor on a Ray cluster. Nodes may come and go: what a lost node had is done again by another.

    Args:
        settings: How to describe.
        address: As ``ray.init`` takes it: ``auto``, ``HOST:6379``, ``ray://HOST:10001`` or ``local``.

    Raises:
        PoolError: There is no cluster.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        try:
            self._cluster = Cluster(address)
        except ClusterError as error:
            raise PoolError(str(error)) from error
        self._settings = settings.model_dump_json()
        self._versions = library_versions()
        # Ray itself repeats a chunk whose node died; what it gives up is handed out again by _lost.
        self._tasks: Tasks[_Chunk, list[str]] = self._cluster.tasks(describe_chunk, retries=3)

    @property
    def capacity(self) -> int:
        """Two chunks for each processor of the cluster as it is now."""
        return 2 * TASKS_PER_CHUNK * self._cluster.places()

    @property
    def in_flight(self) -> int:
        """How many tasks have been given and not yet answered."""
        return sum(len(chunk.tasks) for chunk in self._tasks.labels)

    def exchange(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Give new tasks; wait for at least one outcome of any task in flight.

        Raises:
            PoolError: The nodes cannot describe at all.
        """
        for start in range(0, len(tasks), TASKS_PER_CHUNK):
            self._submit(_Chunk(list(tasks[start : start + TASKS_PER_CHUNK]), 1))
        outcomes: list[Outcome] = []
        try:
            while not outcomes and self._tasks.in_flight:
                for one in self._tasks.wait():
                    if isinstance(one, Lost):
                        outcomes += self._lost(one)
                    else:
                        outcomes += [Outcome.model_validate_json(answer) for answer in one.result]
        except ClusterError as error:
            raise PoolError(str(error)) from error
        return outcomes

    def close(self) -> None:
        """Cancel what is under way and leave the cluster."""
        self._tasks.cancel()
        self._cluster.close()

    def _submit(self, chunk: _Chunk) -> None:
        self._tasks.submit(chunk, self._settings, [(task.row, task.text) for task in chunk.tasks], self._versions)

    def _lost(self, lost: Lost[_Chunk]) -> list[Outcome]:
        """Hand out again what was lost with a node, each structure alone, so that one that kills nodes is found."""
        tasks, attempt = lost.label
        if len(tasks) > 1:
            for task in tasks:
                self._submit(_Chunk([task], 1))
            return []
        if attempt < ATTEMPTS:
            self._submit(_Chunk(tasks, attempt + 1))
            return []
        status = Status.OUT_OF_MEMORY if lost.out_of_memory else Status.ROBOCRYS_ERROR
        reason = f"its worker on the cluster died {ATTEMPTS} times ({lost.reason})"
        return [Outcome(index=tasks[0].row, status=status, reason=reason)]
