"""Rows written to a file as they come: CSV, Parquet or JSON lines, whole or not at all."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files import replace_file

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet", ".jsonl")
_BATCH = 10_000

Row = dict[str, Any]


@contextmanager
def rows_file(path: Path | None, columns: "dict[str, pa.DataType]") -> Iterator[Callable[[Row], None]]:
    """Open a file for rows; it takes its name when the block ends without an error.

    Args:
        path: Where to; nothing is written if None.
        columns: Their names and types, in order.

    Yields:
        A function that adds a row.

    Raises:
        UsageError: The file's name says no form that is known.
    """
    if path is None:
        yield lambda row: None
        return
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: the name must end in {', '.join(SUFFIXES)}")
    with replace_file(path) as temporary:
        if suffix == ".parquet":
            with _parquet(temporary, columns) as add:
                yield add
            return
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            if suffix == ".jsonl":
                yield lambda row: print(json.dumps(row, ensure_ascii=False, allow_nan=False), file=handle)
                return
            writer = csv.DictWriter(handle, list(columns), lineterminator="\n")
            writer.writeheader()
            yield writer.writerow


@contextmanager
def _parquet(path: Path, columns: "dict[str, pa.DataType]") -> Iterator[Callable[[Row], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(list(columns.items()))
    held: list[Row] = []
    with pq.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(held, schema))
            held.clear()

        def add(row: Row) -> None:
            held.append(row)
            if len(held) >= _BATCH:
                flush()

        yield add
        if held:
            flush()
