"""Where structures come from: a CIF, a folder or zip of CIFs, a column of a table or of several.

A source is read twice, once to learn its size and hash and once to work, and never held whole: each reading yields
entries in the same order.
"""

from pathlib import Path

from .cif_files import file_entry, open_folder, open_zip
from .entries import Source
from .errors import DescribeInputError, DescribeUsageError
from .tables import open_csv, open_parquet


def open_source(path: Path, column: str | None = None, id_column: str | None = None) -> Source:
    """Find out what ``path`` is.

    Args:
        path: A ``.cif``, a folder, a ``.zip``, ``.csv`` or ``.parquet``.
        column: The column of a table that holds the structures; one of ``COLUMNS`` where left out.
        id_column: The column that names them; one of ``ID_COLUMNS``, or the row's number, where left out.

    Raises:
        DescribeInputError: It does not exist or holds no structures.
        DescribeUsageError: A column that is not there, or columns named for something that has none.
    """
    suffix = path.suffix.lower()
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
    if suffix in (".cif", ".json"):
        return Source("file", lambda: iter([file_entry(path, path.name)]))
    raise DescribeInputError(f"{path}: give a .cif, .zip, .csv or .parquet file, or a folder")


def _no_columns(path: Path, column: str | None, id_column: str | None) -> None:
    if column or id_column:
        raise DescribeUsageError(f"{path} has no columns: leave out --column and --id-column")
