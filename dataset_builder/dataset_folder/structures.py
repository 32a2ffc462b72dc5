"""Where `describe` finds structures: whatever it reads, and dataset folders, whole ones only."""

from pathlib import Path

from ..descriptions.batch.entries import Source
from ..descriptions.batch.inputs import open_sources
from ..descriptions.batch.tables import open_tables
from .layout import DATA
from .reading import open_dataset_folder


def open_structures(*paths: Path, column: str | None = None, id_column: str | None = None) -> Source:
    """Find out what the paths are. See `open_sources` for all but dataset folders.

    Args:
        paths: Files of crystals, or one folder or ``.zip`` of them, one ``.csv`` or ``.parquet``, or a dataset folder.
        column: The column of a table that holds the structures.
        id_column: The column that names them.

    Raises:
        DescribeInputError: It does not exist or holds no structures.
        UsageError: A column that is not there, or columns named for something that has none.
        DataError: A dataset folder lacks a shard, or is not what its build report says.
    """
    path = paths[0]
    if len(paths) > 1 or not any((path / DATA).glob("*/*.parquet")):
        return open_sources(paths, column, id_column)
    folder = open_dataset_folder(path)
    shards = [
        file
        for source in folder.sources.values()
        for files in source.shards.values()
        for file in files
        if isinstance(file, Path)  # as all are on disk
    ]
    return open_tables(path, shards, column, id_column)
