"""Cantor HEA: one CSV from Zenodo whose structures are Python-literal dicts, read as literals and never run."""

from collections.abc import Mapping
from pathlib import Path

from ..catalogue import Source
from ..crystals.errors import StructureError
from ..crystals.structures import parse_literal, structure_of_dict
from .csv_source import CsvSource
from .records import Record, fill_structure, find_input, raw_names


class CantorHea(CsvSource):
    """Reads the CSV; the relaxed structure is the one taken."""

    name = "cantor_hea"

    def find(self, source: Source, origin: Path) -> Path:
        """Find the CSV."""
        name = source.download.url.rpartition("/")[2]
        return find_input(origin, [name, f"{name}.gz", "hea*.csv", "*.csv"], f"CSV of '{source.id}'")

    def text_columns(self, source: Source) -> dict[str, tuple[str, ...]]:
        """Id, formula and relaxed structure."""
        return {
            "material_id": (source.download.id_column,),
            "composition": ("reduced_formula",),
            "structure": ("structure_as_dict",),
        }

    def convert(self, source: Source, cells: Mapping[str, str], origin: Path) -> Record:
        """Write the CIF of the structure."""
        del origin
        record = Record(
            material_id=cells["material_id"],
            composition=cells["composition"],
            properties={name: cells[name] for name in raw_names(source)},
        )
        text = cells["structure"].strip()
        if not text or text == "nan":
            return record
        try:
            return fill_structure(record, structure_of_dict(parse_literal(text)))
        except StructureError:
            record.marked = ("unreadable_structure",)
            return record
