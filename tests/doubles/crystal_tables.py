"""Made-up crystals in the layout of a built dataset, for the tests of checks and statistics."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SHARED_SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mp_sample"
MASSES = {"Na": 22.98976928, "Cl": 35.453, "Mg": 24.305, "O": 15.9994, "Fe": 55.845, "Ti": 47.867, "S": 32.065}
PROPERTIES = ("formation_energy_per_atom", "energy_above_hull", "energy_per_atom", "band_gap", "efermi")
PROPERTIES += ("density", "density_atomic", "volume")


def crystals(count: int, seed: int = 0) -> dict[str, list]:
    """Made-up crystals: texts, and under names beginning with _ what they are made of."""
    rng = np.random.default_rng(seed)
    table: dict[str, list] = {
        key: [] for key in ("material_id", "composition", "cif", "description", "_volume", "_atoms", "_mass", "_angle")
    }
    for row in range(count):
        symbols = rng.choice(list(MASSES), size=2, replace=False)
        amounts = rng.integers(1, 9, size=2)
        lengths = rng.uniform(3, 15, size=3).round(8)
        angles = rng.uniform(70, 110, size=3).round(8)
        cos = np.cos(np.radians(angles))
        volume = float(np.prod(lengths) * np.sqrt(1 - cos @ cos + 2 * np.prod(cos)))
        sites = [str(symbol) for symbol, amount in zip(symbols, amounts, strict=True) for _ in range(amount)]
        formula = "".join(f"{symbol}{amount}" for symbol, amount in zip(symbols, amounts, strict=True))
        table["material_id"].append(f"made-{seed}-{row}")
        table["composition"].append(formula)
        table["cif"].append(_cif(formula, lengths, angles, volume, sites, rng))
        bonds = rng.uniform(1.8, 3.2, size=3)
        angle = float(rng.uniform(5, 85))
        table["description"].append(
            f"{formula} crystallizes in the triclinic P-1 space group. {symbols[0]}(1) is bonded to "
            f"{amounts[1]} {symbols[1]}(1) atoms. The {symbols[0]}(1)–{symbols[1]}(1) bond length is {bonds[0]:.2f} Å. "
            f"There is one shorter ({bonds[1]:.2f} Å) and one longer ({bonds[2]:.2f} Å) bond length. "
            f"The corner-sharing octahedral tilt angle is {angle:.2f}°."
        )
        table["_volume"].append(volume)
        table["_atoms"].append(len(sites))
        table["_mass"].append(sum(MASSES[symbol] for symbol in sites))
        table["_angle"].append(round(angle, 2))
    return table


def _cif(formula: str, lengths, angles, volume: float, sites: list[str], rng) -> str:
    lines = ["# generated for a test", f"data_{formula}", "_symmetry_space_group_name_H-M   'P 1'"]
    lines += [f"_cell_length_{name}   {value:.8f}" for name, value in zip("abc", lengths, strict=True)]
    lines += [
        f"_cell_angle_{name}   {value:.8f}" for name, value in zip(("alpha", "beta", "gamma"), angles, strict=True)
    ]
    lines += [f"_cell_volume   {volume:.8f}", "loop_", " _atom_site_type_symbol", " _atom_site_label"]
    lines += [f" _atom_site_{name}" for name in ("symmetry_multiplicity", "fract_x", "fract_y", "fract_z", "occupancy")]
    for number, symbol in enumerate(sites):
        x, y, z = rng.uniform(0, 1, size=3)
        lines.append(f"  {symbol}  {symbol}{number}  1  {x:.8f}  {y:.8f}  {z:.8f}  1")
    return "\n".join(lines) + "\n"


def write_folder(path: Path, source: str, splits: dict[str, dict[str, list]], shards: int = 1) -> Path:
    """Write tables, by split, as a built dataset folder; columns whose names begin with _ are left out."""
    folder = path / "data" / source
    folder.mkdir(parents=True, exist_ok=True)
    for split, columns in splits.items():
        table = pa.table({name: values for name, values in columns.items() if not name.startswith("_")})
        bounds = np.linspace(0, table.num_rows, shards + 1).astype(int)
        for shard in range(shards):
            name = f"{split}-{shard:05d}-of-{shards:05d}.parquet"
            pq.write_table(table.slice(bounds[shard], bounds[shard + 1] - bounds[shard]), folder / name)
    return path


def split_rows(columns: dict[str, list], test: float = 0.2) -> dict[str, dict[str, list]]:
    """Cut a table into train, validation and test."""
    count = len(columns["material_id"])
    first, second = int(count * (1 - test)), int(count * (1 - test / 2))
    bounds = {"train": (0, first), "validation": (first, second), "test": (second, count)}
    return {
        split: {name: values[low:high] for name, values in columns.items()} for split, (low, high) in bounds.items()
    }


def real_rows() -> dict[str, dict[str, list]]:
    """Twenty published rows of the Materials Project, if they are at hand."""
    if not SHARED_SAMPLE.is_dir():
        pytest.skip("the shared sample of published rows is not here")
    csv.field_size_limit(10**9)
    splits = {}
    for split in ("train", "validation"):
        with (SHARED_SAMPLE / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns: dict[str, list] = {
            "material_id": [row["material_id"] for row in rows],
            "composition": [row["formula_pretty"] for row in rows],
            "cif": [row["cif_structure"] for row in rows],
            "description": [row["description"] for row in rows],
        }
        for name in PROPERTIES:
            columns[name] = [float(row[name]) if row[name] else None for row in rows]
        for name in ("is_stable", "is_gap_direct"):
            columns[name] = [row[name] == "True" for row in rows]
        splits[split] = columns
    return splits
