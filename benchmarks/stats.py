"""Rows a second and peak memory of `stats` and `check`, beside pandas counting the words of the same files.

    python benchmarks/stats.py --rows 10000 100000

Texts are as long as published: 311 words in a CIF, 1,566 in a description (words stated over rows stated). Every
measure is a process of its own, so that its peak memory is its own. Ratios are of processor time (user and system, all
threads), which other work on the machine disturbs least. Structures are not compared here: their cost is set by
--max-pairs and not by the number of rows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SYMBOLS = ["Na", "Mg", "Al", "Si", "Fe", "Ti", "O", "S", "Cl", "La"]
CHUNK = 5000
PANDAS = """
import sys, pandas as pd
for name in sys.argv[1:]:
    frame = pd.read_parquet(name)
    for column in ("composition", "cif", "description"):
        frame[column].str.split().str.len().sum()
    frame.drop(columns=["material_id", "composition", "cif", "description"]).describe()
"""


def make_table(count: int, first: int) -> pa.Table:
    """Make crystals with texts of the published mean lengths; lengths spread as a gamma distribution."""
    rng = np.random.default_rng(first)
    volume = rng.uniform(50, 900, count)
    sites = np.maximum(1, rng.gamma(2.0, 18.0, count)).astype(int)
    coordinates = rng.uniform(0, 1, (int(sites.sum()), 3)).round(8).astype(str)
    columns: dict[str, list[object]] = {name: [] for name in ("material_id", "composition", "cif", "description")}
    start = 0
    for row in range(count):
        one, other = rng.choice(SYMBOLS, 2, replace=False)
        formula = f"{one}{rng.integers(1, 9)}{other}{rng.integers(1, 9)}"
        here = coordinates[start : start + sites[row]]
        start += sites[row]
        lines = [f"  {one}  {one}{place}  1  {x}  {y}  {z}  1" for place, (x, y, z) in enumerate(here)]
        header = (
            f"# generated\ndata_{formula}\n_symmetry_space_group_name_H-M   'P 1'\n_cell_length_a   5.1\n"
            f"_cell_length_b   6.2\n_cell_length_c   7.3\n_cell_angle_alpha   90\n_cell_angle_beta   90\n"
            f"_cell_angle_gamma   90\n_chemical_formula_structural   {formula}\n_cell_volume   {volume[row]:.8f}\n"
            "loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n"
            " _atom_site_fract_x\n"
            " _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy\n"
        )
        bonds = rng.uniform(1.6, 3.2, max(1, int(rng.gamma(2.0, 98.0)))).round(2).astype(str)
        columns["material_id"].append(f"made-{first + row}")
        columns["composition"].append(formula)
        columns["cif"].append(header + "\n".join(lines) + "\n")
        columns["description"].append(" ".join(f"The {one}(1)–{other}(1) bond length is {bond} Å." for bond in bonds))
    return pa.table(
        {
            **columns,
            "volume": volume,
            "band_gap": np.where(rng.uniform(size=count) < 0.5, 0.0, rng.gamma(2, 1, count)),
            "is_stable": rng.uniform(size=count) < 0.3,
        }
    )


def make_folder(folder: Path, rows: int) -> None:
    """Write a dataset folder of that many rows, row groups of a chunk each."""
    data = folder / "data" / "made"
    data.mkdir(parents=True)
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        path = data / f"{split}-00000-of-00001.parquet"
        offset = {"train": 0, "validation": 10**7, "test": 2 * 10**7}[split]
        writer = None
        for first in range(0, int(rows * share), CHUNK):
            table = make_table(min(CHUNK, int(rows * share) - first), offset + first)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
        assert writer is not None
        writer.close()


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, processor seconds and peak memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Measure every size and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--make", type=Path, help="only make the folder")
    options = parser.parse_args()
    if options.make:
        make_folder(options.make, options.rows[0])
        return
    program = [sys.executable, "-m", "llm4mat_bench.cli"]
    results = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "set"
            # Made by another process: a child's peak memory counts what its parent had when it was born.
            subprocess.run([sys.executable, __file__, "--make", str(folder), "--rows", str(rows)], check=True)
            paths = [str(path) for path in sorted(folder.rglob("*.parquet"))]
            size = sum(Path(path).stat().st_size for path in paths) / 1e6
            commands = {
                "pandas": [sys.executable, "-c", PANDAS, *paths],
                "stats": [*program, "stats", str(folder)],
                "check": [*program, "check", str(folder), "--no-structures"],
            }
            seconds = {}
            for name, command in commands.items():
                wall, seconds[name], memory = measure(command)
                results.append(
                    {
                        "rows": rows,
                        "file_mb": round(size),
                        "what": name,
                        "wall_s": round(wall, 1),
                        "cpu_s": round(seconds[name], 1),
                        "rows_per_cpu_s": round(rows / seconds[name]),
                        "peak_mb": round(memory),
                        "cpu_over_pandas": round(seconds[name] / seconds["pandas"], 2),
                    }
                )
                if not options.json:
                    print("  ".join(f"{key} {value:>8}" for key, value in results[-1].items()), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
