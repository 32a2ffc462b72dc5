"""Read Materials Project crystals and labels out of the matminer sdist, without unpacking or importing it."""

import ast
import hashlib
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.cif import CifParser

SDIST = "matminer-0.3.9.tar.gz"
SDIST_SHA256 = "3faf9e83464f3d48f68a759bf476ad24da4c8c3e950c8f340cb917d3bb906400"
MEMBERS = "matminer-0.3.9/matminer/datasets/{}.csv"

# table: {column there: column of the sample}; the order is the order of trust when structures disagree
TABLES = {
    "flla_2015": {"formation_energy_per_atom": "formation_energy_per_atom", "e_above_hull": "energy_above_hull"},
    "dielectric_constant": {"band_gap": "band_gap"},
    "elastic_tensor": {"K_VRH": "bulk_modulus", "G_VRH": "shear_modulus"},
}
# Read for the count only: it has no label that the sample holds.
UNUSED_TABLE = "piezoelectric_tensor"


@dataclass(frozen=True)
class Record:
    """One row of one table: a crystal as that table gives it, and its labels under the sample's names."""

    table: str
    material_id: str
    structure: Structure
    labels: dict[str, float]


def fetch_sdist(folder: Path) -> Path:
    """Download the sdist from PyPI with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "matminer==0.3.9"]
    subprocess.run([*command, "--dest", str(folder)], check=True)  # noqa: S603
    return folder / SDIST


def check_sdist(path: Path) -> None:
    """Refuse any file but the pinned sdist."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SDIST_SHA256:
        raise SystemExit(f"{path}: SHA-256 is {found}, that of {SDIST} on PyPI is {SDIST_SHA256}")


def read_table(archive: tarfile.TarFile, table: str) -> pd.DataFrame:
    """Read one CSV of the sdist. Its first line is a comment; CIF texts hold the same sign, but inside quotes."""
    member = archive.extractfile(MEMBERS.format(table))
    if member is None:
        raise SystemExit(f"the archive's {MEMBERS.format(table)} is no file")
    file: IO[bytes] = member
    return pd.read_csv(file, comment="#", keep_default_na=False, float_precision="round_trip")


def read_records(archive: tarfile.TarFile, table: str) -> Iterator[Record]:
    """Parse the rows of one table.

    Raises:
        SystemExit: A structure disagrees with the formula or the number of sites that its own row states.
    """
    rows = read_table(archive, table)
    parse = _structure_from_literal if table == "flla_2015" else _structure_from_cif
    for row in rows.to_dict("records"):
        structure = parse(row["structure"])
        stated = ast.literal_eval(row["formula"]) if table == "flla_2015" else row["formula"]
        if len(structure) != row["nsites"] or not _same_formula(structure, Composition(stated)):
            raise SystemExit(f"{table} {row['material_id']}: {structure.formula} is not the stated {stated}")
        labels = {name: float(row[column]) for column, name in TABLES[table].items()}
        yield Record(table, row["material_id"], structure, labels)


def _same_formula(structure: Structure, stated: Composition) -> bool:
    return bool(structure.composition.reduced_formula == stated.reduced_formula)


def _structure_from_literal(text: str) -> Structure:
    """Build a structure from pymatgen's dictionary, written as a Python literal by an older release."""
    data = ast.literal_eval(text)
    species = []
    for site in data["sites"]:
        (only,) = site["species"]
        if only["occu"] != 1:
            raise SystemExit(f"a partly occupied site: {site['species']}")
        species.append(only["element"])
    return Structure(Lattice(data["lattice"]["matrix"]), species, [site["abc"] for site in data["sites"]])


def _structure_from_cif(text: str) -> Structure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounded fractions such as 0.333333, which the parser mends
        (structure,) = CifParser.from_str(text).parse_structures(primitive=False)
    return plain(structure)


def plain(structure: Structure) -> Structure:
    """Keep lattice, elements and positions; leave labels and site properties behind."""
    return Structure(structure.lattice, [site.specie.symbol for site in structure], structure.frac_coords)
