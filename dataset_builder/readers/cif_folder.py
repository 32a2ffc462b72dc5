"""A source of your own: a CSV of properties, and a folder or zip of CIFs (or a column that holds them).

The declaration is a YAML file like those in the catalogue. Columns of the CSV: the id (``download.id_column``), the
properties, and as far as there is any: ``composition``/``formula``, ``description``, ``cif`` (text).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import DataError
from ..catalogue import Source
from ..cleaning.raw import RawBatch
from ..crystals.errors import StructureError
from ..crystals.formulas import element_shares, same_proportions
from ..crystals.reading import cif_composition
from .base import Piece
from .cif_files import read_cif
from .columns import find_one
from .csv_source import CsvSource
from .records import Record, find_input, raw_names

_OPTIONAL = {
    "composition": ("composition", "formula", "reduced_formula", "formula_pretty"),
    "description": ("description",),
    "cif": ("cif", "cif_structure"),
}
_PLACES = ("cifs", "cif", "structures", "cifs.zip", "cif.zip", "structures.zip")


class CifFolder(CsvSource):
    """Reads a user's own source."""

    name = "cif_folder"

    def find(self, source: Source, origin: Path) -> Path:
        """Find the CSV of properties."""
        names = [f"{source.id}.csv", "properties.csv", "*.csv", f"{source.id}.csv.gz", "properties.csv.gz"]
        return find_input(origin, names, "CSV of properties")

    def text_columns(self, source: Source) -> dict[str, tuple[str, ...]]:
        """The id; the rest is optional."""
        return {"material_id": (source.download.id_column, "material_id", "id")}

    def convert(self, source: Source, cells: Mapping[str, str], origin: Path) -> Record:
        """Find the CIF of the row, in its column or by its id; the formula from the CIF where none is given."""
        material_id = cells["material_id"].strip()
        cif = cells.get("cif") or None
        if cif is None and (place := self._place(origin)) is not None:
            cif = read_cif(place, material_id)
        record = Record(
            material_id=material_id,
            composition=cells.get("composition") or None,
            cif=cif,
            description=cells.get("description") or None,
            properties={name: cells[name] for name in raw_names(source)},
        )
        if cif is not None:
            try:
                found = cif_composition(cif)  # read as `describe` reads it
            except StructureError:
                record.marked = ("unreadable_structure",)
            else:
                record.composition = record.composition or found
                record.marked = () if _agree(record.composition, found) else ("formula_mismatch",)
        return record

    def read(self, source: Source, piece: Piece, origin: Path) -> Iterator[RawBatch]:
        """Read one piece; without a place for CIFs the CSV must have them."""
        if self._place(origin) is None and find_one(piece.columns, _OPTIONAL["cif"]) is None:
            raise DataError(
                f"{origin}: no CIFs: neither a folder or zip named {', '.join(_PLACES)}, nor *.cif, nor a column cif"
            )
        return super().read(source, piece, origin)

    def _names(self, source: Source, header: Sequence[str], path: Path) -> dict[str, str]:
        names = super()._names(source, header, path)
        optional = {name: find_one(header, choices) for name, choices in _OPTIONAL.items()}
        return {**names, **{name: column for name, column in optional.items() if column is not None}}

    @staticmethod
    def _place(origin: Path) -> Path | None:
        folder = origin if origin.is_dir() else origin.parent
        for name in _PLACES:
            if (folder / name).exists():
                return folder / name
        return folder if any(folder.glob("*.cif")) or any(folder.glob("*.CIF")) else None


def _agree(formula: str, found: str) -> bool:
    """Whether a formula of the table is that of the crystal; one that cannot be read is another rule's."""
    one, other = element_shares("".join(formula.split())), element_shares(found)
    return one is None or other is None or same_proportions(one, other)
