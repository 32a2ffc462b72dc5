"""The texts of a split as a memory-mapped Arrow file in the cache of the ``datasets`` library.

Parquet has to be unpacked to be read, so each text column is unpacked once and then mapped: what a model does not look
at costs no memory. All tasks of a source share the file of a modality.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from filelock import FileLock

from ...errors import DataError
from ...files import replace_file
from ...progress import Advance, Progress, advance_of
from .layout import ID_COLUMN
from .reading import SourceFiles
from .shard_files import HubFile, ShardFile, iter_batches

if TYPE_CHECKING:
    from datasets.table import MemoryMappedTable

TEXT = "text"
_BATCH_ROWS = 1000  # as the datasets library writes them: a few MB of descriptions
_SCHEMA = pa.schema([(ID_COLUMN, pa.string()), (TEXT, pa.string())])
_VERSION = 1  # of the cached file


def mapped_texts(source: SourceFiles, column: str, split: str, progress: Progress) -> "MemoryMappedTable":
    """Map ids and texts of all rows of a split, unpacking them first where that was not done yet.

    Args:
        source: The source.
        column: Its text column.
        split: The split.
        progress: Told the rows that are unpacked.

    Returns:
        Columns ``material_id`` and ``text``.

    Raises:
        DataError: A shard cannot be read, or the cache cannot be written.
    """
    from datasets.table import MemoryMappedTable

    path = _cached_path(source, column, split)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # another process may be unpacking the same
            if not path.exists():
                shards: list[ShardFile] = [
                    one.download() if isinstance(one, HubFile) else one for one in source.shards[split]
                ]
                advance = advance_of(f"{source.name}: unpacking {column} of {split}", source.rows[split], progress)
                _unpack(shards, column, path, advance)
                _forget_older(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; HF_DATASETS_CACHE says where to keep it") from error
    table = MemoryMappedTable.from_file(str(path))
    if table.num_rows != source.rows[split]:
        raise DataError(f"{path}: {table.num_rows:,} rows for {source.rows[split]:,}; delete it and load again")
    return table


def _unpack(shards: list[ShardFile], column: str, path: Path, advance: Advance) -> None:
    with (
        replace_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_stream(file, _SCHEMA) as to,
    ):
        for _, batch in iter_batches(shards, [ID_COLUMN, column], batch_rows=_BATCH_ROWS):
            to.write_batch(pa.record_batch([one.cast(pa.string()) for one in batch.columns], schema=_SCHEMA))
            advance(batch.num_rows)


def _cached_path(source: SourceFiles, column: str, split: str) -> Path:
    """One folder a place, one file a source, column and split; its name changes when a shard does."""
    from datasets import config

    first = source.shards[split][0]
    place = first.repo if isinstance(first, HubFile) else str(first.resolve().parent)
    folder = Path(config.HF_DATASETS_CACHE) / "llm4mat_bench" / hashlib.sha256(place.encode()).hexdigest()[:16]
    state = hashlib.sha256(f"{_VERSION} {source.state}".encode()).hexdigest()[:16]
    return folder / f"{source.name}-{column}-{split}-{state}.arrow"


def _forget_older(path: Path) -> None:
    """Delete what an earlier state of the same shards was unpacked to; who has it mapped keeps it."""
    stem = path.stem.rsplit("-", maxsplit=1)[0]
    for suffix in ("arrow", "lock"):
        for older in path.parent.glob(f"{stem}-*.{suffix}"):
            if older.stem != path.stem:
                older.unlink(missing_ok=True)
