"""GNoME: ``stable_materials_summary.csv`` and the CIFs, in ``by_id.zip`` or a folder."""

from collections.abc import Mapping
from pathlib import Path

from ...errors import DataError
from ..catalogue import Source
from .cif_files import read_cif
from .csv_source import CsvSource
from .records import Record, find_input, raw_names


class Gnome(CsvSource):
    """Reads the summary and, row by row, the CIF of each material."""

    name = "gnome"

    def find(self, source: Source, origin: Path) -> Path:
        """Find the summary."""
        return find_input(
            origin, ["stable_materials_summary.csv", "stable_materials_summary.csv.gz"], f"summary of '{source.id}'"
        )

    def others(self, source: Source, origin: Path) -> list[Path]:
        """Find the CIFs."""
        del source
        folder = origin if origin.is_dir() else origin.parent
        for name in ("by_id.zip", "by_id"):
            if (folder / name).exists():
                return [folder / name]
        raise DataError(f"{folder}: no by_id.zip (the CIFs of GNoME) beside the summary")

    def text_columns(self, source: Source) -> dict[str, tuple[str, ...]]:
        """Id and formula."""
        return {"material_id": (source.download.id_column,), "composition": ("Reduced Formula", "Composition")}

    def convert(self, source: Source, cells: Mapping[str, str], origin: Path) -> Record:
        """Add the CIF; a row without one keeps its properties."""
        material_id = cells["material_id"].strip()
        return Record(
            material_id=material_id,
            composition=cells["composition"],
            cif=read_cif(self.others(source, origin)[0], material_id),
            properties={name: cells[name] for name in raw_names(source)},
        )
