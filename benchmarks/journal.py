"""What the journal costs: entries written one by one and in batches, looked up and read back.

    python benchmarks/journal.py 100000

A value is JSON of about a kilobyte, as an answer of a language model or a description is. Prints one JSON line.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llm4mat_bench.journal import Journal

VALUE = {"text": "x" * 1000, "status": "ok"}
BATCH = 100


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return round(time.perf_counter() - begun, 3)


def measure(entries: int, path: Path) -> dict[str, float]:
    """Seconds of each kind of use, size of the file and peak memory of the process."""
    found: dict[str, float] = {"entries": entries}

    def one_by_one(journal: Journal) -> None:
        for number in range(entries):
            journal.put({f"{number:064x}": VALUE})

    def in_batches(journal: Journal) -> None:
        for start in range(0, entries, BATCH):
            journal.put({f"{number:064x}": VALUE for number in range(start, min(start + BATCH, entries))})

    with Journal(path / "a", {"format": "benchmark"}) as journal:
        found["written_one_by_one_s"] = _seconds(lambda: one_by_one(journal))
    with Journal(path / "b", {"format": "benchmark"}) as journal:
        found["written_in_batches_of_100_s"] = _seconds(lambda: in_batches(journal))
    found["reopened_s"] = _seconds(lambda: Journal(path / "b", {"format": "benchmark"}).close())
    with Journal(path / "b", {"format": "benchmark"}) as journal:
        keys = [f"{number:064x}" for number in range(entries)]
        found["looked_up_s"] = _seconds(lambda: sum(1 for _ in journal.missing(keys)))
        found["read_by_key_s"] = _seconds(lambda: sum(1 for key in keys if journal[key]))
        found["read_in_order_s"] = _seconds(lambda: sum(1 for _ in journal.items()))
    found["file_mb"] = round((path / "b").stat().st_size / 1e6, 1)
    found["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", type=int, nargs="?", default=100_000)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(parser.parse_args().entries, Path(folder))))


if __name__ == "__main__":
    main()
