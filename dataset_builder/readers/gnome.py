"""GNoME: ``stable_materials_summary.csv`` and the CIFs, in ``by_id.zip`` or a folder."""

import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from ...errors import DataError
from ..catalogue import Source
from .csv_source import CsvSource
from .records import Record, find_input, raw_names
from .unpack import open_zip, refuse_bomb


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


def read_cif(place: Path, name: str) -> str | None:
    """Read one CIF by the name of its material from a folder or a zip, None where there is none."""
    if place.is_dir():
        for ending in (".cif", ".CIF"):
            path = place / f"{Path(name).name}{ending}"
            if path.is_file():
                return path.read_text(encoding="utf-8", errors="replace")
        return None
    archive, members = _members(place, place.stat().st_mtime_ns)
    member = members.get(name.casefold())
    if member is None:
        return None
    with archive.open(member) as stream:
        data = stream.read(member.file_size + 1)
    refuse_bomb(place, len(data), member.compress_size)
    return data.decode("utf-8", errors="replace")


@lru_cache(maxsize=4)
def _members(path: Path, mtime_ns: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Open a zip of CIFs once a process: its list of members alone can be 381,000 entries long."""
    del mtime_ns
    with open_zip(path):
        pass  # the list of members has been looked at
    archive = zipfile.ZipFile(path)
    cifs = (one for one in archive.infolist() if one.filename.casefold().endswith(".cif"))
    return archive, {one.filename.rpartition("/")[2][:-4].casefold(): one for one in cifs}
