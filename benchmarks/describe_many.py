"""What a second worker brings and what a worker costs in memory.

    python benchmarks/describe_many.py INPUT [--column structure] [--rows 400] [--rounds 4]

INPUT is whatever ``llm4mat-bench describe`` takes. One pool of one worker and one of two describe the same structures
in turn, in one run on one machine; loading is not counted. The speed-up in wall time needs an idle machine. On a busy
one look at the other estimate, from the scheduler's own counts: the share of time in which workers had something to do
(they ran, or waited for a processor), times the ratio of processor time that the same work took. Memory is read from
/proc while they work (Linux): what a worker alone holds (its private pages), and its proportional share of what it
shares with others.
"""

import argparse
import contextlib
import os
import statistics
import threading
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from llm4mat_bench.dataset_builder.descriptions.batch.entries import weight
from llm4mat_bench.dataset_builder.descriptions.batch.inputs import open_source
from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.batch.records import Settings, Status, Task

MIB = 2**20


def children(process: int) -> list[int]:
    """Processes that a process started."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def memory(process: int) -> tuple[int, int]:
    """Private and proportional bytes of a process."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in rollup.splitlines()[1:]}
    return sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Pss"]


def scheduled(process: int) -> tuple[float, float]:
    """Seconds that a process has run, and that it has waited for a processor."""
    ran, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


class Turn(NamedTuple):
    """One pool describing all structures once."""

    wall: float
    ran: float
    waited: float
    failed: int


class Watch:
    """Reads memory and times of a pool's workers five times a second, as they are replaced now and then."""

    def __init__(self, pool: LocalPool) -> None:
        self._pool = pool
        self.private: dict[int, int] = {}
        self.share: dict[int, int] = {}
        self._times: dict[int, tuple[float, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.times()
            for worker in children(self._pool.supervisor_id):
                try:
                    private, share = memory(worker)
                except (OSError, KeyError):  # replaced meanwhile
                    continue
                self.private[worker] = max(private, self.private.get(worker, 0))
                self.share[worker] = max(share, self.share.get(worker, 0))

    def times(self) -> tuple[float, float]:
        """Seconds that all workers so far have run, and have waited for a processor."""
        for worker in children(self._pool.supervisor_id):
            with contextlib.suppress(OSError):
                self._times[worker] = scheduled(worker)
        times = list(self._times.values())
        return sum(ran for ran, _ in times), sum(waited for _, waited in times)


def describe(pool: LocalPool, tasks: list[Task], watch: Watch) -> Turn:
    """Describe all tasks."""
    before = watch.times()
    start = time.perf_counter()
    todo = iter(tasks)
    failed = 0
    while True:
        new = list(islice(todo, pool.capacity - pool.in_flight))
        if not new and not pool.in_flight:
            break
        failed += sum(outcome.status is not Status.OK for outcome in pool.exchange(new))
    wall = time.perf_counter() - start
    after = watch.times()
    return Turn(wall, after[0] - before[0], after[1] - before[1], failed)


def occupied_share(turn: Turn, workers: int) -> float:
    """Share of their time in which workers had something to do."""
    return (turn.ran + turn.waited) / turn.wall / workers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--column")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    entries = [entry for entry in open_source(options.input, options.column).entries() if entry.text is not None]
    entries = sorted(islice(entries, options.rows), key=weight, reverse=True)  # as the command does it
    tasks = [Task(row, entry.text or "") for row, entry in enumerate(entries)]
    many = options.workers
    with LocalPool(Settings(), 1) as one, LocalPool(Settings(), many) as several:
        for pool in (one, several):  # load, and fork all workers
            start = time.perf_counter()
            describe(pool, tasks[-2 * many :], Watch(pool))
            print(f"started in {time.perf_counter() - start:.1f} s")
        ratios, estimates = [], []
        with Watch(one) as single, Watch(several) as watch:
            for number in range(options.rounds):
                order = ((one, 1), (several, many)) if number % 2 == 0 else ((several, many), (one, 1))
                turns = {}
                for pool, count in order:
                    turn = turns[count] = describe(pool, tasks, single if pool is one else watch)
                    print(
                        f"round {number + 1}, workers {count}: {len(tasks)} structures ({turn.failed} failed) in "
                        f"{turn.wall:.1f} s; workers ran {turn.ran:.1f} s, waited for a processor {turn.waited:.1f} s, "
                        f"had work {occupied_share(turn, count):.1%} of the time; load {os.getloadavg()[0]:.1f}"
                    )
                ratios.append(turns[1].wall / turns[many].wall)
                estimates.append(occupied_share(turns[many], many) * turns[1].ran / turns[many].ran)
        speed_up = statistics.median(ratios)
        print(f"speed-up in wall time with {many} workers: {speed_up:.2f} = efficiency {speed_up / many:.0%} (median)")
        print(f"efficiency from the scheduler's counts: {statistics.median(estimates):.1%} (median)")
        for name, measured in (("one worker", single), (f"{many} workers", watch)):
            private = ", ".join(f"{size / MIB:.0f}" for size in measured.private.values())
            share = ", ".join(f"{size / MIB:.0f}" for size in measured.share.values())
            print(f"{name}: largest private memory {private} MiB; largest proportional share {share} MiB")
        _, supervisor = memory(several.supervisor_id)
        print(f"the supervisor, once whatever the number of workers: {supervisor / MIB:.0f} MiB proportional share")


if __name__ == "__main__":
    main()
