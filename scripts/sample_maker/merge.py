"""From the rows of several tables to crystals: labels of one mp-id joined where the structures agree, and counted."""

import itertools
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.io.cif import CifParser, CifWriter
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from .sdist import TABLES, Record, plain

STABLE_BELOW = 1e-8  # eV/atom above the hull
VOLUME_TOLERANCE = 0.05  # relative difference of volume per atom within which two relaxations are one crystal
SYMPREC = 0.1  # Å, as Materials Project uses it for its space groups
DECIMALS = 8  # of derived numbers, as many as a CIF has; the last bits differ between mathematical libraries


@dataclass
class Crystal:
    """One material of the sample."""

    material_id: str
    structure: Structure
    labels: dict[str, float]
    tables: list[str]
    space_group: int = 0
    group: str = ""


@dataclass
class Report:
    """Everything that was counted, joined or left out, by mp-id where there are few."""

    counts: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, Any] = field(default_factory=dict)
    label_checks: dict[str, Any] = field(default_factory=dict)


def join_tables(records: Iterable[Record], report: Report) -> list[Crystal]:
    """Make one crystal of each mp-id; labels of a table whose structure is another crystal are dropped and named."""
    matcher = StructureMatcher()
    crystals: dict[str, Crystal] = {}
    disagreeing: dict[str, list[str]] = defaultdict(list)
    joined = 0
    for record in records:
        crystal = crystals.get(record.material_id)
        if crystal is None:
            crystals[record.material_id] = Crystal(
                record.material_id, record.structure, dict(record.labels), [record.table]
            )
        elif _same_crystal(crystal.structure, record.structure, matcher):
            crystal.labels |= record.labels
            crystal.tables.append(record.table)
            joined += 1
        else:
            disagreeing[record.table].append(record.material_id)
    report.counts["distinct_ids"] = len(crystals)
    report.counts["label_sets_joined"] = joined
    report.dropped["labels_of_another_crystal_under_the_same_id"] = dict(disagreeing)
    return list(crystals.values())


def _same_crystal(first: Structure, second: Structure, matcher: StructureMatcher) -> bool:
    if first.composition.reduced_formula != second.composition.reduced_formula:
        return False
    volumes = first.volume / len(first), second.volume / len(second)
    if abs(volumes[0] - volumes[1]) > VOLUME_TOLERANCE * min(volumes):
        return False
    return bool(matcher.fit(first, second))


def check_round_trip(crystals: list[Crystal], report: Report) -> list[Crystal]:
    """Keep the crystals whose CIF text reads back as the same composition and volume."""
    kept: list[Crystal] = []
    failed: list[Crystal] = []
    for crystal in crystals:
        back = structure_from_cif(cif_text(crystal.structure))
        same_volume = abs(back.volume - crystal.structure.volume) < 1e-6 * crystal.structure.volume
        (kept if same_volume and back.composition == crystal.structure.composition else failed).append(crystal)
    report.dropped["cif_does_not_read_back"] = [c.material_id for c in failed]
    return kept


def group_crystals(crystals: list[Crystal], report: Report) -> None:
    """Name the group of each crystal: what must stay on one side of the split.

    Crystals of one reduced formula are in one group if they have the same space group (spglib at `SYMPREC`) or if
    pymatgen's StructureMatcher takes them for one crystal, which also catches copies relaxed into other symmetries.
    """
    matcher = StructureMatcher()
    by_formula: dict[str, list[Crystal]] = defaultdict(list)
    for crystal in crystals:
        crystal.space_group = SpacegroupAnalyzer(crystal.structure, symprec=SYMPREC).get_space_group_number()
        by_formula[crystal.structure.composition.reduced_formula].append(crystal)
    repeated = set()
    for members in by_formula.values():
        members.sort(key=lambda c: c.material_id)
        for crystal in members:
            crystal.group = crystal.material_id
        for first, second in itertools.combinations(members, 2):
            same = matcher.fit(first.structure, second.structure)
            if same:
                repeated |= {first.material_id, second.material_id}
            if same or first.space_group == second.space_group:
                kept, gone = sorted((first.group, second.group))
                for crystal in members:
                    if crystal.group == gone:
                        crystal.group = kept
    report.counts["crystals_with_a_repeat"] = len(repeated)
    report.counts["groups"] = len({c.group for c in crystals})


def check_labels(crystals: list[Crystal], report: Report) -> None:
    """Count labels that cannot be or are far out. They stay: a sample of real data has them, and a reader is told."""
    checks = {
        "modulus_not_positive": lambda c: any(c.labels.get(k, 1) <= 0 for k in ("bulk_modulus", "shear_modulus")),
        "bulk_modulus_over_500_gpa": lambda c: c.labels.get("bulk_modulus", 0) > 500,
        "shear_modulus_over_bulk_modulus": lambda c: c.labels.get("shear_modulus", 0) > c.labels.get("bulk_modulus", 0),
        "hull_energy_negative": lambda c: c.labels.get("energy_above_hull", 0) < 0,
        "hull_energy_below_formation_energy": lambda c: (
            c.labels.get("energy_above_hull", 0) < c.labels.get("formation_energy_per_atom", 0) - STABLE_BELOW
        ),
        "hull_energy_over_1_ev_per_atom": lambda c: c.labels.get("energy_above_hull", 0) > 1,
        "band_gap_not_positive": lambda c: c.labels.get("band_gap", 1) <= 0,
    }
    report.label_checks = {name: sorted(c.material_id for c in crystals if check(c)) for name, check in checks.items()}


def row(crystal: Crystal) -> dict[str, Any]:
    """Columns of one crystal, the description aside; a label that is not known is None."""
    structure = crystal.structure
    labels: dict[str, Any] = {name: None for columns in TABLES.values() for name in columns.values()}
    labels |= crystal.labels
    hull = labels["energy_above_hull"]
    return {
        "material_id": crystal.material_id,
        "composition": structure.composition.reduced_formula,
        "cif": cif_text(structure),
        **labels,
        "is_stable": None if hull is None else hull <= STABLE_BELOW,
        "density": round(float(structure.density), DECIMALS),
        "density_atomic": round(float(structure.volume) / len(structure), DECIMALS),
        "volume": round(float(structure.volume), DECIMALS),
        "space_group": crystal.space_group,
        "group": crystal.group,
    }


def cif_text(structure: Structure) -> str:
    """CIF as the benchmark publishes it: pymatgen's writer, symmetry P 1, eight decimals."""
    return str(CifWriter(structure))


def structure_from_cif(text: str) -> Structure:
    """Read the CIF of one row back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (structure,) = CifParser.from_str(text).parse_structures(primitive=False)
    return plain(structure)
