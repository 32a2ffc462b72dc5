"""CIFs as they are in the wild: the right crystal, or refused with a reason."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from cif_text import SALT, cif
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from llm4mat_bench.dataset_builder.crystals.errors import StructureError
from llm4mat_bench.dataset_builder.crystals.reading import read_crystal
from llm4mat_bench.dataset_builder.crystals.settings import by_number
from llm4mat_bench.dataset_builder.crystals.texts import crystal_blocks, decode_text

SETTING_221 = by_number(221)[0].operations
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "cif"
SILICON = (("Si1", "Si", "0.125", "0.125", "0.125"),)
CUBE = (5.43, 5.43, 5.43, 90, 90, 90)
HEXAGON = (4.546, 4.546, 11.86, 90, 90, 120)


def formula(text: str) -> str:
    return str(read_crystal(text).structure.composition.formula)


def refusal(text: str) -> str:
    with pytest.raises(StructureError) as caught:
        read_crystal(text)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def group(structure: Structure) -> int:
    return int(SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_number())


@pytest.mark.skipif(not CASES.is_dir(), reason="the small cases stand beside the repository")
@pytest.mark.parametrize(
    ("name", "formulas"),
    [
        ("a01_global_first", ["Na4 Cl4"]),
        ("a04_two_phases", ["Na4 Cl4", "K4 Cl4"]),
        ("a05_overall_then_phase", ["Na4 Cl4"]),
        ("c01_data_in_text", ["Na4 Cl4"]),
        ("d02_bom", ["Na4 Cl4"]),
        ("e01_p1", ["Na4 Cl4"]),
        ("e03_p1", ["Na4 Cl4"]),
        ("f01_fd3m_origin2", ["Si8"]),
        ("f02_fd3m_origin2_nosuffix", ["F d -3 m:1 or F d -3 m:2"]),
        ("f16_materials_studio_urea", ["H8 C2 N4 O2"]),
        ("g08_D", ["H12 N4"]),
        ("g09_2H", ["H12 N4"]),
        ("i06_negative", ["_cell_length_a is -5.64"]),
        ("j50_noH", ["no position is given for hydrogen"]),
    ],
)
def test_cases(name: str, formulas: list[str]) -> None:
    blocks = crystal_blocks(decode_text((CASES / f"{name}.cif").read_bytes()))
    assert len(blocks) == len(formulas)
    for block, wanted in zip(blocks, formulas, strict=True):
        try:
            assert read_crystal(block.text).structure.composition.formula == wanted
        except StructureError as error:
            assert wanted in str(error)


def test_the_same_numbers_as_pymatgen() -> None:
    """Good files give the structure of ``CifParser`` to the last bit and in its order."""
    general = (
        ("K1", "K", "0.1234", "0.2917", "0.3391"),
        ("O1", "O", "0", "0", "0"),
        ("H1", "H", "0.3333", "0.6667", "0.25"),
    )
    texts = [
        cif(symbol="F m -3 m", number=225),
        cif((5, 6, 7, 80, 95, 100), general, symbol="P -1"),
        cif((5, 6, 7, 90, 100, 90), general, symbol="P 1 21/c 1"),
        cif((5, 6, 7, 90, 90, 90), general, symbol="P n m a"),
        cif((9, 9, 7, 90, 90, 120), general[:2], symbol="P 63/m m c"),
        cif((9, 9, 7, 90, 90, 120), general, operations=["x,y,z", "-y,x-y,z", "-x+y,-x,z"]),
        cif(
            (5, 6, 7, 90, 90, 90),
            general,
            operations=["x, y, z", "-x+1/2,-y,z+1/2", "X+1/2,1/2-Y,-Z", "-x,y+.5,-z+0.5"],
        ),
        cif(atoms=(("Na1", "Na1+", "0", "0", "0"), ("Cl1", "Cl1-", ".5", "0.5(3)", "5e-1"))),
        cif(symbol="F m -3 m", more="loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nNa 1\nCl -1"),
    ]
    for text in texts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (theirs,) = CifParser.from_str(text, check_cif=False).parse_structures(primitive=False, on_error="raise")
        ours = read_crystal(text)
        assert not ours.remarks
        assert np.array_equal(ours.structure.lattice.matrix, theirs.lattice.matrix)
        assert np.array_equal(ours.structure.frac_coords, theirs.frac_coords)
        assert ours.structure.species == theirs.species
        assert ours.structure.labels == theirs.labels


@pytest.mark.parametrize("suffix", [":2", " :2", "Z", " Z", " (origin choice 2)", " O2", ": 2", ", origin 2"])
def test_second_origin(suffix: str) -> None:
    structure = read_crystal(cif(CUBE, SILICON, symbol=f"F d -3 m{suffix}", number=227)).structure
    assert (structure.composition.formula, group(structure)) == ("Si8", 227)
    assert min(structure.distance_matrix[0][1:]) == pytest.approx(5.43 * np.sqrt(3) / 4)


@pytest.mark.parametrize("suffix", [":1", " S"])
def test_first_origin(suffix: str) -> None:
    at_zero = (("Si1", "Si", "0", "0", "0"),)
    structure = read_crystal(cif(CUBE, at_zero, symbol=f"F d -3 m{suffix}")).structure
    assert (structure.composition.formula, group(structure)) == ("Si8", 227)


@pytest.mark.parametrize("symbol", ["R -3 m :R", "R -3 m R", "R-3m:r", "R -3 m", "R -3 m (rhombohedral axes)"])
def test_rhombohedral_axes(symbol: str) -> None:
    cell = (4.746, 4.746, 4.746, 57.23, 57.23, 57.23)
    structure = read_crystal(cif(cell, (("Bi1", "Bi", "0.234", "0.234", "0.234"),), symbol=symbol)).structure
    assert (structure.composition.formula, group(structure)) == ("Bi2", 166)


@pytest.mark.parametrize("symbol", ["R -3 m :H", "R -3 m H", "R -3 m", "H -3 m", "R-3m"])
def test_hexagonal_axes(symbol: str) -> None:
    structure = read_crystal(cif(HEXAGON, (("Bi1", "Bi", "0", "0", "0.234"),), symbol=symbol)).structure
    assert (structure.composition.formula, group(structure)) == ("Bi6", 166)


@pytest.mark.parametrize(
    ("symbol", "cell"),
    [("R -3 m :H", (4.7, 4.7, 4.7, 57.2, 57.2, 57.2)), ("R -3 m :R", HEXAGON), ("F m -3 m", (5, 5, 6, 90, 90, 90))],
)
def test_a_cell_that_does_not_fit(symbol: str, cell: tuple[float, ...]) -> None:
    assert "does not fit the space group" in refusal(cif(cell, SILICON, symbol=symbol))


SPINEL = (
    ("Mg1", "Mg", "0.125", "0.125", "0.125"),
    ("Al1", "Al", "0.5", "0.5", "0.5"),
    ("O1", "O", "0.2624", "0.2624", "0.2624"),
)


@pytest.mark.parametrize(
    "words",
    [
        {"hall": "-F 4vw 2vw 3"},
        {"symbol": "F d -3 m :2"},
        {"symbol": "F d -3 m", "hall": "-F 4vw 2vw 3"},
        {"symbol": "F d -3 m", "formula": "Al2 Mg O4", "units": 8},  # the formula tells which origin
        {"symbol": "F d -3 m", "more": "_space_group_IT_coordinate_system_code 2"},
        {"number": 227, "formula": "Mg Al2 O4"},
    ],
)
def test_spinel(words: dict[str, object]) -> None:
    structure = read_crystal(cif((8.08, 8.08, 8.08, 90, 90, 90), SPINEL, **words)).structure  # type: ignore[arg-type]
    assert (structure.composition.formula, group(structure)) == ("Mg8 Al16 O32", 227)


def test_red_lead_oxide() -> None:
    atoms = (("Pb1", "Pb", "0.25", "0.25", "0.2385"), ("O1", "O", "0.75", "0.25", "0"))
    structure = read_crystal(cif((3.96, 3.96, 5.01, 90, 90, 90), atoms, symbol="P 4/n m m :2")).structure
    assert (structure.composition.formula, group(structure)) == ("Pb2 O2", 129)


def test_an_open_origin_is_refused_and_z_or_density_tell_it() -> None:
    open_one = refusal(cif(CUBE, SILICON, symbol="F d -3 m", number=227))
    assert "F d -3 m:1 or F d -3 m:2 (16 or 8 atoms" in open_one
    assert "F d -3 m:1 or F d -3 m:2" in refusal(cif(CUBE, SILICON, number=227))
    assert "F d -3 m:1 or F d -3 m:2" in refusal(cif(CUBE, SILICON, symbol="F d -3 m", formula="Si"))
    assert formula(cif(CUBE, SILICON, symbol="F d -3 m", formula="Si", units=8)) == "Si8"
    assert formula(cif(CUBE, SILICON, symbol="F d -3 m", more="_exptl_crystal_density_diffrn 2.33")) == "Si8"
    anatase = (("Ti1", "Ti", "0", "0", "0"), ("O1", "O", "0", "0", "0.2081"))
    cell = (3.784, 3.784, 9.515, 90, 90, 90)
    assert formula(cif(cell, anatase, symbol="I 41/a m d", formula="O2 Ti", units=4)) == "Ti4 O8"
    assert "is not said" in refusal(cif(cell, anatase, symbol="I 41/a m d", formula="O2 Ti"))
    second = (("Ti1", "Ti", "0", "0.75", "0.125"), ("O1", "O", "0", "0.75", "0.3331"))
    assert formula(cif(cell, second, symbol="I 41/a m d", formula="O2 Ti", units=4)) == "Ti4 O8"


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (["x,y,z", "-x,-y,-z", "x,y+1/2,q"], "'x,y+1/2,q' cannot be read"),
        (["x,y,z", "-x,-y"], "2 parts"),
        (["x,y,z", "?"], "missing in the list"),
        (["x,y,z", "-x,-y,z+1/4"], "do not form a group"),
        (["-x,-y,-z"], "x, y, z is missing"),
        (["x,y,z", "y,x,z", "z,x,y"], "do not form a group"),
        (["x,y,z", "2x,y,z"], "changes the volume"),
        (["x,y,z", "x/0,y,z"], "cannot be read"),
        (["x,y,z", "-x,-y,z+1/0"], "divides by zero"),
        (["x,y,z", "-x,-y,-z", "x+1/2,y+1/2,z"], "do not form a group"),
    ],
)
def test_operations_that_are_none(operations: list[str], reason: str) -> None:
    assert reason in refusal(cif(operations=operations))


def test_operations_against_the_stated_group() -> None:
    inversion = ["x,y,z", "-x,-y,-z"]
    assert formula(cif(operations=inversion, symbol="P -1", number=2)) == "Na1 Cl1"
    assert "but the space group is 'F m -3 m'" in refusal(cif(operations=["x,y,z"], symbol="F m -3 m"))
    assert "those of space group 2" in refusal(cif(operations=inversion, number=14))
    assert "contradicts itself" in refusal(cif(operations=inversion, symbol="P -1", number=1))
    assert "contradicts itself" in refusal(cif(symbol="F m -3 m", hall="P 1"))
    assert "do not fit the cell" in refusal(cif((5, 6, 7, 90, 90, 90), operations=["x,y,z", "y,x,z"]))
    glide_a = ["x,y,z", "-x,y+1/2,-z+1/2", "-x,-y,-z", "x,-y+1/2,z+1/2"]
    assert formula(cif((5, 6, 7, 90, 100, 90), SALT[:1], operations=glide_a, symbol="P 1 21/c 1")) == "Na2"
    assert "another setting" in refusal(cif((5, 6, 7, 90, 100, 90), SALT[:1], operations=glide_a, symbol="P 1 21/n 1"))
    pbnm = ["x,y,z", "-x,-y,z+1/2", "x+1/2,-y+1/2,-z", "-x+1/2,y+1/2,-z+1/2"]
    pbnm += ["-x,-y,-z", "x,y,-z+1/2", "-x+1/2,y+1/2,z", "x+1/2,-y+1/2,z+1/2"]
    box = (5, 6, 7, 90, 90, 90)
    assert formula(cif(box, SALT[:1], operations=pbnm, symbol="P b n m", number=62)) == "Na4"
    assert "another setting" in refusal(cif(box, SALT[:1], operations=pbnm, symbol="P n m a", number=62))
    shifted = [one.replace("-z", "-z+1/2").replace("+1/2+1/2", "") for one in glide_a]  # origin moved by c/4
    moved = ["x,y,z", "-x,y+1/2,-z", "-x,-y,-z+1/2", "x,-y+1/2,z+1/2"]
    assert shifted[0] == moved[0]
    assert (
        formula(
            cif((5, 6, 7, 90, 100, 90), (("Na1", "Na", "0.1", "0.2", "0.3"),), operations=moved, symbol="P 1 21/c 1")
        )
        == "Na4"
    )


def test_operations_of_a_primitive_cell() -> None:
    """Rock salt in its cell of two atoms, with the symbol of the usual cell and the operations of its own."""
    lattice = Lattice.from_parameters(3.988, 3.988, 3.988, 60, 60, 60)
    salt = Structure(lattice, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = SpacegroupAnalyzer(salt).get_symmetry_operations()
    operations = [one.as_xyz_str() for one in found]
    assert len(operations) == 48
    text = cif((3.988, 3.988, 3.988, 60, 60, 60), operations=operations, symbol="F m -3 m", number=225)
    structure = read_crystal(text).structure
    assert (structure.composition.formula, group(structure)) == ("Na1 Cl1", 225)
    assert "space group 221" in refusal(cif(symbol="F m -3 m", operations=[one.text for one in SETTING_221]))


@pytest.mark.parametrize(
    "words",
    [
        {"symbol": "p 1"},
        {"symbol": "P1"},
        {"symbol": "P 1 (No. 1)"},
        {"hall": "P 1"},
        {"number": 1},
        {"more": "_space_group_crystal_system triclinic"},
        {"more": "_symmetry_cell_setting Triclinic"},
        {"symbol": "P 1", "more": "_space_group_crystal_system cubic"},
        {"operations": ["x,y,z"], "symbol": "P 1"},
        {"symbol": "?"},
        {},
    ],
)
def test_no_symmetry_in_its_spellings(words: dict[str, object]) -> None:
    assert formula(cif(**words)) == "Na1 Cl1"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    [
        {"symbol": "Q q q q"},
        {"hall": "nonsense"},
        {"more": "_space_group_crystal_system cubic"},
        {"more": "loop_\n_space_group_symop_operation_abc\nx,y,z"},
        {"symbol": "F m -3 m", "number": 227},
        {"symbol": "P 21/c (No. 15)"},
        {"more": "_cell_modulation_dimension 1"},
    ],
)
def test_symmetry_that_is_not_understood(words: dict[str, object]) -> None:
    assert refusal(cif(**words))  # type: ignore[arg-type]


@pytest.mark.parametrize("symbol", ["F M -3 M", "FM-3M", "F m 3 m", "Fm-3m", "F 4/m -3 2/m", "F_m_-3_m"])
def test_spellings_of_a_symbol(symbol: str) -> None:
    assert formula(cif(symbol=symbol)) == "Na4 Cl4"


def test_coordinates_and_occupancies() -> None:
    def with_row(*row: str) -> str:
        return cif(
            atoms=(("Na1", "Na", "0", "0", "0", "1"), row),
            columns=("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"),
        )

    for missing in (".", "?", "abc", "0,5", "nan", "inf", "1/2", "''"):
        assert "H1 has no position" in refusal(with_row("H1", "H", missing, "0.5", "0.5", "1"))
    for occupancy in (".", "?", "1", "1.0", "1.000(2)"):
        assert formula(with_row("Cl1", "Cl", "0.5", "0.5", "0.5", occupancy)) == "Na1 Cl1"
    assert "occupancy of Cl1 is -1" in refusal(with_row("Cl1", "Cl", "0.5", "0.5", "0.5", "-1"))
    assert "Occupancy 2.0" in refusal(with_row("Cl1", "Cl", "0.5", "0.5", "0.5", "2"))
    assert "occupancy of Cl1" in refusal(with_row("Cl1", "Cl", "0.5", "0.5", "0.5", "full"))
    assert not read_crystal(with_row("Cl1", "Cl", "0.5", "0.5", "0.5", "0.5")).structure.is_ordered
    cartesian = cif(columns=("label", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z"))
    assert "Cartesian coordinates only" in refusal(cartesian)


@pytest.mark.parametrize(
    ("kind", "element", "isotope"),
    [
        ("D", "H", "deuterium"),
        ("2H", "H", "deuterium"),
        ("T", "H", "tritium"),
        ("3H", "H", "tritium"),
        ("D+", "H", "deuterium"),
        ("13C", "C", "13C"),
        ("57Fe", "Fe", "57Fe"),
        ("1H", "H", None),
        ("FE", "Fe", None),
        ("fe", "Fe", None),
        ("Fe3+", "Fe", None),
        ("Fe+3", "Fe", None),
        ("Fe2.5+", "Fe", None),
        ("O2-", "O", None),
        ("Cval", "C", None),
        ("Siva", "Si", None),
        ("Na1", "Na", None),
        ("CO", "Co", None),
    ],
)
def test_types(kind: str, element: str, isotope: str | None) -> None:
    crystal = read_crystal(cif(atoms=(("A1", kind, "0", "0", "0"), ("S1", "S", "0.5", "0.5", "0.5"))))
    assert {str(one) for one in crystal.structure.composition.element_composition} == {element, "S"}
    assert crystal.remarks == (
        (f"{isotope} is described as {'hydrogen' if element == 'H' else element}",) if isotope else ()
    )


@pytest.mark.parametrize(
    "kind", ["Wat", "OH", "OH2", "H2O", "NO3", "NH4", "CO3", "PO4", "CN", "Xx", "Q", "Va", "4H", "Q1", "2D", "A"]
)
def test_types_that_are_no_elements(kind: str) -> None:
    assert f"'{kind}' is no element" in refusal(cif(atoms=(("A1", kind, "0", "0", "0"), *SALT[1:])))


@pytest.mark.parametrize(
    ("label", "stated", "element"),
    [
        ("HO1", None, "H"),
        ("Ho1", None, "Ho"),
        ("HO1", "Ho2 O3", "Ho"),
        ("Na1", None, "Na"),
        ("C12A", None, "C"),
        ("OW1", None, "O"),
        ("Ow", None, "O"),
        ("HW2", None, "H"),
        ("D1", None, "H"),
        ("O1'", None, "O"),
        ("CO1", "Co O", "Co"),
        ("CO1", "C O", "C"),
        ("CL1", "CL NA", "Cl"),
        ("CAB", "C2 H4", "C"),
        ("CO1", None, None),
        ("SI1", None, None),
        ("Wat1", None, None),
        ("Wat1", "W O3", None),
        ("OH1", None, None),
        ("T1", None, None),
        ("M1", None, None),
        ("X", None, None),
        ("1", None, None),
        ("Fe1", "Mg O", None),
    ],
)
def test_labels_without_types(label: str, stated: str | None, element: str | None) -> None:
    from llm4mat_bench.dataset_builder.crystals.stated_formula import known_elements
    from llm4mat_bench.dataset_builder.crystals.symbols import of_label

    if element is None:
        with pytest.raises(StructureError, match=label):
            of_label(label, known_elements(stated))
    else:
        assert of_label(label, known_elements(stated)).element == element
    untyped = cif(atoms=((label, "0", "0", "0"),), columns=("label", "fract_x", "fract_y", "fract_z"))
    if stated is None and element is not None:
        assert read_crystal(untyped, allow_mismatch=True).structure.species[0].symbol == element


def test_hydrogens_without_a_position() -> None:
    attached = cif(
        atoms=(("O1", "O", "0", "0", "0", "2"), ("Na1", "Na", ".5", ".5", ".5", "0")),
        columns=("label", "type_symbol", "fract_x", "fract_y", "fract_z", "attached_hydrogens"),
    )
    assert "2 at O1" in refusal(attached)
    assert any("2 at O1" in remark for remark in read_crystal(attached, allow_mismatch=True).remarks)
    text = cif(symbol="F m -3 m", formula="Cl H2 Na")
    assert "no position is given for hydrogen" in refusal(text)
    crystal = read_crystal(text, allow_mismatch=True)
    assert crystal.structure.composition.formula == "Na4 Cl4"
    assert "no position is given for hydrogen" in crystal.remarks[0]
    some = cif(atoms=(("N1", "N", "0", "0", "0"), ("H1", "H", "0.2", "0.2", "0.2")), formula="N H3")
    assert "some hydrogens have no position" in refusal(some)


@pytest.mark.parametrize(
    "stated", ["CL NA", "Cl1 Na1", "ClNa", "Na4 Cl4", "Cl Na", "NA1 CL1", "Na1.0 Cl1.0", "?", "salt"]
)
def test_formulas_that_fit(stated: str) -> None:
    assert formula(cif(symbol="F m -3 m", formula=stated)) == "Na4 Cl4"


def test_one_atom_of_many_that_is_missing() -> None:
    atoms = [(f"C{n}", "C", f"{n / 120:.4f}", "0.5", "0.5") for n in range(119)]
    cell = (200, 5, 5, 90, 90, 90)
    assert "but _chemical_formula_sum is C120 H1" in refusal(
        cif(cell, [*atoms, ("H1", "H", "0", "0", "0")], formula="C120 H1")
    )
    assert "formula units" in refusal(cif(cell, atoms, formula="C", units=120))
    assert formula(cif(cell, atoms, formula="C119", units=1)) == "C119"


@pytest.mark.parametrize("species", [["K", "O"], ["N", "N"], ["Si", "Si"], ["H", "O"], ["Cl", "Cl"], ["Na", "Cl"]])
def test_units_as_pymatgen_counts_them(species: list[str]) -> None:
    """Its formula is that of the whole cell, its Z that of the reduced formula, which is ``K2 O2`` and ``N2``."""
    places = [[0.1 * n, 0.2 * n, 0.05 * n] for n in range(8)]
    structure = Structure(np.eye(3) * 20, species * 4, places)
    text = structure.to(fmt="cif")
    assert "_cell_formula_units_Z" in text
    assert read_crystal(text).structure.composition == structure.composition


@pytest.mark.parametrize("label", ["Wat1", "OW1", "Ow", "OH2", "wat", "H2O1", "OH"])
def test_water_by_name_alone(label: str) -> None:
    atoms = (("Na1", "Na", "0", "0", "0"), (label, "O", "0.5", "0.5", "0.5"))
    assert "hydrogens without a position" in refusal(cif(atoms=atoms))
    assert "by its name" in read_crystal(cif(atoms=atoms), allow_mismatch=True).remarks[0]
    assert formula(cif(atoms=atoms, formula="Na O")) == "Na1 O1", "the formula says that there are none"
    assert formula(cif(atoms=(*atoms, ("H1", "H", "0.5", "0.5", "0.3")))) == "Na1 H1 O1"


def test_atoms_that_no_crystal_has_so_close() -> None:
    nanometres = (0.564, 0.564, 0.564, 90, 90, 90)
    assert "atoms overlap: Na and" in refusal(cif(nanometres, symbol="F m -3 m"))
    full = [("Na1", "Na", "0", "0", "0"), ("Cl1", "Cl", "0.5", "0.5", "0.5")]
    assert "not in Å" in refusal(cif((0.4, 0.4, 0.4, 90, 90, 90), full))


def test_an_atom_of_no_occupancy_is_named() -> None:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    atoms = (("Na1", "Na", "0", "0", "0", "1"), ("Cl1", "Cl", "0.5", "0.5", "0.5", "0"))
    crystal = read_crystal(cif(atoms=atoms, columns=columns))
    assert crystal.structure.composition.formula == "Na1"
    assert crystal.remarks == ("Cl1 has an occupancy of 0 and is left out",)
    assert "no atoms" in refusal(cif(atoms=atoms[1:], columns=columns))


def test_cells() -> None:
    for place, value in ((0, "-5.64"), (1, "0"), (2, "?"), (3, "180"), (4, "-90"), (5, "0"), (0, "x"), (3, "nan")):
        cell: list[object] = [5.64, 5.64, 5.64, 90, 90, 90]
        cell[place] = value
        assert "_cell_" in refusal(cif(cell))
    assert "do not close" in refusal(cif((5, 5, 5, 30, 30, 100)))
    assert "_cell_volume" in refusal(cif(more="_cell_volume 150"))
    assert formula(cif(more="_cell_volume 179.4(2)")) == "Na1 Cl1"


def test_rounded_special_positions() -> None:
    """Magnesium at 0.333 0.667 1/4 stays two atoms a cell, and the row says that it was moved."""
    for x, y in (("0.333", "0.667"), ("0.33", "0.67"), ("0.333", "0.666"), ("0.3333", "0.6667")):
        crystal = read_crystal(cif((3.2, 3.2, 5.2, 90, 90, 120), (("Mg1", "Mg", x, y, "0.25"),), symbol="P 63/m m c"))
        assert crystal.structure.composition.formula == "Mg2"
        assert group(crystal.structure) == 194
    split = (("Mg1", "Mg", "0.2934", "0.5971", "0.25"),)
    assert "atoms overlap" in refusal(cif((3.2, 3.2, 5.2, 90, 90, 120), split, symbol="P 63/m m c"))


def test_magnetic_cif() -> None:
    more = "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,+1\n"
    more += "loop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\nx+1/2,y+1/2,z+1/2,-1\n"
    more += "_space_group_magn.number_BNS 2.7\n_parent_space_group.name_H-M_alt 'P m -3 m'"
    crystal = read_crystal(cif(atoms=(("Mn1", "Mn", "0", "0", "0"),), more=more))
    assert crystal.structure.composition.formula == "Mn2"
    assert crystal.remarks == ("magnetic moments are not described",)
    bare = cif(atoms=(("Mn1", "Mn", "0", "0", "0"),), more="_space_group_magn.number_BNS 2.7")
    assert "not understood" in refusal(bare)


def test_texts_that_are_written_oddly() -> None:
    salt = cif(symbol="F m -3 m", formula="Cl Na")
    text_field = "_publ_section_comment\n;\ndata_other\nloop_\n_space_group_symop_operation_xyz\nx,y,z\n;"
    for text in (
        salt.replace("\n", "\r\n"),
        salt.replace("\n", "\r"),
        "\ufeff" + salt,
        salt + "\x1a",
        salt + "\0\0",
        "# a comment\n\n" + salt,
        salt.upper().replace("'CL NA'", "'CL NA'"),
        salt.replace("_cell_", "_CELL_").replace("loop_", "LOOP_").replace("data_", "DATA_"),
        salt.replace("loop_", "_loop"),
        "data_global\n_journal_year 2020\n\n" + salt + "\ndata_pattern\n_pd_meas_number_of_points 10\n",
        salt.replace("_cell_length_a", text_field + "\n_cell_length_a"),
        salt.replace("'F m -3 m'", "F m -3 m"),
        salt.replace("_cell_length_a", "_chemical_name_common Sodium chloride\n_cell_length_a"),
        salt.replace("_cell_length_", "_cell.length_").replace("_atom_site_", "_atom_site."),
        salt.replace("_cell_length_a 5.64", "_cell_length_a 5.64\n_cell_length_a 5.64"),
    ):
        assert formula(text) == "Na4 Cl4", text


def test_several_blocks() -> None:
    salt, sylvite = (
        cif(symbol="F m -3 m", name="NaCl"),
        cif(
            (6.29, 6.29, 6.29, 90, 90, 90),
            (("K1", "K", "0", "0", "0"), SALT[1]),
            symbol="F m -3 m",
            formula="K Cl",
            name="KCl",
        ),
    )
    assert "2 crystals in one text (NaCl, KCl)" in refusal(salt + sylvite)
    names = [block.name for block in crystal_blocks(salt + "data_\n_audit 1\n" + sylvite + salt)]
    assert names == ["NaCl", "KCl", "NaCl#2"]
    assert [formula(block.text) for block in crystal_blocks(salt + sylvite)] == ["Na4 Cl4", "K4 Cl4"]
    broken = "data_broken\n_pd 'unclosed\nloop_\n_a\n_b\n1\n"
    assert formula(salt + broken) == formula(broken + salt) == "Na4 Cl4"


def test_what_is_cut_off_or_twice() -> None:
    text = cif(symbol="F m -3 m", formula="Cl Na")
    assert "but _chemical_formula_sum" in refusal(text[: text.index("Cl1 Cl")])
    assert refusal(text[: text.index(" 0.5 0.5")])
    assert "no atoms" in refusal(text[: text.index("Na1 Na")])
    assert "twice" in refusal(text.replace("_cell_length_b", "_cell_length_a 6\n_cell_length_b"))
    assert "empty" in refusal(" \n\0")
    assert "not a CIF" in refusal("PK\x03\x04 nothing")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"", "utf-8"),
        (b"", "latin-1"),
    ],
)
def test_encodings(mark: bytes, encoding: str) -> None:
    text = cif(symbol="F m -3 m", more='_publ_author "Müller, Å."')
    assert formula(decode_text(mark + text.encode(encoding))) == "Na4 Cl4"
