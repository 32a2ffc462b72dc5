"""What the leaderboard page of many runs costs, with every run verified: time, memory, sizes of pages, first view.

    python benchmarks/leaderboard.py --records 300 20000 --work /tmp/board

makes a dataset folder of invented rows of all ten published sources (65 tasks), as many runs of made-up models on their
tasks and modalities (true values with noise on them, each with a record and a predictions file of its own), and then
runs ``llm4mat-bench leaderboard`` on them in a process of its own, twice: the second time into the same folder. Where
there is a Chromium, it opens the first page and the largest ones, and says how long until each had loaded.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from synthetic import rows as invented
from synthetic import write_source

from llm4mat_bench.dataset_builder.catalogue import MODALITIES, Modality, Source, get_task, list_sources
from llm4mat_bench.dataset_builder.dataset_folder.features import dataset_schema

KINDS = ("finetuned", "prompted", "gnn", "classical", "other")


class Wanted(NamedTuple):
    """A run to be made."""

    model: int
    modality: Modality
    task: str


def make_data(folder: Path, test_rows: int) -> None:
    """Write invented rows of all sources: twice as many training rows as test rows."""
    if not (folder / "data").exists():
        for number, source in enumerate(list_sources()):
            _write_source(folder, source, test_rows, number)


def _write_source(folder: Path, source: Source, test_rows: int, seed: int) -> None:
    sizes = {"train": 2 * test_rows, "validation": max(test_rows // 4, 1), "test": test_rows}
    schema, random = dataset_schema(source), np.random.default_rng(seed)
    formulas = [row[1] for row in invented(min(sum(sizes.values()), 4000), seed)]
    classes = {prop.name for prop in source.properties if prop.classes}
    splits, start = {}, 0
    for split, size in sizes.items():
        numbers = range(start, start + size)
        start += size
        columns = {
            "material_id": [f"{source.id}-{number}" for number in numbers],
            "composition": [formulas[number % len(formulas)] for number in numbers],
            "cif": [f"data_{source.id}_{number}" for number in numbers],
            "description": [f"Crystal {number} of {source.id}." for number in numbers],
        }
        table = pa.table(
            [
                pa.array(
                    columns[field.name]
                    if field.name in columns
                    else random.integers(0, 2, size)
                    if field.name in classes
                    else random.normal(2.0, 1.0, size),
                    field.type,
                )
                for field in schema
            ],
            schema=schema,
        )
        splits[split] = (1, [table])
    write_source(folder, source, splits)


def make_runs(results: Path, data: Path, records: int) -> None:
    """Make so many runs: all tasks in all modalities of one model, then those of the next."""
    tasks = [task.name for source in list_sources() for task in source.tasks]
    every = [
        Wanted(model, modality, task)
        for model, (modality, task) in islice(_numbered(product(MODALITIES, tasks)), records)
    ]
    parts = [[one for one in every if one.task == task] for task in tasks]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        list(pool.map(_make, [(results, data, part) for part in parts if part]))


def _numbered(every: Iterable[tuple[Modality, str]]) -> Iterator[tuple[int, tuple[Modality, str]]]:
    known = list(every)
    for number, one in enumerate(cycle(known)):
        yield number // len(known), one


def _make(part: tuple[Path, Path, list[Wanted]]) -> None:
    from llm4mat_bench.metrics.results.predictions import answer_columns
    from llm4mat_bench.metrics.results.record import ModelIdentity, RunConfig, TrainingProtocol
    from llm4mat_bench.metrics.results.runs import OpenRun, open_run
    from llm4mat_bench.metrics.results.truth import read_data_record, read_truth
    from llm4mat_bench.metrics.studentised import keeping_draws

    results, data, runs = part
    task = get_task(runs[0].task)
    truth = read_truth(task, data)
    of_modality = {modality: read_data_record(task, modality, data) for modality in {one.modality for one in runs}}
    with keeping_draws():
        for one in runs:
            model = ModelIdentity(
                id=f"organisation-{one.model % 17}/model-{one.model}",
                revision="main",
                kind=KINDS[one.model % len(KINDS)],
                pretraining_overlap="unknown",
            )
            settings = {"epochs": 10, "learning_rate": 0.001 * (1 + one.model % 5), "batch_size": 32}
            protocol = TrainingProtocol(settings=settings, seed=0)
            run = open_run(RunConfig.of(task, one.modality, of_modality[one.modality], model, protocol), results)
            if not isinstance(run, OpenRun):
                continue
            random = np.random.default_rng([one.model, MODALITIES.index(one.modality)])
            noise = (0.2 + random.random()) * random.normal(size=len(truth.test_targets))
            answers = truth.test_targets + noise
            if task.kind == "classification":
                answers = 1 / (1 + np.exp(0.5 - answers))
            if one.model % 3 == 0:  # every third model leaves some materials out
                answers[random.random(len(answers)) < 0.02] = np.nan
            with run:
                run.finish(
                    answer_columns(task.kind, truth.test_ids, truth.test_targets, answers),
                    parameters=10**6 * (one.model + 1),
                )


def measure(results: Path, data: Path, out: Path, more: list[str]) -> dict[str, float]:
    """Write the page by the command line, in a process of its own."""
    command = [str(Path(sys.executable).parent / "llm4mat-bench"), "leaderboard", str(results), "--data", str(data)]
    script = (
        "import json, resource, subprocess, sys, time\n"
        "clock = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([time.perf_counter() - clock, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
        "sys.exit(done.returncode and done.stderr + done.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--out", str(out), "--json", *more],
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    seconds, processor, peak = json.loads(done.stdout)
    return {"seconds": seconds, "processor": processor, "peak MiB": peak}


def sizes(out: Path) -> str:
    """How large the pages are."""
    pages = sorted(out.rglob("*.html"), key=lambda path: path.stat().st_size)
    files = [path for path in out.rglob("*") if path.is_file()]
    plots = sum(path.suffix in (".svg", ".png") for path in files)
    total = sum(path.stat().st_size for path in files)
    largest = pages[-1]
    return (
        f"  index.html {(out / 'index.html').stat().st_size / 1e6:.2f} MB; largest page "
        f"{largest.relative_to(out)} {largest.stat().st_size / 1e6:.2f} MB; {len(files):,} files, {plots:,} of them "
        f"plots, {total / 1e6:.0f} MB in all"
    )


def first_views(out: Path, work: Path) -> list[str]:
    """Open pages in Chromium: the time until each had loaded, as the page itself measures it."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "doubles"))
    from chromium import CHROMIUM, browser  # type: ignore[import-not-found]

    if CHROMIUM is None:
        return ["  no Chromium here: first views were not measured"]
    kinds = ("sources", "tasks", "models")
    largest = [max((out / kind).rglob("*.html"), key=lambda path: path.stat().st_size) for kind in kinds]
    said = []
    (work / "chromium").mkdir(exist_ok=True)
    with browser(work / "chromium" / "profile") as started:
        started.open(out / "index.html")  # the first start of all
        for page in (out / "index.html", *largest, out / "compare.html"):
            started.open(page)
            timing = started.run(
                "(t => [t.domContentLoadedEventEnd, t.loadEventEnd])(performance.getEntriesByType('navigation')[0])"
            )
            said.append(f"  {page.relative_to(out)}: text {timing[0]:.0f} ms, loaded {timing[1]:.0f} ms")
        if started.errors or started.failed:
            sys.exit(f"{started.errors} {started.failed}")
    return said


def main() -> None:
    """Make data and runs, write pages, print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[300])
    parser.add_argument("--rows", type=int, default=200, help="rows of each test split")
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs, kept and found again")
    parser.add_argument("options", nargs="*", help="options of `llm4mat-bench leaderboard`, after --")
    given = parser.parse_args()
    data = given.work / f"data-{given.rows}"
    make_data(data, given.rows)
    for records in given.records:
        results, out = given.work / f"results-{given.rows}-{records}", given.work / f"page-{given.rows}-{records}"
        clock = time.perf_counter()
        make_runs(results, data, records)
        made = time.perf_counter() - clock
        print(f"{records:,} runs, test splits of {given.rows:,} rows (made in {made:.0f} s)", flush=True)
        shutil.rmtree(out, ignore_errors=True)  # pictures that lie there are not drawn again
        for again in ("first", "again"):
            found = measure(results, data, out, given.options)
            print(f"  {again}: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()), flush=True)
        print(sizes(out), *first_views(out, given.work), sep="\n", flush=True)


if __name__ == "__main__":
    main()
