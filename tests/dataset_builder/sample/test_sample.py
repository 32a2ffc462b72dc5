"""The embedded sample: its files are what card and declaration say, and its labels agree with its CIFs."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.sample import read_sample, sample_files
from llm4mat_bench.dataset_builder.splits import split_sizes
from llm4mat_bench.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = sample_files()["train"].parent
PUBLISHED_ROWS = ROOT.parent / "shared" / "data" / "mp_sample"
SDIST = os.environ.get("LLM4MAT_MATMINER_SDIST")

# relative atomic masses (IUPAC 2021, abridged) of some common elements, for densities by our own arithmetic
MASSES = {
    "H": 1.008, "Li": 6.94, "B": 10.81, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Na": 22.990, "Mg": 24.305,
    "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45, "K": 39.098, "Ca": 40.078, "Sc": 44.956,
    "Ti": 47.867, "V": 50.942, "Cr": 51.996, "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693, "Cu": 63.546,
    "Zn": 65.38, "Ga": 69.723, "Ge": 72.630, "As": 74.922, "Se": 78.971, "Br": 79.904, "Rb": 85.468, "Sr": 87.62,
    "Y": 88.906, "Zr": 91.224, "Nb": 92.906, "Mo": 95.95, "Pd": 106.42, "Ag": 107.87, "Cd": 112.41, "In": 114.82,
    "Sn": 118.71, "Sb": 121.76, "Te": 127.60, "I": 126.90, "Cs": 132.91, "Ba": 137.33, "La": 138.91, "Pt": 195.08,
    "Au": 196.97, "Hg": 200.59, "Tl": 204.38, "Pb": 207.2, "Bi": 208.98,
}  # fmt: skip
AVOGADRO_TIMES_1E24 = 0.602214076  # g/mol per Å³ to g/cm³


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return {split: read_sample(split).to_pandas() for split in sample_files()}


@pytest.fixture(scope="module")
def every(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames.values(), keys=frames, names=["split"]).reset_index("split")


@pytest.fixture
def scripts_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def cif_lattice(cif: str) -> tuple[list[float], list[float]]:
    """Read lengths and angles of a CIF without a crystallographic library."""
    numbers = re.findall(r"_cell_(?:length|angle)_\w+\s+([\d.]+)", cif)
    return [float(x) for x in numbers[:3]], [float(x) for x in numbers[3:]]


def cif_volume(cif: str) -> float:
    """Volume of the cell by the triple-product formula."""
    lengths, angles = cif_lattice(cif)
    cosines = np.cos(np.radians(angles))
    return float(np.prod(lengths) * np.sqrt(1 - (cosines**2).sum() + 2 * cosines.prod()))


def cif_elements(cif: str) -> list[str]:
    """Element of every site, from the atom loop."""
    loop = cif.split("_atom_site_occupancy\n")[1]
    return [line.split()[0] for line in loop.splitlines() if line.strip()]


def reduced(formula: str) -> Counter[str]:
    """Element counts of a formula with brackets, by our own parser."""
    text = re.sub(r"([A-Z][a-z]?)", r"'\1',", formula)
    while (inner := re.search(r"\(([^()]*)\)(\d*)", text)) is not None:
        text = text[: inner.start()] + inner[1] * int(inner[2] or 1) + text[inner.end() :]
    return Counter(e for e, n in re.findall(r"'([A-Z][a-z]?)',(\d*)", text) for _ in range(int(n or 1)))


def test_size_and_number() -> None:
    assert sum(path.stat().st_size for path in sample_files().values()) <= 3_000_000
    assert sum(read_sample(split).num_rows for split in sample_files()) >= 3_000


def test_unknown_split_is_explained() -> None:
    with pytest.raises(UsageError, match=r"unknown split 'valid'. Did you mean validation"):
        read_sample("valid")


def test_columns(frames: dict[str, pd.DataFrame]) -> None:
    names = ["material_id", "composition", "cif", "description", *(p.name for p in get_source("sample").properties)]
    for split, frame in frames.items():
        assert list(frame.columns) == names
        assert frame[["material_id", "composition", "cif", "description"]].notna().all().all()
        assert (frame[["material_id", "composition", "cif", "description"]] != "").all().all()
        assert frame["material_id"].is_monotonic_increasing
        schema = read_sample(split).schema
        assert {str(schema.field(n).type) for n in names[4:]} == {"double", "bool"}


def test_sides_share_no_material_and_have_the_protocols_sizes(frames: dict[str, pd.DataFrame]) -> None:
    ids = [i for frame in frames.values() for i in frame["material_id"]]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"mp-\d+", i) for i in ids)
    assert tuple(len(frames[s]) for s in ("train", "validation", "test")) == split_sizes(len(ids))


def test_ids_are_those_that_were_pinned(frames: dict[str, pd.DataFrame]) -> None:
    pinned = json.loads((FOLDER / "splits.json").read_text())["splits"]
    for split, frame in frames.items():
        digest = hashlib.sha256("\n".join(sorted(frame["material_id"])).encode()).hexdigest()
        assert pinned[split] == {"rows": len(frame), "ids_sha256": digest}


def test_declaration_and_card_tell_what_is_there(frames: dict[str, pd.DataFrame], every: pd.DataFrame) -> None:
    source = get_source("sample")
    assert not source.benchmark
    for split, frame in frames.items():
        assert getattr(source.published.splits, split) == len(frame)
    card = (FOLDER / "README.md").read_text()
    for prop in source.properties:
        known = {split: int(frame[prop.name].notna().sum()) for split, frame in frames.items()}
        assert prop.samples == sum(known.values())
        assert f"| `{prop.name}` | {known['train']} | {known['validation']} | {known['test']} |" in card
    assert f"{len(every):,} real crystals" in card
    for needed in ("CC BY 4.0", "no part of the published benchmark", "10.1063/1.4812323", "10.1002/qua.24917",
                   "10.1038/sdata.2016.134", "10.1038/sdata.2015.9", "10.1557/mrc.2019.94"):  # fmt: skip
        assert needed in card


def test_every_property_has_a_test_set_worth_the_name(frames: dict[str, pd.DataFrame]) -> None:
    for prop in get_source("sample").properties:
        assert frames["test"][prop.name].notna().sum() >= 80, prop.name
    classes = frames["test"]["is_stable"].dropna().astype(bool).value_counts()
    assert classes[True] >= 40
    assert classes[False] >= 40


def test_labels_are_possible(every: pd.DataFrame) -> None:
    hull = every["energy_above_hull"]
    assert hull.dropna().ge(0).all()
    labelled = hull.notna()
    assert (every["is_stable"].notna() == labelled).all()
    assert (every.loc[labelled, "is_stable"].astype(bool) == (hull[labelled] <= 1e-8)).all()
    # the hull lies at or below the elements, so nothing is nearer to it than its own formation energy tells
    assert (hull[labelled] >= every.loc[labelled, "formation_energy_per_atom"] - 1e-8).all()
    assert every["formation_energy_per_atom"].dropna().between(-5, 5).all()
    assert every["band_gap"].dropna().between(0.1, 14).all()  # lithium fluoride's gap is 14 eV
    for modulus in ("bulk_modulus", "shear_modulus"):
        assert every[modulus].dropna().between(0, 550).all()  # diamond: 443 and 535 GPa
    assert (every["bulk_modulus"].notna() == every["shear_modulus"].notna()).all()
    assert every["density"].between(0.03, 26).all()  # hydrogen to plutonium, as semilocal DFT relaxes them


@pytest.mark.parametrize(
    ("formula", "column", "measured", "tolerance"),
    [
        ("C", "shear_modulus", 535, 0.05),  # diamond
        ("W", "bulk_modulus", 310, 0.08),
        ("Al", "bulk_modulus", 76, 0.15),
        ("Os", "density", 22.59, 0.05),
        ("LiF", "formation_energy_per_atom", -3.19, 0.05),  # -616 kJ/mol of LiF
        ("KCl", "formation_energy_per_atom", -2.26, 0.05),  # -437 kJ/mol of KCl
        ("TiO2", "formation_energy_per_atom", -3.26, 0.1),  # -944 kJ/mol of TiO2
    ],
)
def test_labels_are_near_what_is_measured(
    every: pd.DataFrame, formula: str, column: str, measured: float, tolerance: float
) -> None:
    """A mix-up of columns, units or rows would show against handbook values."""
    values = every.loc[every["composition"] == formula, column].dropna()
    assert np.abs(values / measured - 1).min() < tolerance


def test_volumes_and_densities_follow_from_the_cif(every: pd.DataFrame) -> None:
    checked = 0
    for row in every.itertuples():
        atoms = cif_elements(row.cif)
        volume = cif_volume(row.cif)
        assert row.volume == pytest.approx(volume, rel=1e-6)
        assert row.density_atomic == pytest.approx(volume / len(atoms), rel=1e-6)
        if set(atoms) <= MASSES.keys():
            mass = sum(MASSES[atom] for atom in atoms)
            assert row.density == pytest.approx(mass / volume / AVOGADRO_TIMES_1E24, rel=2e-3), row.material_id
            checked += 1
    assert checked > len(every) / 3


def test_composition_is_the_reduced_formula_of_the_cif(every: pd.DataFrame) -> None:
    for row in every.itertuples():
        sites = Counter(cif_elements(row.cif))
        formula = reduced(row.composition)
        factors = {sites[element] / formula[element] for element in sites}
        assert sites.keys() == formula.keys(), row.composition
        assert len(factors) == 1, row.composition
        assert f"data_{row.composition}\n" in row.cif


def test_descriptions_are_of_their_crystals(every: pd.DataFrame) -> None:
    """Style of the published text, and the right crystal: elements and lengths that the CIF has."""
    assert every["description"].str.len().min() > 60
    assert not every["description"].str.contains("np.int64|np.float64|nan Å", regex=True).any()
    bonds = every[every["description"].str.contains("bond length")]
    assert len(bonds) > len(every) / 2
    # bond names carry an en dash (upstream prints a hyphen)
    assert not bonds["description"].str.contains(r"\)-[A-Z][a-z]?\(", regex=True).any()
    for row in every.itertuples():
        told = set(re.findall(r"\b([A-Z][a-z]?)\(\d", row.description))
        assert told <= set(cif_elements(row.cif)), row.material_id


def some(every: pd.DataFrame, n: int, seed: int = 0) -> pd.DataFrame:
    return every.iloc[np.random.default_rng(seed).choice(len(every), n, replace=False)]


@pytest.mark.filterwarnings("ignore")
def test_cif_reads_back_with_pymatgen(every: pd.DataFrame) -> None:
    core = pytest.importorskip("pymatgen.core")
    for row in some(every, 60).itertuples():
        structure = core.Structure.from_str(row.cif, fmt="cif")
        assert structure.composition.reduced_formula == row.composition
        assert structure.volume == pytest.approx(row.volume, rel=1e-6)
        assert structure.density == pytest.approx(row.density, rel=1e-6)
        assert structure.is_ordered


@pytest.mark.filterwarnings("ignore")
def test_same_formula_and_space_group_are_on_one_side(every: pd.DataFrame) -> None:
    """With spglib itself, on all crystals whose formula occurs on two sides."""
    spglib = pytest.importorskip("spglib")
    core = pytest.importorskip("pymatgen.core")
    sides = every.groupby("composition")["split"].transform("nunique")
    shared = every[sides > 1]
    assert len(shared) > 0, "polymorphs may part, and some do"
    groups: dict[tuple[str, int], set[str]] = {}
    chosen = set(some(shared.drop_duplicates("composition"), min(60, shared["composition"].nunique()))["composition"])
    for row in shared[shared["composition"].isin(chosen)].itertuples():
        structure = core.Structure.from_str(row.cif, fmt="cif")
        cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
        symmetry = spglib.get_symmetry_dataset(cell, symprec=0.1)
        groups.setdefault((row.composition, symmetry.number), set()).add(row.split)
    assert [group for group, found in groups.items() if len(found) > 1] == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("scripts_on_path")
def test_cif_has_the_form_of_the_published_ones() -> None:
    """Our writer's settings, on published structures, give the published text."""
    if not PUBLISHED_ROWS.is_dir():
        pytest.skip("no published rows at hand")
    core = pytest.importorskip("pymatgen.core")
    from sample_maker.merge import cif_text
    from sample_maker.sdist import plain

    for row in pd.concat([pd.read_csv(path) for path in sorted(PUBLISHED_ROWS.glob("*.csv"))]).itertuples():
        structure = core.Structure.from_dict(ast.literal_eval(row.structure))
        assert cif_text(plain(structure)) == row.cif_structure
        assert structure.composition.reduced_formula == row.formula_pretty


