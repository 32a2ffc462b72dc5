"""Fields of CIF texts: the formula, and the text without derived fields."""

import pyarrow as pa
import pytest

from llm4mat_bench.dataset_builder.crystals.cif_fields import DERIVED_FIELDS, cif_formulas, strip_derived


def test_formula_of_texts() -> None:
    cifs = [
        "data_x\n_chemical_formula_sum   'Al1 Te1 W2 O8'\n",
        'data_x\n_chemical_formula_sum "NaCl"\n_cell',
        "_chemical_formula_sum\n'Na1 Cl1'\n",
        "_chemical_formula_sum NaCl",
        "data_x\n",
        None,
    ]
    assert cif_formulas(pa.array(cifs)) == ["Al1 Te1 W2 O8", "NaCl", "Na1 Cl1", "NaCl", None, None]


CIF = """# generated using pymatgen
data_NaCl
_symmetry_space_group_name_H-M   'P 1'
_cell_length_a   5.00000000
_cell_volume   125.00000000
_chemical_formula_structural   NaCl
_chemical_formula_sum
'Na1 Cl1'
_chemical_name_systematic
;
sodium
chloride
;
_cell_formula_units_Z   1
_exptl_crystal_density_diffrn 2.1
loop_
 _atom_site_type_symbol
 _atom_site_fract_x
  Na 0.0
"""


def test_strip_derived() -> None:
    stripped = strip_derived(CIF)
    assert stripped == (
        "data_crystal\n_symmetry_space_group_name_H-M   'P 1'\n_cell_length_a   5.00000000\n"
        "loop_\n _atom_site_type_symbol\n _atom_site_fract_x\n  Na 0.0\n"
    )
    assert strip_derived(stripped) == stripped
    assert strip_derived(CIF.replace("\n", "\r\n")) == stripped


def test_a_stripped_cif_is_still_the_same_crystal() -> None:
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.cif import CifWriter

    structure = Structure(Lattice.from_parameters(3, 4, 5, 80, 95, 100), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.4, 0.3]])
    text = strip_derived(str(CifWriter(structure)))
    assert not any(field in text for field in DERIVED_FIELDS)
    again = Structure.from_str(text, fmt="cif")
    assert again.composition == structure.composition
    assert again.volume == pytest.approx(structure.volume, rel=1e-6)
