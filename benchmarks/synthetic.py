"""Synthetic published CSVs: the published layout and text lengths, invented crystals.

    python benchmarks/synthetic.py --rows 10000 --out /tmp/published

writes ``mp/{train,validation,test}.csv`` with the columns of the published Materials Project files. Formula, structure
dict, CIF and volume of a row agree with one another, so that cleaning does the work it does on real rows. Mean lengths
follow the published word counts (CIF 311 words, description 1,566 words a row).
"""

import argparse
import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from llm4mat_bench.dataset_builder.catalogue import MODALITIES, Source
from llm4mat_bench.dataset_builder.cleaning import policy
from llm4mat_bench.dataset_builder.dataset_folder.identity import split_texts_sha256
from llm4mat_bench.dataset_builder.dataset_folder.layout import shard_path
from llm4mat_bench.dataset_builder.dataset_folder.parquet import describe_shard, write_shard
from llm4mat_bench.dataset_builder.dataset_folder.publish import publish_source, work_folder
from llm4mat_bench.dataset_builder.dataset_folder.report import SourceReport, SplitReport
from llm4mat_bench.dataset_builder.splits import ids_sha256

HEADER = [
    "material_id",
    "formula_pretty",
    "structure",
    "description",
    "formation_energy_per_atom",
    "energy_above_hull",
    "energy_per_atom",
    "is_stable",
    "band_gap",
    "efermi",
    "density",
    "density_atomic",
    "volume",
    "is_gap_direct",
    "cif_structure",
]
# By rising electronegativity, the order in which formulas are written.
ELEMENTS = ["Cs", "K", "Na", "Li", "Ba", "Ca", "La", "Mg", "Y", "Zr", "Al", "Ti", "Mn", "Zn", "Fe", "Ni",
            "Cu", "Si", "Sb", "As", "P", "Te", "Se", "C", "S", "I", "Br", "N", "Cl", "O", "F"]  # fmt: skip
WEIGHTS = np.array([133, 39, 23, 7, 137, 40, 139, 24, 89, 91, 27, 48, 55, 65, 56, 59, 64, 28, 122, 75, 31, 128, 79, 12,
                    32, 127, 80, 14, 35, 16, 19], dtype=float)  # fmt: skip
GEOMETRIES = ("octahedral", "tetrahedral", "trigonal planar", "distorted bent 120 degrees", "6-coordinate", "linear")


POOL = 4_000


def rows(count: int, seed: int = 0) -> Iterator[list[str]]:
    """Yield rows of the published layout.

    After `POOL` rows the crystals come again with another id, another first edge and another first bond length: no two
    texts are equal, repeats lie farther apart than a compressor looks, and a row takes microseconds.
    """
    cif, description = HEADER.index("cif_structure"), HEADER.index("description")
    pool = []
    for row in _invented(min(count, POOL), seed):
        pool.append(row)
        yield row
    for index in range(POOL, count):
        row = pool[index % POOL].copy()
        row[0] = f"mp-{1_000_000 + index}"
        row[cif] = row[cif].replace("_cell_length_a   ", f"_cell_length_a   {index // POOL}", 1)
        row[description] = row[description].replace("shorter (", f"shorter ({index // POOL}", 1)
        yield row


def _invented(count: int, seed: int) -> Iterator[list[str]]:
    rng = np.random.default_rng(seed)
    for index in range(count):
        kinds = np.sort(rng.choice(len(ELEMENTS), size=rng.integers(2, 5), replace=False))
        units = rng.integers(1, 5, size=len(kinds))
        units //= math.gcd(*units.tolist())
        z = int(max(1, round(rng.lognormal(1.1, 0.6) * 11 / units.sum())))
        symbols = [ELEMENTS[k] for k, n in zip(kinds, units, strict=True) for _ in range(n * z)]
        formula = "".join(ELEMENTS[k] + (str(n) if n > 1 else "") for k, n in zip(kinds, units, strict=True))
        fractions = rng.random((len(symbols), 3)).round(8)
        edges = (rng.uniform(0.9, 1.1, 3) * (len(symbols) * 15.0) ** (1 / 3)).round(6)
        volume = float(edges.prod())
        mass = float((WEIGHTS[kinds] * units).sum() * z)
        numbers = rng.normal(size=4)
        yield [
            f"mp-{1_000_000 + index}",
            formula,
            _structure(symbols, fractions, edges, volume),
            _description(rng, formula, symbols),
            repr(float(-abs(numbers[0]))),
            repr(float(abs(numbers[1]) * 0.1)),
            repr(float(-6 + numbers[0])),
            str(bool(numbers[1] > 1.0)),
            repr(float(max(0.0, numbers[2]))),
            repr(float(3 + numbers[3])),
            repr(mass / volume * 1.66053906660),
            repr(volume / len(symbols)),
            repr(volume),
            str(bool(numbers[2] > 0.8)),
            _cif(formula, kinds, units, z, symbols, fractions, edges, volume),
        ]


