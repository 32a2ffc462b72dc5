"""How fast, and in how much memory, a task is loaded, beside ``datasets.load_dataset`` on the same folder.

    python benchmarks/load.py --rows 10000 100000 --scratch /tmp/bench
    python benchmarks/load.py --rows 1000000 --modalities composition --train --verify 100 --scratch /tmp/bench

Writes a dataset folder of synthetic ``mp`` rows with published text lengths (see ``synthetic.py``), then runs each
measurement in a process of its own, with a cache of its own:

- ``load_dataset``: the peer, ``load_dataset(folder, "mp-MODALITY")``;
- ``load_task``: the first time, when the texts are unpacked; ``again``: from the cache;
- ``read all``: ``again``, and then every text of the training split is looked at, in batches;
- ``stream``: all rows with ``streaming=True``;
- ``read_labels``: ids and targets only;
- ``identity``: the task's hashes from the build report; ``hash texts``: without one, in MB of text a second;
- ``train``: ``llm4mat-bench train`` of ``composition_gbm`` (compositions) and of ``dummy`` (descriptions);
- ``train llmprop``: one epoch on 16 tokens of each description, of the T5 that ``--llmprop`` names
  (``scripts/make_small_t5.py`` makes one);
- ``verify``: ``llm4mat-bench verify`` of so many runs of ``dummy``.

``peak_mb`` is the peak of resident memory. Mapped pages of files count in it as long as the system leaves them there;
``anon_mb`` is the peak of what they are not (RssAnon, sampled every 20 ms). ``libraries`` is the peak of a process that
only imports; seconds are without the imports, but for ``train`` and ``verify``. ``s_ratio`` and ``cpu_ratio`` are over
those of ``load_dataset``. The scratch folder needs about 25 KB a row: 25 GB for a million rows.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from synthetic import HEADER, rows, write_source

from llm4mat_bench.dataset_builder.catalogue import MODALITIES, get_source
from llm4mat_bench.dataset_builder.dataset_folder.features import dataset_schema
from llm4mat_bench.dataset_builder.splits import split_sizes

SHARD_ROWS = 20_000
IMPORTS = """
import sys, time, datasets, pyarrow.compute, pyarrow.parquet
import llm4mat_bench.dataset_builder.dataset_folder as f
wall, cpu = time.perf_counter(), time.process_time()
"""
TIMES = "\nprint(time.perf_counter() - wall, time.process_time() - cpu, file=sys.stderr)\n"
STEPS = {
    "libraries": "",
    "load_dataset": "datasets.load_dataset(sys.argv[1], 'mp-' + sys.argv[2])",
    "load_task": "f.load_task('mp/band_gap', sys.argv[2], sys.argv[1])",
    "again": "f.load_task('mp/band_gap', sys.argv[2], sys.argv[1])",
    "read all": """
train = f.load_task('mp/band_gap', sys.argv[2], sys.argv[1])['train']
print(sum(pyarrow.compute.sum(pyarrow.compute.utf8_length(batch['text'])).as_py() or 0
          for batch in train.with_format('arrow').iter(1000)))""",
    "stream": """
for rows in f.load_task('mp/band_gap', sys.argv[2], sys.argv[1], streaming=True).values():
    print(sum(1 for _ in rows))""",
    "read_labels": "f.read_labels('mp/band_gap', sys.argv[1]).sha256",
    "identity": "print(f.task_identity('mp/band_gap', sys.argv[2], sys.argv[1]).sha256)",
    "hash texts": """
from llm4mat_bench.dataset_builder.dataset_folder.identity import split_texts_sha256
for one in f.open_dataset_folder(__import__('pathlib').Path(sys.argv[1])).sources['mp'].shards.values():
    split_texts_sha256(one, (sys.argv[2],))""",
    "hash mapped": """
from llm4mat_bench.dataset_builder.dataset_folder.hashing import TextColumnHash
for rows in f.load_task('mp/band_gap', sys.argv[2], sys.argv[1]).values():
    TextColumnHash().update(rows.data['material_id'])
    TextColumnHash().update(rows.data['text'])""",
}
RUNS = """
from pathlib import Path
from llm4mat_bench import get_task
from llm4mat_bench.baselines import registry, run
for seed in range(int(sys.argv[4])):
    run.train_baseline(registry.get_baseline('dummy'), get_task('mp/band_gap'), 'composition', Path(sys.argv[3]),
                       seed=seed, data=sys.argv[1])
