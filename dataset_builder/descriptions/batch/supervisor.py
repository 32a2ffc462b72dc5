"""The process that forks workers, hands them tasks, and kills and replaces them.

It is a process of its own because three things must hold at once: the slow imports (17 to 30 s) happen once; workers
are forked from a process with a single thread (a fork of a caller with threads, such as a notebook or a progress bar,
can deadlock); and neither the caller's memory nor its main module is copied into each worker, as it would be by
multiprocessing's own fork and forkserver methods.

Why not a library: ``multiprocessing.Pool`` waits for ever when a worker dies, ``concurrent.futures`` gives up all
work then, loky has no time-out that kills, and pebble, which has one, is LGPL, forks from threads of the caller and
limits no memory.

The conversation is strictly by turns, so that no two ends ever write at once and wait for each other: the caller
sends tasks, the supervisor answers with at least one outcome as soon as there is one.
"""

import gc
import json
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.context import ForkProcess

from ....errors import one_line
from .records import Outcome, Settings, Status
from .worker import Describer, describe_text, find_describer, work

TASKS_PER_WORKER = 500
"""A worker is replaced after so many tasks: a fork takes milliseconds, and caches cannot grow without end."""

ATTEMPTS = 3
"""A task whose worker died is tried so often, so that a worker killed from outside costs no row."""


@dataclass
class _Job:
    index: int
    text: str
    attempt: int = 1


@dataclass
class _Worker:
    process: ForkProcess
    connection: Connection
    job: _Job | None = None
    deadline: float = 0.0
    started: float = 0.0
    done: int = 0


