"""Readers by name."""

from pathlib import Path

from ...errors import DataError, unknown_name
from ..catalogue import Source
from .base import Reader
from .cantor_hea import CantorHea
from .cif_folder import CifFolder
from .gnome import Gnome
from .jarvis import Jarvis
from .materials_project import MaterialsProject
from .omdb_official import OmdbOfficial
from .published_csv import PublishedCsv, published_folder


def readers() -> dict[str, Reader]:
    """All readers."""
    every: tuple[Reader, ...] = (
        PublishedCsv(),
        Jarvis(),
        Gnome(),
        CantorHea(),
        MaterialsProject(),
        OmdbOfficial(),
        CifFolder(),
    )
    return {reader.name: reader for reader in every}


def get_reader(name: str) -> Reader:
    """Return the reader of that name.

    Raises:
        UsageError: There is none.
    """
    known = readers()
    if name not in known:
        raise unknown_name("reader", name, known)
    return known[name]


def choose_reader(source: Source, origin: Path) -> str:
    """Name the reader for what lies at ``origin``: the published CSVs where they are, else the source's raw form.

    Raises:
        DataError: There is nothing at ``origin``.
    """
    if not origin.exists():
        raise DataError(f"{origin}: no such folder; --from takes the published CSVs or a raw dump")
    if published_folder(source, origin) is not None:
        return PublishedCsv.name
    return source.download.reader if source.download.reader in readers() else PublishedCsv.name
