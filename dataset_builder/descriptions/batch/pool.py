"""The caller's end of a pool of describing processes on this machine."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol, Self

from pydantic import TypeAdapter

from .errors import PoolError
from .records import Outcome, Settings, Task

RESTARTS = 3
"""So often in a row the supervisor may die without giving an outcome before the pool gives up."""

_OUTCOMES = TypeAdapter(list[Outcome])
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from {package}.supervisor import main
main(int(sys.argv[1]))
"""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Executor(Protocol):
    """Whatever can describe tasks, in any order: a local pool, a cluster."""

    @property
    def capacity(self) -> int:
        """How many tasks in flight keep it busy."""

    @property
    def in_flight(self) -> int:
        """How many tasks have been given and not yet answered."""

    def exchange(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Give new tasks; wait for at least one outcome of any task in flight."""

    def close(self) -> None:
        """Stop all work at once."""


class LocalPool:
    """Worker processes on this machine behind a supervisor process, started at once in the background.

    Args:
        settings: What to run and within which limits.
        workers: How many structures to describe at once.
    """

    def __init__(self, settings: Settings, workers: int) -> None:
        if not hasattr(os, "fork"):
            raise PoolError("many structures need forked processes: Linux or macOS (on Windows, use WSL)")
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._settings = settings
        self._workers = workers
        self._waiting: dict[int, Task] = {}
        self._deaths = 0
        self._start()

    @property
    def capacity(self) -> int:
        """Enough that the supervisor never waits for the caller."""
        return 4 * self._workers

    @property
    def in_flight(self) -> int:
        """How many tasks have been given and not yet answered."""
        return len(self._waiting)

    @property
    def supervisor_id(self) -> int:
        """Process id of the supervisor, the parent of all workers."""
        return self._process.pid

    def exchange(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Give new tasks; wait for at least one outcome of any task in flight.

        Raises:
            PoolError: The processes cannot be started, or die again and again.
        """
        self._waiting.update((task.row, task) for task in tasks)
        if not self._waiting:
            return []
        while True:
            try:
                if not self._ready:
                    self._await_start()
                    tasks = list(self._waiting.values())
                self._connection.send_bytes(json.dumps(list(tasks)).encode())
                outcomes = _OUTCOMES.validate_json(self._connection.recv_bytes())
            except (EOFError, OSError) as error:
                self._restart(error)
                continue
            self._deaths = 0
            for outcome in outcomes:
                self._waiting.pop(outcome.index, None)
            return outcomes

    def close(self) -> None:
        """Stop all work at once."""
        self._connection.close()
        if not self._ready:  # busy importing: it would not notice
            self._process.kill()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        package = __name__.rpartition(".")[0]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-c", _START.format(package=package), str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                start_new_session=True,  # Ctrl-C reaches the caller, who closes the connection
                # One thread for linear algebra, or workers fight for cores and a fork is unsafe; fixed hashing, so
                # that not even an order of a set that we do not know of could make two runs differ.
                env={**os.environ, **_ONE_THREAD, "PYTHONHASHSEED": "0"},
            )
        self._connection = Connection(ours.detach())
        self._ready = False
        hello = {"settings": self._settings.model_dump(), "workers": self._workers}
        with contextlib.suppress(OSError):  # dead already: the first exchange tells
            self._connection.send_bytes(json.dumps(hello).encode())

    def _await_start(self) -> None:
        answer = json.loads(self._connection.recv_bytes())
        if answer["failed"] is not None:
            message = answer["failed"]
            if "No module named" in message:
                message += ". Install the extra: pip install 'llm4mat-bench[describe]'"
            raise PoolError(f"the describer could not be loaded: {message}")
        self._ready = True

    def _restart(self, error: BaseException) -> None:
        self._deaths += 1
        self._connection.close()
        self._process.kill()
        code = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        self._complaints.close()
        if self._deaths > RESTARTS:
            said = f"; it said: {lines[-1]}" if lines else ""
            raise PoolError(f"the supervisor of the workers died {self._deaths} times (status {code}){said}") from error
        self._start()