class _Supervisor:
    def __init__(self, caller: Connection, count: int, settings: Settings, describer: Describer) -> None:
        self._caller = caller
        self._count = count
        self._settings = settings
        self._describer = describer
        self._workers: list[_Worker] = []
        self._backlog: deque[_Job] = deque()
        self._outbox: list[str] = []
        self._owed = False

    def serve(self) -> None:
        """Work until the caller closes its end."""
        while True:
            self._hand_out()
            if self._owed and (self._outbox or not self._busy()):
                self._caller.send_bytes(f"[{','.join(self._outbox)}]".encode())
                self._outbox.clear()
                self._owed = False
            if not self._listen():
                return

    def stop(self) -> None:
        """End every worker."""
        for worker in list(self._workers):
            self._remove(worker)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _hand_out(self) -> None:
        while self._backlog:
            worker = next((worker for worker in self._workers if worker.job is None), None)
            if worker is None:
                if len(self._workers) >= self._count:
                    return
                worker = self._start()
            job = self._backlog.popleft()
            try:
                worker.connection.send_bytes(json.dumps([job.index, job.text]).encode())
            except OSError:  # it died while idle
                self._remove(worker)
                self._backlog.appendleft(job)
                continue
            worker.job = job
            worker.started = time.monotonic()
            worker.deadline = worker.started + self._settings.timeout

    def _start(self) -> _Worker:
        ours, theirs = Pipe(duplex=True)
        unwanted = [self._caller, ours, *(worker.connection for worker in self._workers)]
        process = get_context("fork").Process(
            target=work, args=(theirs, self._settings, self._describer, unwanted), daemon=True
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _remove(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.kill()
        worker.process.join()
        code = worker.process.exitcode
        worker.process.close()
        return code

    def _listen(self) -> bool:
        busy = self._busy()
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic()) if busy else None
        sources = [self._caller, *(worker.connection for worker in busy)]
        sources += [worker.process.sentinel for worker in self._workers]  # type: ignore[misc]
        ready = set(wait(sources, patience))
        for worker in list(self._workers):
            if worker.job is None:
                if worker.process.sentinel in ready:
                    self._remove(worker)
            elif worker.connection in ready:
                self._receive(worker)
            elif worker.process.sentinel in ready:
                self._lost(worker)
            elif time.monotonic() >= worker.deadline:
                self._overdue(worker)
        if self._caller in ready:
            try:
                tasks = json.loads(self._caller.recv_bytes())
            except (EOFError, OSError):
                return False
            self._backlog.extend(_Job(index, text) for index, text in tasks)
            self._owed = True
        return True

    def _receive(self, worker: _Worker) -> None:
        job = worker.job
        assert job is not None  # noqa: S101 - only busy workers are listened to
        try:
            status, _, answer = worker.connection.recv_bytes().partition(b"\n")
        except (EOFError, OSError):
            self._lost(worker)
            return
        fresh = worker.done == 0
        worker.job = None
        worker.done += 1
        out_of_memory = status.decode() == Status.OUT_OF_MEMORY
        if out_of_memory and not fresh:
            # Earlier tasks' caches count against the limit; only a fresh worker's verdict does not hang on the order.
            self._backlog.appendleft(job)
        else:
            self._outbox.append(answer.decode())
        if out_of_memory or worker.done >= TASKS_PER_WORKER:
            self._remove(worker)

    def _lost(self, worker: _Worker) -> None:
        job, started = worker.job, worker.started
        assert job is not None  # noqa: S101
        worker.process.join(1.0)
        code = self._remove(worker)
        if job.attempt < ATTEMPTS:
            self._backlog.appendleft(_Job(job.index, job.text, job.attempt + 1))
            return
        if code == -signal.SIGKILL:
            status, how = Status.OUT_OF_MEMORY, "killed, as the system does when memory runs out"
        else:
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"
            status = Status.ROBOCRYS_ERROR
        self._report(job, status, f"the worker died {ATTEMPTS} times ({how})", started)

    def _overdue(self, worker: _Worker) -> None:
        job, started = worker.job, worker.started
        assert job is not None  # noqa: S101
        self._remove(worker)
        self._report(job, Status.TIME_OUT, f"took longer than {self._settings.timeout:g} s", started)

    def _report(self, job: _Job, status: Status, reason: str, started: float) -> None:
        seconds = time.monotonic() - started
        outcome = Outcome(index=job.index, status=status, reason=reason, seconds=seconds)
        self._outbox.append(outcome.model_dump_json(exclude_none=True))


def main(descriptor: int) -> None:
    """Serve the caller at the other end of a socket. The first message says what to import and how to work."""
    caller = Connection(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hello = json.loads(caller.recv_bytes())
    settings = Settings.model_validate(hello["settings"])
    try:
        describer = _prepare(settings)
    except Exception as error:  # told to the caller, who can tell the user
        caller.send_bytes(json.dumps({"failed": one_line(error)}).encode())
        return
    supervisor = _Supervisor(caller, int(hello["workers"]), settings, describer)
    try:
        caller.send_bytes(json.dumps({"failed": None}).encode())
        supervisor.serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone
    finally:
        supervisor.stop()


def _prepare(settings: Settings) -> Describer:
    """Import, load and run everything once, so that forked workers share it, and take it out of garbage collection.

    A describer's module may have a function ``prepare`` that loads what it needs.
    """
    gc.disable()
    describer = find_describer(settings.describer)
    prepare: Callable[[], None] | None = getattr(sys.modules[describer.__module__], "prepare", None)
    if prepare is not None:
        prepare()
    for text in _WARM_UP:
        describe_text(0, text, settings, describer)
    gc.collect()
    gc.freeze()
    gc.enable()
    return describer


# A crystal as a dict and as a CIF with symmetry, so that both ways of reading are imported before the first fork.
_WARM_UP_DICT = """{"lattice": {"matrix": [[0.0, 2.8, 2.8], [2.8, 0.0, 2.8], [2.8, 2.8, 0.0]]}, "sites": [
{"species": [{"element": "Na", "occu": 1}], "abc": [0.0, 0.0, 0.0]},
{"species": [{"element": "Cl", "occu": 1}], "abc": [0.5, 0.5, 0.5]}]}"""
_WARM_UP_CIF = """data_CsCl
_cell_length_a 4.1
_cell_length_b 4.1
_cell_length_c 4.1
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-x, -y, -z'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cs 0 0 0
Cl 0.5 0.5 0.5
"""
_WARM_UP = (_WARM_UP_DICT, _WARM_UP_CIF)
