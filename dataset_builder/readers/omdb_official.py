"""The official OMDB files (registration needed): ``structures.xyz``, ``bandgaps.csv``, ``CODids.csv``, row by row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...progress import Progress
from ..catalogue import Source
from ..crystals.errors import StructureError
from ..crystals.structures import structure_of_jarvis
from .records import Record, RecordReader, fill_structure, find_input, text_of

_LATTICE = re.compile(r'Lattice="([^"]+)"', re.IGNORECASE)
_FILES = ("structures.xyz", "bandgaps.csv", "CODids.csv")
_PROPERTY = "bandgap"


class OmdbOfficial(RecordReader):
    """Reads the three files side by side."""

    name = "omdb_official"

    def inputs(self, source: Source, origin: Path) -> list[Path]:
        """Find the three files."""
        if not origin.is_dir():
            raise DataError(
                f"{origin}: no such folder. The official files are given to registered academic users at "
                f"{source.homepage}; put {', '.join(_FILES)} into one folder"
            )
        return [find_input(origin, [name], f"{name} of the official OMDB files ({source.homepage})") for name in _FILES]

    def required(self, source: Source) -> dict[str, str]:
        """The one property."""
        del source
        return {_PROPERTY: _PROPERTY}

    def records(self, source: Source, paths: Sequence[Path], progress: Progress) -> Iterator[Mapping[str, Any]]:
        """Yield structure, gap and id of each crystal.

        Raises:
            DataError: The files differ in length, or a frame of the xyz file is damaged.
        """
        structures, gaps, ids = paths
        gap_lines, id_lines = _values(gaps), _values(ids)
        if len(gap_lines) != len(id_lines):
            raise DataError(f"{gaps}: {len(gap_lines):,} values, but {ids.name} has {len(id_lines):,} ids")
        count = 0
        for count, frame in enumerate(read_xyz(structures), start=1):
            if count > len(id_lines):
                break
            progress(f"read {structures.name}", count, len(id_lines))
            yield {source.download.id_column: id_lines[count - 1], _PROPERTY: gap_lines[count - 1], "atoms": frame}
        if count != len(id_lines):
            raise DataError(f"{structures}: not the {len(id_lines):,} structures that {ids.name} has ids for")

    def convert(self, source: Source, record: Mapping[str, Any]) -> Record:
        """Write the CIF of a frame."""
        out = Record(
            text_of(record[source.download.id_column]), properties={source.properties[0].name: record[_PROPERTY]}
        )
        try:
            return fill_structure(out, structure_of_jarvis(record["atoms"]))
        except StructureError:
            out.marked = ("unreadable_structure",)
            return out


def read_xyz(path: Path) -> Iterator[dict[str, Any]]:
    """Stream the frames of an extended xyz file in the form of JARVIS atoms.

    Raises:
        DataError: A frame is cut short or has no lattice; the message names its number.
    """
    with path.open(encoding="utf-8", errors="replace") as handle:
        number = 0
        while line := handle.readline():
            if not line.strip():
                continue
            number += 1
            where = f"{path}: structure {number}"
            try:
                sites = int(line)
            except ValueError as error:
                raise DataError(f"{where}: the number of atoms is expected, not '{line.strip()[:40]}'") from error
            lattice = _LATTICE.search(handle.readline())
            if lattice is None:
                raise DataError(f'{where}: no Lattice="..." in its second line')
            elements, coords = [], []
            for _ in range(sites):
                fields = handle.readline().split()
                try:
                    coords.append([float(x) for x in fields[1:4]])
                    elements.append(fields[0])
                except (IndexError, ValueError) as error:
                    raise DataError(f"{where}: cut short or damaged") from error
                if len(coords[-1]) != 3:
                    raise DataError(f"{where}: cut short or damaged")
            edges = [float(x) for x in lattice.group(1).split()]
            if len(edges) != 9:
                raise DataError(f"{where}: a lattice has nine numbers, not {len(edges)}")
            yield {
                "lattice_mat": [edges[0:3], edges[3:6], edges[6:9]],
                "coords": coords,
                "elements": elements,
                "cartesian": True,
            }


def _values(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if lines and not re.match(r"[-+.\d]", lines[0]):
        lines = lines[1:]  # a header
    return [line.split(",")[-1].strip() for line in lines]
