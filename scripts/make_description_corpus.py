"""Make the stored texts that the describer's tests compare with.

Runs an *untouched* Robocrystallographer, with ``PYTHONHASHSEED=0``, over several hundred structures and stores what it
prints (or the error it raises) together with the structures and the versions of the libraries. The texts are raw: the
changes that a style makes are applied by the tests, never here.

    python scripts/make_description_corpus.py matminer-0.3.9.tar.gz

The argument is the source distribution of matminer 0.3.9 (``pip download --no-deps --no-binary :all:
matminer==0.3.9``), whose tables hold Materials Project structures (CC BY 4.0; Jain 2013, Faber 2015, Petousis 2017,
de Jong 2015).

Upstream needs 5 to 20 s for a structure, so the work is done smallest cell first, every result goes to a log at once,
and a second run continues from that log. ``--pack`` only writes the corpus from what the log holds already.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import io
import itertools
import json
import os
import platform
import random
import signal
import sys
import tarfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260719
COMMON = {"materials project", "prototype", "perturbed", "decorated", "large cell"}
# found with scripts/describe_under_kernels.py
TIED = {
    862, 2157, 3545, 6964, 7148, 7851, 8490, 10659, 11698, 13138, 13456, 18645, 19124, 19989, 20883, 21187,
    22211, 30418, 30798, 31496, 37879, 510052, 541066, 555480, 568607, 570138, 570141, 570441, 640899, 697096,
}  # fmt: skip


def _exact(structure: Any) -> str:  # noqa: ANN401
    """A structure as compact JSON that gives back the very same numbers."""
    data = structure.as_dict(verbosity=0)
    for site in data["sites"]:
        for key in ("xyz", "label"):
            site.pop(key, None)
        if not site.get("properties"):
            site.pop("properties", None)
    for key in ("@module", "@class", "@version", "properties"):
        if not data.get(key) or key.startswith("@"):
            data.pop(key, None)
    data["lattice"] = {"matrix": data["lattice"]["matrix"]}
    return json.dumps(data, separators=(",", ":"))


def _tables(sdist: Path) -> dict[str, Any]:
    import pandas as pd

    names = ("flla_2015", "dielectric_constant", "elastic_tensor", "piezoelectric_tensor")
    found = {}
    with tarfile.open(sdist) as archive:
        for name in names:
            member = archive.extractfile(f"matminer-0.3.9/matminer/datasets/{name}.csv")
            if member is None:
                raise FileNotFoundError(f"{name}.csv is not in {sdist}")
            found[name] = pd.read_csv(io.BytesIO(member.read()), comment="#")
    return found


def _materials_project(sdist: Path) -> Iterator[tuple[str, str, Any]]:
    from pymatgen.core import Structure

    rng = random.Random(SEED)  # noqa: S311 - a reproducible choice, not a secret
    counts = {"flla_2015": 170, "dielectric_constant": 35, "elastic_tensor": 35, "piezoelectric_tensor": 30}
    for name, table in _tables(sdist).items():
        rows = list(range(len(table)))
        rng.shuffle(rows)
        for row in rows[: counts[name]]:
            record = table.iloc[row]
            if name == "flla_2015":
                structure = Structure.from_dict(ast.literal_eval(record["structure"]))
            else:
                structure = Structure.from_str(record["structure"], fmt="cif")
            yield "materials project", f"{name}:{record['material_id']}", structure


def _prototypes() -> Iterator[tuple[str, str, Any]]:
    from robocrys.condense.mineral import load_mineral_db_file

    for index, row in load_mineral_db_file().iterrows():
        yield "prototype", f"aflow:{index}:{row['mineral']}", row["structure"]


def _elements() -> Iterator[tuple[str, str, Any]]:
    from pymatgen.core import Lattice, Structure

    close_packed = {"Cu": 3.61, "Al": 4.05, "Ne": 4.43, "Ar": 5.26, "Kr": 5.72, "Xe": 6.20, "He": 4.24, "Pb": 4.95}
    for element, a in close_packed.items():
        yield "element", f"fcc:{element}", Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [element], [[0, 0, 0]])
    for element, a in {"Fe": 2.87, "W": 3.16, "Na": 4.29, "Cs": 6.14}.items():
        yield "element", f"bcc:{element}", Structure.from_spacegroup("Im-3m", Lattice.cubic(a), [element], [[0, 0, 0]])
    for element, (a, c) in {"Mg": (3.21, 5.21), "Zn": (2.66, 4.95), "Ti": (2.95, 4.68)}.items():
        lattice = Lattice.hexagonal(a, c)
        yield (
            "element",
            f"hcp:{element}",
            Structure(lattice, [element] * 2, [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
        )
    yield "element", "sc:Po", Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]])
    for element in ("H", "He", "C", "Na", "Xe", "U"):
        yield "single atom", f"box:{element}", Structure(Lattice.cubic(12.0), [element], [[0.5, 0.5, 0.5]])
    yield (
        "single atom",
        "triclinic box:O",
        Structure(Lattice.from_parameters(5, 6, 7, 80, 95, 110), ["O"], [[0.1, 0.2, 0.3]]),
    )
    yield "element", "diamond:C", Structure.from_spacegroup("Fd-3m", Lattice.cubic(3.57), ["C"], [[0, 0, 0]])
    yield (
        "element",
        "Se chains",
        Structure.from_spacegroup("P3_121", Lattice.hexagonal(4.37, 4.95), ["Se"], [[0.225, 0, 1 / 3]]),
    )
    yield (
        "element",
        "Te chains",
        Structure.from_spacegroup("P3_121", Lattice.hexagonal(4.46, 5.92), ["Te"], [[0.267, 0, 1 / 3]]),
    )
    yield (
        "element",
        "As sheets",
        Structure.from_spacegroup("R-3m", Lattice.hexagonal(3.76, 10.44), ["As"], [[0, 0, 0.227]]),
    )
    yield (
        "element",
        "Bi sheets",
        Structure.from_spacegroup("R-3m", Lattice.hexagonal(4.55, 11.86), ["Bi"], [[0, 0, 0.234]]),
    )
    yield (
        "element",
        "black P",
        Structure.from_spacegroup("Cmce", Lattice.orthorhombic(3.31, 10.48, 4.38), ["P"], [[0, 0.1017, 0.0806]]),
    )
    yield (
        "element",
        "graphite",
        Structure.from_spacegroup(
            "P6_3/mmc", Lattice.hexagonal(2.46, 6.71), ["C", "C"], [[0, 0, 0.25], [1 / 3, 2 / 3, 0.25]]
        ),
    )
    yield "element", "alpha-N2", Structure.from_spacegroup("Pa-3", Lattice.cubic(5.65), ["N"], [[0.0561] * 3])
    yield (
        "element",
        "I2",
        Structure.from_spacegroup("Cmce", Lattice.orthorhombic(7.14, 4.69, 9.78), ["I"], [[0, 0.1543, 0.1174]]),
    )


def _low_dimensional() -> Iterator[tuple[str, str, Any]]:
    from pymatgen.core import Lattice, Structure

    def group(symbol: str, lattice: Any, species: list[str], coords: list[list[float]]) -> Any:  # noqa: ANN401
        return Structure.from_spacegroup(symbol, lattice, species, coords)

    hexagonal, cubic, tetragonal, orthorhombic = (
        Lattice.hexagonal,
        Lattice.cubic,
        Lattice.tetragonal,
        Lattice.orthorhombic,
    )
    third = 1 / 3
    yield "molecules", "CO2", group("Pa-3", cubic(5.62), ["C", "O"], [[0, 0, 0], [0.1185] * 3])
    yield "molecules", "SF6", group("Im-3m", cubic(5.92), ["S", "F"], [[0, 0, 0], [0.2635, 0, 0]])
    yield "molecules", "UF6-like", group("Im-3m", cubic(6.3), ["U", "F"], [[0, 0, 0], [0.315, 0, 0]])
    yield "molecules", "XeF2", group("I4/mmm", tetragonal(4.32, 6.99), ["Xe", "F"], [[0, 0, 0], [0, 0, 0.2837]])
    yield (
        "molecules",
        "XeF4",
        group(
            "P2_1/c",
            Lattice.monoclinic(5.05, 5.92, 5.77, 99.6),
            ["Xe", "F", "F"],
            [[0, 0, 0], [0.2356, 0.0297, 0.2943], [0.2356, 0.2486, -0.1557]],
        ),
    )
    yield (
        "molecules",
        "HgCl2",
        group(
            "Pnma",
            orthorhombic(12.75, 5.98, 4.33),
            ["Hg", "Cl", "Cl"],
            [[0.126, 0.25, 0.05], [0.255, 0.25, 0.406], [0.496, 0.25, 0.806]],
        ),
    )
    yield "molecules", "methane", group("P-43m", cubic(5.0), ["C", "H"], [[0.5] * 3, [0.626] * 3])
    yield "molecules", "CD4", group("P-43m", cubic(5.0), ["C", "D"], [[0.5] * 3, [0.626] * 3])
    yield (
        "molecules",
        "SnI4",
        group("Pa-3", cubic(12.27), ["Sn", "I", "I"], [[0.129] * 3, [0.2534] * 3, [0.0090, 0.0008, 0.2549]]),
    )
    yield "molecules", "ammonia", group("P2_13", cubic(5.14), ["N", "H"], [[0.2107] * 3, [0.3689, 0.2671, 0.1159]])
    yield (
        "molecules",
        "deuteroammonia",
        group("P2_13", cubic(5.07), ["N", "D"], [[0.2107] * 3, [0.3689, 0.2671, 0.1159]]),
    )
    yield (
        "molecules",
        "two molecules",
        Structure(
            cubic(9.0),
            ["C", "O", "O", "N", "N", "Ar"],
            [
                [0.2, 0.2, 0.2],
                [0.329, 0.2, 0.2],
                [0.071, 0.2, 0.2],
                [0.7, 0.7, 0.64],
                [0.7, 0.7, 0.763],
                [0.2, 0.7, 0.3],
            ],
        ),
    )
    yield (
        "molecules",
        "clathrate",
        Structure.from_spacegroup(
            "Im-3m", cubic(6.8), ["Si", "O", "Xe"], [[0.25, 0, 0.5], [0.25, 0.25, 0.25], [0, 0, 0]]
        ),
    )
    yield (
        "ribbons",
        "SiS2",
        group("Ibam", orthorhombic(9.58, 5.61, 5.55), ["Si", "S"], [[0, 0, 0.25], [0.117, 0.208, 0]]),
    )
    yield (
        "ribbons",
        "BeCl2",
        group("Ibam", orthorhombic(9.86, 5.36, 5.26), ["Be", "Cl"], [[0, 0, 0.25], [0.109, 0.203, 0]]),
    )
    yield (
        "ribbons",
        "PdCl2",
        group("Pnnm", orthorhombic(3.81, 3.34, 11.0), ["Pd", "Cl"], [[0, 0, 0], [0.173, 0.5, 0.132]]),
    )
    yield (
        "ribbons",
        "NbI4-like",
        group("P4/mmm", tetragonal(8.6, 3.9), ["Nb", "I", "I"], [[0, 0, 0], [0.33, 0, 0], [0, 0, 0.5]]),
    )
    yield (
        "ribbons",
        "CuCl2",
        group("C2/m", Lattice.monoclinic(6.9, 3.3, 6.82, 122.2), ["Cu", "Cl"], [[0, 0, 0], [0.5048, 0, 0.2294]]),
    )
    yield (
        "ribbons",
        "TiS3",
        group(
            "P2_1/m",
            Lattice.monoclinic(4.96, 3.4, 8.78, 97.3),
            ["Ti", "S", "S", "S"],
            [[0.285, 0.25, 0.653], [0.473, 0.25, 0.175], [0.881, 0.25, 0.169], [0.764, 0.25, 0.446]],
        ),
    )
    yield (
        "ribbons",
        "K2PtCl4-chain",
        group("P4/mmm", tetragonal(7.0, 4.13), ["Pt", "Cl", "K"], [[0, 0, 0], [0.2324, 0.2324, 0], [0, 0.5, 0.5]]),
    )
    yield (
        "sheets",
        "MoS2",
        group("P6_3/mmc", hexagonal(3.16, 12.29), ["Mo", "S"], [[third, 2 / 3, 0.25], [third, 2 / 3, 0.621]]),
    )
    yield "sheets", "1T-TaS2", group("P-3m1", hexagonal(3.36, 5.9), ["Ta", "S"], [[0, 0, 0], [third, 2 / 3, 0.25]])
    yield (
        "sheets",
        "h-BN",
        group("P6_3/mmc", hexagonal(2.5, 6.66), ["B", "N"], [[third, 2 / 3, 0.25], [third, 2 / 3, 0.75]]),
    )
    yield "sheets", "PbO", group("P4/nmm", tetragonal(3.97, 5.02), ["Pb", "O"], [[0, 0.5, 0.235], [0, 0, 0]])
    yield (
        "sheets",
        "PbFCl",
        group("P4/nmm", tetragonal(4.11, 7.25), ["Pb", "F", "Cl"], [[0, 0.5, 0.205], [0, 0, 0], [0, 0.5, 0.65]]),
    )
    yield "sheets", "BiI3", group("R-3", hexagonal(7.52, 20.7), ["Bi", "I"], [[0, 0, third], [0.3415, 0.3395, 0.0805]])
    yield "sheets", "CrCl3", group("R-3", hexagonal(5.94, 17.3), ["Cr", "Cl"], [[0, 0, third], [0.345, 0.345, 0.08]])
    yield "sheets", "CdCl2", group("R-3m", hexagonal(3.85, 17.46), ["Cd", "Cl"], [[0, 0, 0], [0, 0, 0.25]])
    yield (
        "sheets",
        "GaSe",
        group("P6_3/mmc", hexagonal(3.75, 15.9), ["Ga", "Se"], [[third, 2 / 3, 0.175], [third, 2 / 3, 0.6]]),
    )
    yield (
        "sheets",
        "V2O5",
        group(
            "Pmmn",
            orthorhombic(11.51, 3.56, 4.37),
            ["V", "O", "O", "O"],
            [[0.101, 0.25, 0.892], [0.104, 0.25, 0.531], [0.931, 0.25, 0.003], [0.25, 0.25, 0.001]],
        ),
    )
    yield (
        "sheets",
        "Mg(OD)2",
        group(
            "P-3m1", hexagonal(3.14, 4.77), ["Mg", "O", "D"], [[0, 0, 0], [third, 2 / 3, 0.22], [third, 2 / 3, 0.42]]
        ),
    )
    yield (
        "sheets",
        "LiCoO2",
        group("R-3m", hexagonal(2.82, 14.05), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]),
    )
    yield (
        "sheets",
        "heterostructure",
        Structure(
            hexagonal(3.25, 14.0),
            ["Mo", "S", "S", "W", "Se", "Se"],
            [
                [third, 2 / 3, 0.25],
                [2 / 3, third, 0.365],
                [2 / 3, third, 0.135],
                [2 / 3, third, 0.75],
                [third, 2 / 3, 0.868],
                [third, 2 / 3, 0.632],
            ],
        ),
    )
    yield (
        "sheets",
        "intercalated",
        Structure(
            hexagonal(3.16, 8.8),
            ["Mo", "S", "S", "Ar"],
            [[third, 2 / 3, 0.25], [2 / 3, third, 0.428], [2 / 3, third, 0.072], [0, 0, 0.75]],
        ),
    )
    yield (
        "sheets",
        "slanted sheets",
        group("P-3m1", hexagonal(3.36, 6.4), ["Zr", "S"], [[0, 0, 0], [third, 2 / 3, 0.24]])
        * [[1, 0, 1], [0, 1, 0], [0, 0, 1]],
    )
    yield "deuterium", "LiD", group("Fm-3m", cubic(4.08), ["Li", "D"], [[0, 0, 0], [0.5] * 3])
    yield "deuterium", "LiT", group("Fm-3m", cubic(4.08), ["Li", "T"], [[0, 0, 0], [0.5] * 3])
    yield "deuterium", "PdD0.5", group("Pm-3m", cubic(4.05), ["Pd", "Pd", "D"], [[0, 0, 0], [0.5, 0.5, 0], [0.5] * 3])
    yield (
        "deuterium",
        "HD mixed",
        group("P-43m", cubic(4.6), ["C", "H", "D"], [[0, 0, 0], [0.136] * 3, [0.5, 0.5, 0.5]]),
    )


def _frameworks() -> Iterator[tuple[str, str, Any]]:
    from pymatgen.core import Lattice, Structure

    cubic = Lattice.cubic
    yield (
        "framework",
        "Zn(CN)2",
        Structure.from_spacegroup(
            "P-43m", cubic(5.9), ["Zn", "Zn", "C", "N"], [[0, 0, 0], [0.5] * 3, [0.195] * 3, [0.306] * 3]
        ),
    )
    yield (
        "framework",
        "Prussian blue",
        Structure.from_spacegroup(
            "Fm-3m", cubic(10.2), ["Fe", "Fe", "C", "N"], [[0, 0, 0], [0.5] * 3, [0.19, 0, 0], [0.303, 0, 0]]
        ),
    )
    yield (
        "framework",
        "KFeFe(CN)6",
        Structure.from_spacegroup(
            "F-43m",
            cubic(10.2),
            ["Fe", "Fe", "C", "N", "K"],
            [[0, 0, 0], [0.5] * 3, [0.19, 0, 0], [0.303, 0, 0], [0.25] * 3],
        ),
    )
    # MOF-5 (Zn4O(bdc)3) from its cell and standard bond lengths
    yield (
        "framework",
        "MOF-5",
        Structure.from_spacegroup(
            "Fm-3m",
            cubic(25.83),
            ["Zn", "O", "O", "C", "C", "C", "H"],
            [
                [0.2065] * 3,
                [0.25] * 3,
                [0.2194, 0.2194, 0.134],
                [0.1113, 0.25, 0.25],
                [0.0538, 0.25, 0.25],
                [0.2827, 0.2827, 0.0265],
                [0.305, 0.305, 0.045],
            ],
        ),
    )
    # a small one of the same net: octahedral nodes joined by pairs of carbon atoms
    yield (
        "framework",
        "pcu net",
        Structure.from_spacegroup("Pm-3m", cubic(6.95), ["Ti", "O", "C"], [[0, 0, 0], [0.2806, 0, 0], [0.4, 0, 0]]),
    )
    yield (
        "framework",
        "sodalite",
        Structure.from_spacegroup(
            "P-43n",
            cubic(8.88),
            ["Al", "Si", "O", "Na", "Cl"],
            [[0.25, 0, 0.5], [0.25, 0.5, 0], [0.139, 0.149, 0.438], [0.178] * 3, [0, 0, 0]],
        ),
    )
    yield "framework", "ReO3", Structure.from_spacegroup("Pm-3m", cubic(3.75), ["Re", "O"], [[0, 0, 0], [0.5, 0, 0]])
    yield (
        "framework",
        "copper formate-like",
        Structure(
            Lattice.from_parameters(5.2, 5.6, 7.9, 90, 101, 90),
            ["Cu", "O", "O", "C", "H", "O", "O", "C", "H"],
            [
                [0, 0, 0],
                [0.25, 0.22, 0.05],
                [0.48, 0.30, 0.22],
                [0.33, 0.35, 0.15],
                [0.27, 0.52, 0.19],
                [0.75, 0.78, 0.95],
                [0.52, 0.70, 0.78],
                [0.67, 0.65, 0.85],
                [0.73, 0.48, 0.81],
            ],
        ),
    )


def _alloys() -> Iterator[tuple[str, str, Any]]:
    from pymatgen.core import Lattice, Structure

    rng = random.Random(SEED + 1)  # noqa: S311
    for number in range(10):
        a = 3.55 + 0.02 * number
        fcc = number % 2 == 0
        basis = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]] if fcc else [[0, 0, 0], [0.5, 0.5, 0.5]]
        shape = [(1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 2)][number // 2]
        cell = Structure(Lattice.cubic(a if fcc else 0.8 * a), ["Fe"] * len(basis), basis) * shape
        elements = rng.choices(["Cr", "Mn", "Fe", "Co", "Ni"], k=len(cell))
        coords = [[x + rng.gauss(0, 0.004) for x in site.frac_coords] for site in cell]
        yield "alloy", f"cantor:{number}", Structure(cell.lattice, elements, coords)


def _tied() -> Iterator[tuple[str, str, Any]]:
    """Crystals of the sample whose text hangs on last bits: it was another one under SkylakeX than under Nehalem."""
    import pyarrow.parquet as pq
    from sample_maker.merge import structure_from_cif

    for split in ("train", "validation", "test"):
        path = ROOT / "dataset_builder" / "sample" / f"{split}.parquet"
        for row in pq.read_table(path, columns=["material_id", "cif"]).to_pylist():
            if int(row["material_id"].removeprefix("mp-")) in TIED:
                yield "tied", f"sample:{row['material_id']}", structure_from_cif(row["cif"])


def _decorated(base: list[tuple[str, str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Perturbed copies, supercells, oxidation states, site properties, disorder, all of earlier structures."""
    from pymatgen.core import Species

    rng = random.Random(SEED + 2)  # noqa: S311
    small = [entry for entry in base if 2 <= len(entry[2]) <= 10]
    for number, (_, name, original) in enumerate(rng.sample(small, 40)):
        copy = original.copy()
        for index in range(len(copy)):
            shift = [rng.gauss(0, (0.003, 0.02, 0.08, 0.2)[number % 4]) for _ in range(3)]
            copy.translate_sites([index], shift, frac_coords=False)
        yield "perturbed", f"perturbed {number}:{name}", copy
    for number, (_, name, original) in enumerate(rng.sample([e for e in small if len(e[2]) <= 5], 16)):
        copy = original.copy()
        if number % 4 == 0:
            with contextlib.suppress(Exception):
                copy.add_oxidation_state_by_guess(max_sites=-20)
        elif number % 4 == 1:
            copy.add_site_property("magmom", [round(rng.uniform(-3, 3), 3) for _ in copy])
        elif number % 4 == 2:
            copy.add_oxidation_state_by_site([rng.choice([-2.5, -1, 0, 1.5, 2, 3]) for _ in copy])
        else:
            copy.add_spin_by_site([rng.choice([-5, 0, 1]) for _ in copy])
        yield "decorated", f"decorated {number}:{name}", copy
    for number, (_, name, original) in enumerate(rng.sample([e for e in small if len(e[2]) <= 6], 8)):
        copy = original * [[2, 0, 0], [0, 1 + number % 2, 0], [0, 0, 1]]
        for index in range(len(copy)):
            copy.translate_sites([index], [rng.gauss(0, 0.03) for _ in range(3)], frac_coords=False)
        yield "large cell", f"supercell {number}:{name}", copy
    for number, (_, name, original) in enumerate(rng.sample(small, 4)):
        copy = original.copy()
        copy.replace(0, {"Fe": 0.5, "Co": 0.5} if number % 2 else {Species("Na", 1): 0.75})
        yield "disordered", f"disordered {number}:{name}", copy


