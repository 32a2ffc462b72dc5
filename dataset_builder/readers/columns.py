"""Which column of a CSV file is which."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from ..catalogue import Source

_FORMULAS = ("formula", "formula_pretty", "reduced_formula", "composition")
_CIFS = ("cif_structure", "cif")
_DESCRIPTIONS = ("description",)


class Columns(NamedTuple):
    """Names in the file: texts (None where there is none), and dataset name -> name in the file for properties."""

    material_id: str
    composition: str | None
    cif: str | None
    structure: str | None
    description: str | None
    properties: dict[str, str]


def find_columns(header: Sequence[str], source: Source, path: Path) -> Columns:
    """Match the header of a published file with the declaration of its source.

    Blanks, underscores and case do not matter where the exact name is absent (GNoME has both spellings).

    Raises:
        DataError: A column that is needed is missing; the message names it and what is there.
    """
    properties = {}
    missing = []
    for prop in source.properties:
        found = find_one(header, (prop.published_column, prop.name))
        if found is None:
            missing.append(prop.published_column)
        else:
            properties[prop.name] = found
    material_id = _id_column(header, source)
    cif, structure = find_one(header, _CIFS), find_one(header, ("structure",))
    if material_id is None:
        missing.insert(0, source.published.id_column or f"{source.id}_id")
    if cif is None and structure is None:
        missing.insert(0, "cif_structure")
    composition = find_one(header, (source.published.formula_column, *_FORMULAS))
    if composition is None:
        missing.insert(0, source.published.formula_column)
    if missing or material_id is None:
        near = {name: get_close_matches(name, [h for h in header if h], n=1, cutoff=0.75) for name in missing}
        hints = [f"{name} (is it {match[0]}?)" if match else name for name, match in near.items()]
        raise DataError(
            f"{path}: no column {', '.join(hints)}. The header is: {', '.join(header[:30])}. Is this a file of "
            f"'{source.id}'?"
        )
    return Columns(material_id, composition, cif, structure, find_one(header, _DESCRIPTIONS), properties)


def find_one(header: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the first of the names that the header has, exactly or but for blanks, underscores and case.

    Raises:
        DataError: Two columns differ in nothing else.
    """
    for name in names:
        if name in header:
            return name
    folded: dict[str, list[str]] = {}
    for column in header:
        if column:
            folded.setdefault(_fold(column), []).append(column)
    for name in names:
        found = folded.get(_fold(name), [])
        if len(found) > 1:
            raise DataError(f"columns {', '.join(found)} could all be {name}; rename or delete all but one of them")
        if found:
            return found[0]
    return None


def _fold(name: str) -> str:
    return re.sub(r"[\s_]+", "_", name.strip()).casefold()


def _id_column(header: Sequence[str], source: Source) -> str | None:
    known = [source.published.id_column, "material_id", f"{source.id}_id", source.download.id_column]
    found = find_one(header, [name for name in known if name])
    if found is not None:
        return found
    candidates = [name for name in header if name.casefold().endswith("_id")]
    return candidates[0] if len(candidates) == 1 else None
