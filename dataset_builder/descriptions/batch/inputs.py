"""Where structures come from: files of crystals, a folder or zip of them, a column of a table or of several.

A source is read twice, once to learn its size and hash and once to work, and never held whole: each reading yields
entries in the same order.
"""

from collections.abc import Sequence
from pathlib import Path

from .crystal_files import STDIN, is_crystal_file, open_file, open_files, open_folder, open_stdin, open_zip
from .entries import Source
from .errors import DescribeInputError, DescribeUsageError
from .tables import open_csv, open_parquet


def open_source(path: Path, column: str | None = None, id_column: str | None = None) -> Source:
    """Find out what ``path`` is.

    Args:
        path: A ``.cif``, ``.mcif``, ``.cif.gz``, ``POSCAR``, ``.vasp`` or ``.json``, a folder or ``.zip`` of them, a
            ``.csv`` or ``.parquet``, or ``-`` for standard input.
        column: The column of a table that holds the structures; one of ``COLUMNS`` where left out.
        id_column: The column that names them; one of ``ID_COLUMNS``, or the row's number, where left out.

    Raises:
        DescribeInputError: It does not exist or holds no structures.
        DescribeUsageError: A column that is not there, or columns named for something that has none.
    """
    suffix = path.suffix.lower()
    if str(path) == STDIN:
        _no_columns(path, column, id_column)
        return open_stdin()
    if not path.exists():
        raise DescribeInputError(f"{path} does not exist")
    if path.is_dir():
        _no_columns(path, column, id_column)
        return open_folder(path)
    if suffix == ".parquet":
        return open_parquet(path, column, id_column)
    if suffix == ".csv":
        return open_csv(path, column, id_column)
    _no_columns(path, column, id_column)
    if suffix == ".zip":
        return open_zip(path)
    if is_crystal_file(path.name) or suffix == ".json":
        return open_file(path)
    raise DescribeInputError(
        f"{path}: give a .cif (.mcif, .cif.gz), POSCAR, .vasp, .json, .zip, .csv or .parquet file, or a folder"
    )


def open_sources(paths: Sequence[Path], column: str | None = None, id_column: str | None = None) -> Source:
    """Open several files of crystals, one after the other, or one of anything. See `open_source`."""
    if len(paths) == 1:
        return open_source(paths[0], column, id_column)
    _no_columns(paths[0], column, id_column)
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise DescribeInputError(f"{missing} does not exist")
    for path in paths:
        if path.is_dir() or not (is_crystal_file(path.name) or path.suffix.lower() == ".json"):
            raise DescribeUsageError(
                f"{path}: several inputs in one call must be files of crystals (.cif, POSCAR, ...)"
            )
    return open_files(paths)


def _no_columns(path: Path, column: str | None, id_column: str | None) -> None:
    if column or id_column:
        raise DescribeUsageError(f"{path} has no columns: leave out --column and --id-column")
