"""How long `verify` takes and how much memory, over many runs of tasks of some size.

    python benchmarks/verify.py --records 2000 --predictions 10000

makes a dataset folder of synthetic crystals whose test split has so many rows, as many runs of its tasks (true values
with noise on them), and verifies them all in a process of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TASKS = ("mp/band_gap", "mp/formation_energy_per_atom", "mp/density", "mp/is_stable")


def make_data(folder: Path, rows: int) -> Path:
    """Build a folder of ``rows`` synthetic rows of mp; a tenth of them are test rows."""
    from synthetic import write_published

    from llm4mat_bench.dataset_builder.catalogue import get_source
    from llm4mat_bench.dataset_builder.export.build import build_source
    from llm4mat_bench.dataset_builder.export.options import BuildOptions

    write_published(folder / "published" / "mp", rows)
    build_source(get_source("mp"), folder / "published", folder / "built", BuildOptions(allow_partial=True))
    return folder / "built"


def make_runs(results: Path, data: Path, records: int, tasks: list[str]) -> None:
    """Make so many runs, an equal number of each task."""
    from llm4mat_bench import get_task
    from llm4mat_bench.metrics.results.predictions import answer_columns
    from llm4mat_bench.metrics.results.record import ModelIdentity, RunConfig, TrainingProtocol
    from llm4mat_bench.metrics.results.runs import OpenRun, open_run
    from llm4mat_bench.metrics.results.truth import read_data_record, read_truth

    model = ModelIdentity(id="synthetic", revision="1", kind="classical", pretraining_overlap="none")
    for number, task in enumerate(tasks):
        wanted = get_task(task)
        truth, record = read_truth(wanted, data), read_data_record(wanted, "composition", data)
        for seed in range(number, records, len(tasks)):
            noise = np.random.default_rng(seed).normal(size=len(truth.test_targets))
            answers = truth.test_targets + noise
            if wanted.kind == "classification":
                answers = 1 / (1 + np.exp(-answers))
            run = open_run(
                RunConfig.of(wanted, "composition", record, model, TrainingProtocol(settings={}, seed=seed)), results
            )
            if not isinstance(run, OpenRun):
                continue
            columns = answer_columns(wanted.kind, truth.test_ids, truth.test_targets, answers)
            with run:
                run.finish(columns, parameters=None)


def measure(results: Path, data: Path) -> None:
    """Verify, and print what it cost as JSON."""
    from llm4mat_bench.metrics.results.places import read_places
    from llm4mat_bench.metrics.results.verify import verify_results

    began, clock = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    found = verify_results(results, read_places([str(data)]), workers=len(os.sched_getaffinity(0)))
    seconds = time.perf_counter() - clock
    here, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        json.dumps(
            {
                "runs": len(found),
                "sound": sum(not one.faults and one.data_checked for one in found),
                "seconds": seconds,
                "processor_seconds": here.ru_utime + here.ru_stime + children.ru_utime + children.ru_stime,
                "before_mib": began / 1024,
                "peak_mib": here.ru_maxrss / 1024,
                "peak_of_a_worker_mib": children.ru_maxrss / 1024,
            }
        )
    )


def main() -> None:
    """Make data and runs, measure in another process, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[1, 200])
    parser.add_argument("--predictions", type=int, default=4_000, help="rows of the test split")
    parser.add_argument("--tasks", type=int, default=1, choices=range(1, len(TASKS) + 1))
    parser.add_argument("--work", type=Path, help="folder for data and runs, kept and found again")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    from llm4mat_bench.metrics.studentised import keeping_draws

    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        data = work / f"data-{given.predictions}" / "built"
        if not data.exists():
            make_data(data.parent, 10 * given.predictions)
        print(
            f"{os.cpu_count()} cores; test splits of {given.predictions:,} rows, {10 * given.predictions:,} rows in all"
        )
        heads = ("runs", "sound", "seconds", "processor", "ms a run", "peak MiB", "a worker's")
        print(" ".join(f"{head:>10}" for head in heads))
        for records in given.records:
            results = work / f"results-{given.predictions}-{given.tasks}-{records}"
            with keeping_draws():
                make_runs(results, data, records, list(TASKS[: given.tasks]))
            command = [sys.executable, __file__, "--measure", str(results), str(data)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            each = 1000 * found["seconds"] / found["runs"]
            times = [found["seconds"], found["processor_seconds"], each]
            sizes = [found["peak_mib"], found["peak_of_a_worker_mib"]]
            row = [found["runs"], found["sound"], *(f"{one:.1f}" for one in times), *(f"{one:.0f}" for one in sizes)]
            print(" ".join(f"{one:>10}" for one in row))


if __name__ == "__main__":
    main()
