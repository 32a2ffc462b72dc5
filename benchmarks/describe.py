"""How much faster the descriptions are than those of an untouched Robocrystallographer, and whether they are the same.

    python benchmarks/describe.py                         # 20 published structures, or stored ones where these are
    absent python benchmarks/describe.py --structures FOLDER     # every .cif in a folder python
    benchmarks/describe.py --json result.json

Both run in one process on the same structures, in turn. Upstream is a fresh `StructureCondenser()` and
`StructureDescriber()` for all structures, as its users have it; nothing in it is replaced. Processor time of this
process is what is compared, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import ast
import cProfile
import csv
import json
import platform
import pstats
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from llm4mat_bench.cli.progress import show_progress
from llm4mat_bench.files import write_json
from llm4mat_bench.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data" / "mp_sample"
CORPUS = ROOT / "tests" / "data" / "description_corpus.parquet"


def structures(folder: Path | None, number: int) -> Iterator[tuple[str, Any]]:
    """Names and structures: those of a folder, the published sample, or the larger stored Materials Project ones."""
    from pymatgen.core import Structure

    if folder is not None:
        for path in sorted(folder.glob("*.cif")):
            yield path.stem, Structure.from_file(path)
    elif SHARED.exists():
        csv.field_size_limit(10**9)
        for name in ("train", "validation"):
            with (SHARED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield row["material_id"], Structure.from_dict(ast.literal_eval(row["structure"]))
    else:
        import pyarrow.parquet as pq

        rows = [row for row in pq.read_table(CORPUS).to_pylist() if row["category"] == "materials project"]
        rows.sort(key=lambda row: -row["sites"])
        for row in rows[:number]:
            yield row["name"].split(":")[-1], Structure.from_dict(json.loads(row["structure"]))


def timed(function: Callable[[Any], str], structure: Any) -> tuple[str, float]:  # noqa: ANN401
    """The text, and the processor time in seconds."""
    start = time.process_time()
    text = function(structure)
    return text, time.process_time() - start


def measure(chosen: list[tuple[str, Any]], repeats: int, progress: Progress) -> list[dict[str, Any]]:
    """Describe every structure both ways."""
    from robocrys import StructureCondenser, StructureDescriber

    from llm4mat_bench.dataset_builder.descriptions import describe, prepare
    from llm4mat_bench.dataset_builder.descriptions.style import settle

    condenser, describer = StructureCondenser(), StructureDescriber()

    def upstream(structure: Any) -> str:  # noqa: ANN401
        return str(describer.describe(condenser.condense_structure(structure)))

    def fast(structure: Any) -> str:  # noqa: ANN401
        return describe(structure, style="upstream")

    prepare()
    upstream(chosen[0][1])  # the first call of either pays for tables and caches
    fast(chosen[0][1])
    rows = []
    for done, (name, structure) in enumerate(chosen):
        progress("describing", done, len(chosen))
        runs = [timed(fast, structure) for _ in range(repeats)]
        expected, slow = timed(upstream, structure)
        quick = min(seconds for _, seconds in runs)
        same = runs[0][0] == settle(expected)
        rows.append(
            {
                "name": name,
                "sites": len(structure),
                "upstream": slow,
                "fast": quick,
                "ratio": slow / quick,
                "same": same,
            }
        )
    return rows


def profile(chosen: list[tuple[str, Any]]) -> None:
    """Print where the processor time of the fast way goes."""
    from llm4mat_bench.dataset_builder.descriptions import describe, prepare

    prepare()
    for _, structure in chosen:
        describe(structure)
    profiler = cProfile.Profile(time.process_time)
    with profiler:
        for _, structure in chosen:
            describe(structure)
    pstats.Stats(profiler).strip_dirs().sort_stats("cumulative").print_stats(40)


def show(rows: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print a table."""
    table = Table("Structure", "Sites", "Upstream, s", "Fast, s", "Ratio", "Same text")
    for column in table.columns[1:5]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            row["name"], str(row["sites"]), f"{row['upstream']:.2f}", f"{row['fast']:.3f}", f"{row['ratio']:.0f}",
            "yes" if row["same"] else "[red]no[/]",
        )  # fmt: skip
    table.add_section()
    table.add_row(
        "total", "", f"{summary['upstream']:.2f}", f"{summary['fast']:.3f}", f"{summary['total_ratio']:.0f}",
        f"{summary['same']} of {len(rows)}",
    )  # fmt: skip
    table.add_row("median", "", "", "", f"{summary['median_ratio']:.0f}", "")
    Console().print(table)


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=Path, help="a folder of CIFs")
    parser.add_argument("--number", type=int, default=20, help="structures at most")
    parser.add_argument("--repeats", type=int, default=3, help="runs of the fast way, of which the best counts")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--profile", action="store_true", help="only show where the time of the fast way goes")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = list(structures(arguments.structures, arguments.number))[: arguments.number]
    if not chosen:
        parser.error(f"no structures in {arguments.structures}")
    if arguments.profile:
        profile(chosen)
        return
    with show_progress() as progress:
        rows = measure(chosen, arguments.repeats, progress)
    upstream, fast = sum(row["upstream"] for row in rows), sum(row["fast"] for row in rows)
    summary = {
        "upstream": upstream,
        "fast": fast,
        "total_ratio": upstream / fast,
        "median_ratio": statistics.median(row["ratio"] for row in rows),
        "same": sum(row["same"] for row in rows),
        "structures": len(rows),
    }
    show(rows, summary)
    if arguments.json:
        packages = {name: version(name) for name in ("robocrys", "pymatgen-core", "matminer", "numpy", "scipy")}
        machine = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        write_json(arguments.json, {"summary": summary, "rows": rows, "versions": packages | machine})


if __name__ == "__main__":
    main()