@pytest.mark.slow
@pytest.mark.skipif(not SDIST, reason="set LLM4MAT_MATMINER_SDIST to the matminer 0.3.9 sdist to remake the sample")
def test_the_sample_is_remade_byte_for_byte(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "make_sample.py")]
    candidates = tmp_path / "candidates.parquet"
    subprocess.run([*script, "structures", "--sdist", SDIST, "--out", candidates], check=True)
    subprocess.run(
        [*script, "write", "--candidates", candidates, "--descriptions", FOLDER, "--out", tmp_path / "sample"],
        check=True,
    )
    made = {path.name: path.read_bytes() for path in (tmp_path / "sample").iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix not in (".py", "")}


@pytest.mark.usefixtures("scripts_on_path")
def test_another_sdist_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pymatgen.core")
    from sample_maker.sdist import check_sdist

    other = tmp_path / "matminer-0.3.9.tar.gz"
    other.write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"matminer-0\.3\.9\.tar\.gz: SHA-256 is [0-9a-f]{64}, that of .* is 3faf9e83"):
        check_sdist(other)


@pytest.mark.usefixtures("scripts_on_path")
def test_descriptions_resume_after_a_kill(tmp_path: Path) -> None:
    """A last line cut short is taken off; what was whole is not described again."""
    pytest.importorskip("pymatgen.core")
    from sample_maker.describing import _whole_lines

    path = tmp_path / "descriptions.jsonl"
    path.write_text('{"material_id": "mp-1"}\n{"material_id": "mp-2", "descr', encoding="utf-8")
    assert _whole_lines(path) == [{"material_id": "mp-1"}]
    assert path.read_text(encoding="utf-8") == '{"material_id": "mp-1"}\n'
    assert _whole_lines(tmp_path / "none.jsonl") == []


@pytest.mark.usefixtures("scripts_on_path")
def test_missing_and_stale_descriptions_are_not_passed_over(tmp_path: Path) -> None:
    pytest.importorskip("pymatgen.core")
    import pyarrow as pa
    from sample_maker.describing import cif_sha256
    from sample_maker.writing import read_descriptions

    candidates = pa.table({"material_id": ["mp-1", "mp-2", "mp-3"], "cif": ["a", "b", "c"]})
    lines = [
        {"material_id": "mp-1", "cif_sha256": cif_sha256("a"), "description": "A crystal.", "error": None},
        {"material_id": "mp-2", "cif_sha256": cif_sha256("b"), "description": None, "error": "no bonds"},
        {"material_id": "mp-3", "cif_sha256": cif_sha256("an older cif"), "description": "Old.", "error": None},
    ]
    path = tmp_path / "descriptions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read_descriptions(path, candidates.slice(0, 2)) == ({"mp-1": "A crystal."}, {"mp-2": "no bonds"})
    with pytest.raises(SystemExit, match=r"no description for 1 candidates, e\.g\. mp-3"):
        read_descriptions(path, candidates)
