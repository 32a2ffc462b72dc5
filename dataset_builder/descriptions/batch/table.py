"""The finished file: one Parquet table, written whole or not at all, the same bytes for the same rows."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....files import replace_file, sweep
from .errors import DescribeInputError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 4096
METADATA_KEY = b"llm4mat_bench.describe"


def write_table(path: Path, rows: Iterable[dict[str, Any]], header: dict[str, Any], *, condensed: bool) -> None:
    """Write rows, whole or not at all. What a killed call left of it is removed first.

    Args:
        path: The Parquet file.
        rows: In the order wanted; a missing key is a null.
        header: Kept as JSON in the file's metadata under ``METADATA_KEY``.
        condensed: Whether there is a column for it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["id", "origin", "description", *(["condensed"] if condensed else []), "status", "reason"]
    schema = pa.schema(
        [(name, pa.string()) for name in names] + [("n_sites", pa.int32())],
        metadata={METADATA_KEY: json.dumps(header, sort_keys=True).encode()},
    )
    sweep(path)
    # Everything that decides the bytes is said here, so that a library's new default cannot change them.
    form = {"version": "2.6", "compression": "zstd", "compression_level": 3, "use_dictionary": ["status"]}
    with replace_file(path) as part, pq.ParquetWriter(part, schema, **form) as writer:
        for group in _groups(rows):
            writer.write_table(_group(group, schema))


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while group := list(islice(iterator, ROWS_PER_GROUP)):
        yield group


def _group(rows: list[dict[str, Any]], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: [row.get(name) for row in rows] for name in schema.names}, schema=schema)


def read_header(path: Path) -> dict[str, Any] | None:
    """Read what ``write_table`` wrote of the run into a file; nothing if it did not write it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    if METADATA_KEY not in metadata:
        return None
    header: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    return header


def read_rows(path: Path) -> Iterable[dict[str, Any]]:
    """Read a finished file's rows without the long texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id", "origin", "status", "reason", "n_sites"]):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DescribeInputError(f"{path} cannot be read: {error}") from error
