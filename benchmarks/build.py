"""How fast, and in how much memory, published CSVs become a dataset folder, beside ``pandas.read_csv`` on them.

    python benchmarks/build.py --rows 10000 100000 400000 --workers 2 --scratch /tmp/bench

Writes synthetic CSVs in the published layout (see ``synthetic.py``), then runs each measurement in a process of its
own: pandas reading the three files (in chunks of 5,000 rows, so that it needs no more memory than the build), the
build, and the first example out of the built folder (imports aside). ``cpu_ratio`` is CPU time of the build, all
workers together, over that of pandas; ``wall_ratio`` is wall time over wall time. ``peak_mb`` sums the peaks of all
processes of the build.
"""

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

PANDAS = """
import sys, pandas as pd
rows = 0
for name in ("train", "validation", "test"):
    for chunk in pd.read_csv(f"{sys.argv[1]}/mp/{name}.csv", chunksize=5000):
        rows += len(chunk)
print(rows)
"""
FIRST = """
import sys, time, datasets
next(iter(datasets.load_dataset(sys.argv[1], "mp-cif", split="test", streaming=True)))
start = time.perf_counter()
rows = datasets.load_dataset(sys.argv[1], "mp-description", split="train", streaming=True)
first = next(iter(rows))
print(time.perf_counter() - start)
"""


def run(command: list[str]) -> dict[str, float | str]:
    """Run a command; returns wall time, CPU time of it and its children, summed peak memory, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for pid in _family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), _peak_kb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    done.set()
    watcher.join()
    wall = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": sum(peaks.values()) / 1024, "output": output}


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
    return found


def _peak_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def measure(rows: int, workers: int, scratch: Path, strict: bool) -> dict[str, float]:
    """Measure one size."""
    folder = scratch / f"published-{rows}"
    if not (folder / "mp" / "test.csv").exists():
        subprocess.run(
            [sys.executable, str(HERE / "synthetic.py"), "--rows", str(rows), "--out", str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    size = sum(path.stat().st_size for path in folder.rglob("*.csv"))
    out = scratch / f"built-{rows}"
    subprocess.run(["rm", "-rf", str(out)], check=True)
    pandas = run([sys.executable, "-c", PANDAS, str(folder)])
    command = [
        str(Path(sys.executable).parent / "llm4mat-bench"),
        "build",
        "mp",
        "--from",
        str(folder),
        "--out",
        str(out),
    ]
    build = run([*command, "--allow-partial", "--workers", str(workers), "--json", *(["--strict"] if strict else [])])
    report = json.loads(str(build["output"]))[0]
    written = sum(split["written"] for split in report["splits"].values())
    first = run([sys.executable, "-c", FIRST, str(out)])
    return {
        "rows": written,
        "csv_mb": round(size / 1e6),
        "workers": workers,
        "pandas_wall_s": round(float(pandas["wall_s"]), 1),
        "pandas_cpu_s": round(float(pandas["cpu_s"]), 1),
        "build_wall_s": round(float(build["wall_s"]), 1),
        "build_cpu_s": round(float(build["cpu_s"]), 1),
        "rows_per_s": round(written / float(build["wall_s"])),
        "wall_ratio": round(float(build["wall_s"]) / float(pandas["wall_s"]), 2),
        "cpu_ratio": round(float(build["cpu_s"]) / float(pandas["cpu_s"]), 2),
        "peak_mb": round(float(build["peak_mb"])),
        "parquet_mb": round(sum(shard["size_bytes"] for shard in report["shards"]) / 1e6),
        "first_example_s": round(float(str(first["output"])), 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 400_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for 25 kB a row")
    arguments = parser.parse_args()
    for count in arguments.rows:
        print(json.dumps(measure(count, arguments.workers, arguments.scratch, arguments.strict)), flush=True)