def _structure(symbols: list[str], fractions: np.ndarray, edges: np.ndarray, volume: float) -> str:
    sites = [
        {
            "species": [{"element": symbol, "occu": 1}],
            "abc": place,
            "xyz": (np.array(place) * edges).tolist(),
            "label": symbol,
            "properties": {"magmom": 0.0},
        }
        for symbol, place in zip(symbols, fractions.tolist(), strict=True)
    ]
    lattice = {
        "matrix": np.diag(edges).tolist(),
        "pbc": [True, True, True],
        **dict(zip("abc", edges.tolist(), strict=True)),
        **{"alpha": 90.0, "beta": 90.0, "gamma": 90.0, "volume": volume},
    }
    head = {"@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0}
    return str({**head, "lattice": lattice, "sites": sites})


def _cif(
    formula: str,
    kinds: np.ndarray,
    units: np.ndarray,
    z: int,
    symbols: list[str],
    fractions: np.ndarray,
    edges: np.ndarray,
    volume: float,
) -> str:
    total = " ".join(f"{ELEMENTS[k]}{n * z}" for k, n in zip(kinds, units, strict=True))
    head = [
        "# generated using pymatgen",
        f"data_{formula}",
        "_symmetry_space_group_name_H-M   'P 1'",
        *(f"_cell_length_{axis}   {edge:.8f}" for axis, edge in zip("abc", edges, strict=True)),
        *(f"_cell_angle_{angle}   90.00000000" for angle in ("alpha", "beta", "gamma")),
        "_symmetry_Int_Tables_number   1",
        f"_chemical_formula_structural   {formula}",
        f"_chemical_formula_sum   '{total}'",
        f"_cell_volume   {volume:.8f}",
        f"_cell_formula_units_Z   {z}",
        "loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'",
        "loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n _atom_site_fract_x\n"
        " _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy",
    ]
    sites = [
        f"  {symbol}  {symbol}{i}  1  {x:.8f}  {y:.8f}  {z_:.8f}  1"
        for i, (symbol, (x, y, z_)) in enumerate(zip(symbols, fractions.tolist(), strict=True))
    ]
    return "\n".join([*head, *sites]) + "\n"


def _description(rng: np.random.Generator, formula: str, symbols: list[str]) -> str:
    sentences = [f"{formula} crystallizes in the triclinic P1 space group."]
    words = int(rng.lognormal(7.0, 0.8))
    picks = rng.integers(0, len(symbols), size=(words // 27 + 1, 3)).tolist()
    lengths = rng.uniform(1.5, 3.2, size=(words // 27 + 1, 2)).tolist()
    for site, ((a, b, geometry), (short, long)) in enumerate(zip(picks, lengths, strict=True)):
        one, other = f"{symbols[a]}({site})", f"{symbols[b]}({b})"
        sentences.append(
            f"{one} is bonded in a {GEOMETRIES[geometry % 6]} geometry to two equivalent {other} atoms. There is one "
            f"shorter ({short:.2f} Å) and one longer ({long:.2f} Å) {one}–{other} bond length."
        )
    return " ".join(sentences)


def write_published(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write ``count`` rows as the three CSVs of one source; returns their paths."""
    held_out = -(-count // 5)
    test = -(-held_out // 2)
    sizes = {"train": count - held_out, "validation": held_out - test, "test": test}
    folder.mkdir(parents=True, exist_ok=True)
    every = rows(count, seed)
    paths = []
    for split, size in sizes.items():
        path = folder / f"{split}.csv"
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(HEADER)
            for _ in range(size):
                writer.writerow(next(every))
        paths.append(path)
    return paths


def write_source(folder: Path, source: Source, splits: Mapping[str, tuple[int, Iterable[pa.Table]]]) -> None:
    """Write a source of a dataset folder as a build would, with its report.

    Args:
        folder: The dataset folder.
        source: The source.
        splits: By split, the number of its shards and their tables, which are taken one at a time.
    """
    staged = work_folder(folder, source.id)
    shards, reports = [], {}
    for split, (number, tables) in splits.items():
        ids: list[str] = []
        files = []
        for index, table in enumerate(tables):
            files.append(staged / shard_path(source.id, split, index, number))
            write_shard(table, files[-1])
            shards.append(describe_shard(files[-1], staged))
            ids += table["material_id"].to_pylist()
        reports[split] = SplitReport(
            expected=None,
            read=len(ids),
            written=len(ids),
            distinct_ids=len(ids),
            ids_sha256=ids_sha256(ids),
            texts_sha256=split_texts_sha256(tuple(files), MODALITIES),
        )
    report = SourceReport(
        declaration=source,
        reader="synthetic",
        splits_from="seeded",
        policy="mark",
        cleaning_version=policy.VERSION,
        splits=reports,
        shards=tuple(shards),
    )
    publish_source(folder, staged, report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for written in write_published(arguments.out / "mp", arguments.rows, arguments.seed):
        print(written, f"{written.stat().st_size:,} bytes")
