"""Work on a Ray cluster: the one place that finds it, connects, hands out tasks and outlives lost nodes.

    with Cluster("auto") as cluster:
        for result in cluster.map(function, jobs):
            ...

Ray is an extra and imported when a `Cluster` is made. The same version of this package must be on every node.
"""

import logging
import os
import re
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

from . import __version__
from .errors import DataError, LLM4MatError, UsageError, one_line

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
LabelT = TypeVar("LabelT")

RETRIES = 10
"""So often Ray itself repeats a task whose node or process died."""
TASKS_PER_PLACE = 2
"""Tasks under way for each that can run at once: enough to keep nodes busy, few enough to lose."""
RESOURCES_SECONDS = 10.0
"""Nodes come and go: how many there are is asked this often."""
PROBE_SECONDS = 10.0

_ADDRESS = re.compile(r"auto|local|\w+://.+|.+:\d+")
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_SETTINGS = 4


class ClusterError(DataError):
    """There is no cluster at the address, or it lost or failed a task for good."""


class Finished(NamedTuple, Generic[LabelT, ResultT]):
    """A task that came to its end."""

    label: LabelT
    result: ResultT


class Lost(NamedTuple, Generic[LabelT]):
    """A task whose process or node died more often than Ray repeats one."""

    label: LabelT
    reason: str
    out_of_memory: bool


