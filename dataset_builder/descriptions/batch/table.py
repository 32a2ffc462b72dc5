"""The finished file: Parquet, JSON lines or CSV, written whole or not at all, the same bytes for the same rows."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ....files import replace_file, sweep
from .errors import DescribeInputError, DescribeUsageError

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["parquet", "jsonl", "csv"]

ROWS_PER_GROUP = 4096
METADATA_KEY = b"llm4mat_bench.describe"


def form_of(path: Path, wanted: Form | None = None) -> Form:
    """The form of a file: the one that is wanted, or else by its ending.

    Raises:
        DescribeUsageError: The ending is none of a form, or of another one than is wanted.
    """
    ending = path.suffix.lower().removeprefix(".")
    if wanted is None and ending not in get_args(Form):
        raise DescribeUsageError(f"--out must end in .parquet, .jsonl or .csv, or say the form with --format: {path}")
    if wanted is not None and ending in get_args(Form) and ending != wanted:
        raise DescribeUsageError(f"--out ends in .{ending}, but --format is {wanted}: {path}")
    form: Form = wanted or ending  # type: ignore[assignment]
    return form


def write_rows(
    path: Path, rows: Iterable[dict[str, Any]], header: dict[str, Any], *, condensed: bool, form: Form = "parquet"
) -> None:
    """Write rows, whole or not at all. What a killed call left of it is removed first.

    Args:
        path: The file.
        rows: In the order wanted; a missing key is a null (in a CSV an empty field).
        header: Kept as JSON in a Parquet file's metadata under ``METADATA_KEY``; the other forms have no place for it.
        condensed: Whether there is a column for it.
        form: The form of the file.
    """
    sweep(path)
    names = ["id", "origin", "description", *(["condensed"] if condensed else []), "status", "reason"]
    with replace_file(path) as part:
        if form == "parquet":
            _write_parquet(part, rows, header, names)
        else:
            write_text_rows(part, rows, [*names, "n_sites"], form)


def write_text_rows(path: Path, rows: Iterable[dict[str, Any]], names: list[str], form: Form) -> None:
    """Write rows as JSON lines, the condensed form as an object, or as CSV, where it is JSON text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([row.get(name) for name in names] for row in rows)
            return
        for row in rows:
            whole = {name: row.get(name) for name in names}
            if (text := whole.get("condensed")) is not None:
                whole["condensed"] = json.loads(text)
            file.write(json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n")


def _write_parquet(path: Path, rows: Iterable[dict[str, Any]], header: dict[str, Any], names: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [(name, pa.string()) for name in names] + [("n_sites", pa.int32())],
        metadata={METADATA_KEY: json.dumps(header, sort_keys=True).encode()},
    )
    # Everything that decides the bytes is said here, so that a library's new default cannot change them.
    form = {"version": "2.6", "compression": "zstd", "compression_level": 3, "use_dictionary": ["status"]}
    with pq.ParquetWriter(path, schema, **form) as writer:
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
    """Read what ``write_rows`` wrote of the run into a file; nothing if it did not write it."""
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
