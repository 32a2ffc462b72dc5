"""Fields of a CIF's text: the formula it states, and the text without fields that follow from the others.

A target must not be read off a CIF or worked out trivially.

The published CIFs state the cell's volume and its formula units: ``mp/volume`` stands there in so many digits, and
density and volume per atom follow by one division. The edges, angles and sites stay: they are the crystal.
"""

import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

_CIF_SUM = r"""(?m)^_chemical_formula_sum\s+(?P<sum>'[^'\n]*'|"[^"\n]*"|\S+)"""
CifPolicy = Literal["keep", "strip-derived"]

# Each follows from cell and sites (or, for the space group of a P 1 cell, says nothing).
DERIVED_FIELDS = (
    "_cell_volume",
    "_cell_formula_units_Z",
    "_chemical_formula_structural",
    "_chemical_formula_sum",
    "_chemical_formula_moiety",
    "_chemical_formula_weight",
    "_chemical_formula_analytical",
    "_chemical_formula_iupac",
    "_chemical_name_systematic",
    "_chemical_name_common",
    "_chemical_name_mineral",
    "_exptl_crystal_density_diffrn",
    "_exptl_crystal_density_meas",
    "_exptl_crystal_F_000",
    "_exptl_absorpt_coefficient_mu",
)
# A value stands behind its name, on the next line, or between lines that begin with a semicolon.
_VALUE = r"(?:[ \t]+\S[^\n]*|[ \t]*\n;[^\n]*\n(?:(?!;)[^\n]*\n)*;[^\n]*|[ \t]*\n(?![_#;]|loop_|data_)[^\n]+|[ \t]*)"
_DERIVED = re.compile(
    rf"^[ \t]*(?:{'|'.join(map(re.escape, DERIVED_FIELDS))}){_VALUE}(?:\n|\Z)", re.MULTILINE | re.IGNORECASE
)
_COMMENT = re.compile(r"^#[^\n]*(?:\n|\Z)", re.MULTILINE)
_BLOCK = re.compile(r"^data_[^\n]*", re.MULTILINE)


def strip_derived(cif: str) -> str:
    """Take out derived fields, comments, and the formula in the name of the data block."""
    text = cif.replace("\r\n", "\n")
    text = _COMMENT.sub("", text)
    text = _DERIVED.sub("", text)
    return _BLOCK.sub("data_crystal", text)


def stripped_column(cifs: pa.Array) -> pa.Array:
    """Strip a column of CIFs; null stays null."""
    return pa.array((None if cif is None else strip_derived(cif) for cif in cifs.to_pylist()), pa.string())


def cif_formulas(cifs: pa.Array) -> list[str | None]:
    """Formula sum that each CIF states, None where it states none."""
    found = pc.struct_field(pc.extract_regex(cifs, _CIF_SUM), "sum")
    return [None if text is None else text.strip("'\"") for text in found.to_pylist()]