def check_address(address: str) -> None:
    """See whether a cluster may be at an address: Ray itself tries for minutes, then ends the process.

    Args:
        address: As ``ray.init`` takes it: ``auto``, ``local``, ``HOST:6379`` or ``ray://HOST:10001``.

    Raises:
        UsageError: It is no address.
        ClusterError: Nobody listens there, or somebody who does not speak Ray's language.
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"no address of a Ray cluster: '{address}'. Write auto, HOST:6379 or ray://HOST:10001")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # auto, local, a service's own scheme
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS) as connection:
            connection.sendall(_HTTP2_HELLO)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ClusterError(f"no Ray cluster at {address}: {why}") from error
    if len(answer) < 4 or answer[3] != _HTTP2_SETTINGS:  # every gRPC server begins with its settings
        raise ClusterError(f"no Ray cluster at {address}: another program listens there. Ray's own port is often 6379")


class Cluster:
    """A connection to a Ray cluster, whose nodes may come and go.

    Args:
        address: See `check_address`.

    Raises:
        UsageError: No address, or Ray is not installed.
        ClusterError: There is no cluster.
    """

    def __init__(self, address: str) -> None:
        check_address(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone unless asked for
        try:
            import ray
        except ImportError as error:
            raise UsageError("--ray needs Ray: pip install 'llm4mat-bench[ray]'") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
                raise ClusterError(f"no Ray cluster at {address}: {one_line(error)}") from error
        self._resources: dict[str, float] = {}
        self._looked = -RESOURCES_SECONDS

    def places(self, *, cpus: float = 1, gpus: float = 0) -> int:
        """How many tasks that need so much can run at once on the cluster as it is now; at least 1."""
        if time.monotonic() - self._looked > RESOURCES_SECONDS:
            self._resources = self._ray.cluster_resources()
            self._looked = time.monotonic()
        needs = {"CPU": cpus, "GPU": gpus}
        return max(1, min(int(self._resources.get(name, 0) // need) for name, need in needs.items() if need))

    def tasks(
        self, function: Callable[..., ResultT], *, cpus: float = 1, gpus: float = 0, retries: int = RETRIES
    ) -> "Tasks[Any, ResultT]":
        """Prepare to call a function on the nodes. See `Tasks`.

        Args:
            function: A function of a module that the nodes can import.
            cpus: Processors that one call needs.
            gpus: GPUs that one call needs, fractions allowed.
            retries: How often a call is repeated whose node or process died.
        """
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": retries, "scheduling_strategy": "SPREAD"}
        return Tasks(self._ray, function, options)

    def map(
        self,
        function: Callable[[JobT], ResultT],
        jobs: Iterable[JobT],
        *,
        cpus: float = 1,
        gpus: float = 0,
        retries: int = RETRIES,
        ordered: bool = False,
    ) -> Iterator[ResultT]:
        """Call a function on each job, a bounded number of them under way, and yield the results.

        Args:
            function: A function of a module that the nodes can import.
            jobs: Its arguments; taken as they are needed.
            cpus: Processors that one call needs.
            gpus: GPUs that one call needs.
            retries: How often a call is repeated whose node or process died.
            ordered: Yield in the order of the jobs, and not as they come.

        Raises:
            LLM4MatError: The function raised it.
            ClusterError: The function raised something else, or its process died again and again.
        """
        tasks = self.tasks(function, cpus=cpus, gpus=gpus, retries=retries)
        numbered = enumerate(jobs)
        finished: dict[int, ResultT] = {}
        taken = given = 0
        try:
            while True:
                room = TASKS_PER_PLACE * self.places(cpus=cpus, gpus=gpus)
                while (taken - given if ordered else tasks.in_flight) < room:
                    number, job = next(numbered, (-1, None))
                    if number < 0:
                        break
                    tasks.submit(number, job)
                    taken += 1
                if not tasks.in_flight:
                    return
                for one in tasks.wait():
                    if isinstance(one, Lost):
                        raise ClusterError(
                            f"a Ray task was lost {retries + 1} times ({one.reason}); the same call goes on where it "
                            "left off"
                        )
                    if not ordered:
                        yield one.result
                        continue
                    finished[one.label] = one.result
                    while given in finished:
                        yield finished.pop(given)
                        given += 1
        finally:
            tasks.cancel()

    def close(self) -> None:
        """Leave the cluster."""
        if self._ours:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tasks(Generic[LabelT, ResultT]):
    """Calls of one function on the nodes of a cluster. Made by `Cluster.tasks`."""

    def __init__(self, ray: Any, function: Callable[..., ResultT], options: dict[str, Any]) -> None:  # noqa: ANN401
        self._ray = ray
        self._function = function
        self._remote = ray.remote(_call).options(**options)
        self._labels: dict[Any, LabelT] = {}

    @property
    def in_flight(self) -> int:
        """How many calls have been submitted and not yet answered."""
        return len(self._labels)

    @property
    def labels(self) -> Collection[LabelT]:
        """Labels of the calls in flight."""
        return self._labels.values()

    def submit(self, label: LabelT, *arguments: object) -> None:
        """Call the function with these arguments; the answer bears the label."""
        self._labels[self._remote.remote(__version__, self._function, arguments)] = label

    def wait(self) -> list[Finished[LabelT, ResultT] | Lost[LabelT]]:
        """Wait for at least one answer; give all that are there.

        Raises:
            LLM4MatError: The function raised it.
            ClusterError: The function raised something else, or a node cannot run it.
        """
        if not self._labels:
            return []
        waiting = list(self._labels)
        self._ray.wait(waiting, num_returns=1)
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [self._receive(reference) for reference in ready]

    def cancel(self) -> None:
        """Stop what is under way."""
        for reference in self._labels:
            self._ray.cancel(reference, force=True)
        self._labels.clear()

    def _receive(self, reference: Any) -> Finished[LabelT, ResultT] | Lost[LabelT]:  # noqa: ANN401
        label = self._labels.pop(reference)
        try:
            return Finished(label, self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, LLM4MatError):
                raise type(cause)(str(cause)) from error
            if isinstance(cause, ModuleNotFoundError):
                raise ClusterError(f"a node lacks what it needs ({cause}): install it on every node") from error
            raise ClusterError(f"a Ray task failed: {one_line(cause)}") from error
        except self._ray.exceptions.RayError as error:
            return Lost(label, type(error).__name__, isinstance(error, self._ray.exceptions.OutOfMemoryError))


def _call(version: str, function: Callable[..., ResultT], arguments: tuple[object, ...]) -> ResultT:
    """Runs on a node."""
    if version != __version__:
        raise ClusterError(f"a node has llm4mat-bench {__version__}, this machine {version}: install one on all")
    return function(*arguments)