def structures(sdist: Path) -> list[tuple[str, str, str, int]]:
    """Every (category, name, structure as JSON, sites of the conventional cell), smallest cell first."""
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    base = list(
        itertools.chain(
            _elements(), _low_dimensional(), _frameworks(), _alloys(), _materials_project(sdist), _prototypes()
        )
    )
    rows = []
    for category, name, structure in [*base, *_decorated(base), *_tied()]:
        text = _exact(structure)
        try:
            size = len(
                SpacegroupAnalyzer(
                    Structure.from_dict(json.loads(text)), symprec=0.01
                ).get_conventional_standard_structure()
            )
        except Exception:  # upstream will say what is wrong
            size = len(structure)
        rows.append((category, name, text, size))
    if len({name for _, name, _, _ in rows}) != len(rows):
        raise RuntimeError("Two structures have the same name")
    # rare kinds first, sizes in steps, categories mixed within a step: a cut-off corpus still has a bit of everything
    order = random.Random(SEED + 3)  # noqa: S311
    return sorted(rows, key=lambda row: (row[3] > 200, row[0] in COMMON, row[3] // 12, order.random()))


def _key(name: str, text: str) -> str:
    return f"{name}|{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _describe_upstream(text: str) -> str:
    from pymatgen.core import Structure
    from robocrys import StructureCondenser, StructureDescriber

    # a new condenser each time: the mineral matcher keeps the last structure, so the order would matter
    return str(
        StructureDescriber().describe(StructureCondenser().condense_structure(Structure.from_dict(json.loads(text))))
    )


def _read_log(log: Path) -> dict[str, dict[str, Any]]:
    done = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed run
                record = json.loads(line)
                done[record["key"]] = record
    return done


def _time_out(_signal: int, _frame: Any) -> None:  # noqa: ANN401
    raise TimeoutError


def run(rows: list[tuple[str, str, str, int]], log: Path, limit: int) -> None:
    """Describe what the log does not hold yet."""
    done = _read_log(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, _time_out)
    with log.open("a", encoding="utf-8") as out:
        for number, (category, name, text, size) in enumerate(rows):
            key = _key(name, text)
            if key in done:
                continue
            record: dict[str, Any] = {"key": key, "name": name, "category": category, "sites": size}
            start = time.perf_counter()
            signal.alarm(limit)
            try:
                record["text"] = _describe_upstream(text)
            except TimeoutError:
                record["time_out"] = limit
            except Exception as error:  # any error of upstream is a result
                record["error"] = f"{type(error).__name__}: {error}"
            finally:
                signal.alarm(0)
            record["seconds"] = round(time.perf_counter() - start, 3)
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
            out.flush()
            sys.stderr.write(
                f"{number + 1}/{len(rows)} {name} ({size} sites) {record['seconds']:.1f} s {record.get('error', '')}\n"
            )


def pack(rows: list[tuple[str, str, str, int]], log: Path, out: Path) -> int:
    """Write the corpus from the log; a whole file or none."""
    from importlib.metadata import version

    import pyarrow as pa
    import pyarrow.parquet as pq

    done = _read_log(log)
    records = []
    for category, name, text, size in rows:
        record = done.get(_key(name, text))
        if record is None or "time_out" in record:
            continue
        records.append(
            {
                "name": name,
                "category": category,
                "sites": size,
                "structure": text,
                "text": record.get("text"),
                "error": record.get("error"),
                "seconds": record["seconds"],
            }
        )
    packages = ("robocrys", "pymatgen", "pymatgen-core", "matminer", "numpy", "scipy", "spglib", "networkx", "inflect")
    versions = {name: version(name) for name in packages} | {"python": platform.python_version(), "PYTHONHASHSEED": "0"}
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("category", pa.string()),
            ("sites", pa.int32()),
            ("structure", pa.string()),
            ("text", pa.string()),
            ("error", pa.string()),
            ("seconds", pa.float32()),
        ],
        metadata={"versions": json.dumps(versions), "licence": "Materials Project structures: CC BY 4.0"},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist(records, schema=schema), partial, compression="zstd", compression_level=22)
    partial.replace(out)
    return len(records)


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sdist", type=Path, help="matminer-0.3.9.tar.gz")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "data" / "description_corpus.parquet")
    parser.add_argument("--log", type=Path, default=ROOT / "build" / "description_corpus.jsonl")
    parser.add_argument("--limit", type=int, default=1800, help="seconds a structure may take")
    parser.add_argument("--pack", action="store_true", help="only write the corpus from the log")
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
    warnings.simplefilter("ignore")
    rows = structures(arguments.sdist)
    if not arguments.pack:
        run(rows, arguments.log, arguments.limit)
    print(f"{pack(rows, arguments.log, arguments.out)} of {len(rows)} structures -> {arguments.out}")


if __name__ == "__main__":
    main()