"""


def write_folder(folder: Path, count: int) -> dict[str, int]:
    """Write a dataset folder of synthetic rows of ``mp``, with its report; returns the bytes of each text column."""
    source = get_source("mp")
    schema = dataset_schema(source)
    column = {"material_id": 0, "composition": HEADER.index("formula_pretty"), "cif": HEADER.index("cif_structure")}
    column |= {"description": HEADER.index("description")}
    column |= {prop.name: HEADER.index(prop.published_column) for prop in source.properties}
    classes = {prop.name for prop in source.properties if prop.classes}
    some = list(rows(min(count, SHARD_ROWS)))
    arrays = []
    for field in schema:
        cells = [row[column[field.name]] for row in some]
        if field.name in classes:
            arrays.append(pa.array([int(cell == "True") for cell in cells], field.type))
        elif field.type == pa.string():
            arrays.append(pa.array(cells, field.type))
        else:
            arrays.append(pa.array([float(cell) for cell in cells], field.type))
    block = pa.table(arrays, schema=schema)  # comes again in every shard, with other ids
    del some, arrays
    sizes = dict.fromkeys(("material_id", *MODALITIES), 0)
    start = 0

    def tables(wanted: int) -> Iterator[pa.Table]:
        nonlocal start
        for first in range(0, wanted, SHARD_ROWS):
            table = block.slice(0, min(SHARD_ROWS, wanted - first))
            ids = [f"mp-{1_000_000 + start + row}" for row in range(table.num_rows)]
            start += len(ids)
            table = table.set_column(0, schema.field(0), pa.array(ids))
            for name in sizes:
                sizes[name] += pc.sum(pc.binary_length(table[name])).as_py()
            yield table

    wanted = zip(("train", "validation", "test"), split_sizes(count), strict=True)
    write_source(folder, source, {split: (-(-rows // SHARD_ROWS), tables(rows)) for split, rows in wanted})
    return sizes


def measure(command: list[str], cache: Path) -> dict[str, float]:
    """Run a command; returns its wall and CPU time and the peaks of its memory."""
    environment = os.environ | {"HF_DATASETS_CACHE": str(cache), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    peaks = {"VmHWM": 0, "RssAnon": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in status.splitlines():
                name, _, value = line.partition(":")
                if name in peaks:
                    peaks[name] = max(peaks[name], int(value.split()[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, said = process.communicate()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)[:300]} failed: {said[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with suppress(IndexError, ValueError):  # without the imports, where the process says it
        seconds, cpu = map(float, said.splitlines()[-1].split())
    return {"s": seconds, "cpu_s": cpu, "peak_mb": peaks["VmHWM"] / 1024, "anon_mb": peaks["RssAnon"] / 1024}


def in_python(step: str, *arguments: object, cache: Path) -> dict[str, float]:
    """Measure some lines of Python."""
    return measure([sys.executable, "-c", IMPORTS + step + TIMES, *map(str, arguments)], cache)


def show(count: int, modality: str, step: str, found: dict[str, float], **more: float) -> None:
    """Print one measurement as a line of JSON."""
    numbers = {name: round(value, 2) for name, value in found.items()}
    print(json.dumps({"rows": count, "modality": modality, "step": step, **numbers, **more}), flush=True)


def of_modality(folder: Path, modality: str, count: int, scratch: Path, only: list[str] | None) -> None:
    """All measurements of one modality, one after the other, then its cache goes."""
    base, peer = in_python("", cache=scratch), None
    sizes = json.loads((scratch / "sizes.json").read_text())
    for step, lines in STEPS.items():
        if only and step not in (*only, "libraries", "load_task"):
            continue
        theirs = step == "load_dataset"
        found = in_python(lines, folder, modality, cache=scratch / ("theirs" if theirs else "ours"))
        more: dict[str, float] = {"over_libraries_mb": round(found["anon_mb"] - base["anon_mb"], 1)}
        if theirs:
            peer = found
            shutil.rmtree(scratch / "theirs", ignore_errors=True)
        elif peer is not None and step in ("load_task", "again"):
            more |= {"s_ratio": round(found["s"] / peer["s"], 3), "cpu_ratio": round(found["cpu_s"] / peer["cpu_s"], 3)}
        elif step.startswith("hash"):
            more["mb_per_cpu_s"] = round((sizes["material_id"] + sizes[modality]) / 1e6 / found["cpu_s"])
        show(count, modality, step, found, **more)
    shutil.rmtree(scratch / "ours", ignore_errors=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000])
    parser.add_argument("--modalities", nargs="*", choices=MODALITIES, default=list(MODALITIES))
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), help="only these (and load_task)")
    parser.add_argument("--train", action="store_true", help="train composition_gbm as well")
    parser.add_argument("--llmprop", type=Path, metavar="FOLDER", help="train this T5 on descriptions as well")
    parser.add_argument("--verify", type=int, default=0, metavar="RUNS", help="verify so many runs as well")
    parser.add_argument("--scratch", type=Path, required=True)
    chosen = parser.parse_args()
    for count in chosen.rows:
        scratch = chosen.scratch / f"load-{count}"
        folder = scratch / "folder"
        if not (folder / "build_report.json").exists():
            start = time.perf_counter()
            sizes = write_folder(folder, count)
            (scratch / "sizes.json").write_text(json.dumps(sizes))
            print(
                f"{count:,} rows, {sum(sizes.values()) / 1e6:,.0f} MB of text, in {time.perf_counter() - start:.0f} s"
            )
        for modality in chosen.modalities:
            of_modality(folder, modality, count, scratch, chosen.steps)
        program = [sys.executable, "-m", "llm4mat_bench.cli"]
        if chosen.train:
            for model, modality in (("composition_gbm", "composition"), ("dummy", "description")):
                command = ["train", model, "mp/band_gap", "-m", modality, "--data", str(folder)]
                found = measure([*program, *command, "--out", str(scratch / "results")], scratch / "ours")
                show(count, modality, f"train {model}", found)
        if chosen.llmprop:
            settings = ["--set", "epochs=1", "--set", "max_length=16", "--set", "dropout=0.1"]
            command = ["train", "llmprop", "mp/band_gap", "-m", "description", "--data", str(folder), *settings]
            command += ["--model-id", str(chosen.llmprop), "--out", str(scratch / "results")]
            show(count, "description", "train llmprop", measure([*program, *command], scratch / "ours"))
        if chosen.verify:
            results = scratch / "dummies"
            in_python(RUNS, folder, "", results, chosen.verify, cache=scratch / "ours")
            command = ["verify", str(results), "--data", str(folder)]
            for runs in (1, chosen.verify):
                place = results if runs > 1 else next(results.rglob("result.json")).parent
                command[1] = str(place)
                show(count, "composition", f"verify {runs}", measure([*program, *command], scratch / "ours"))
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
