"""How shards are written: settings that give the same bytes for the same table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...files import file_sha256, replace_file
from .report import Shard

# One row group a shard: every column is then one unbroken run of bytes, so that a reader of one column does not fetch
# its neighbours (benchmarks/streaming.py measures it). Shards are kept small enough for that by the planning of parts.
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3


def write_shard(table: pa.Table, path: Path) -> None:
    """Write a table as one Parquet shard with one row group, whole or not at all."""
    with replace_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=max(1, table.num_rows),
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
            use_dictionary=False,  # texts and floats hardly repeat; trying costs a third of the writing time
            write_statistics=["material_id"],
            write_page_index=False,
            version="2.6",
        )


def describe_shard(path: Path, folder: Path) -> Shard:
    """Rows, size and SHA-256 of a shard, its path relative to the dataset folder."""
    return Shard(
        path=path.relative_to(folder).as_posix(),
        rows=pq.read_metadata(path).num_rows,
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )
