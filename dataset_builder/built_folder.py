"""A built dataset folder as it lies on disk: which files, which columns, and how to stream them.

Layout: ``FOLDER/data/{source}/{split}-{i:05d}-of-{n:05d}.parquet``.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from ..errors import DataError, UsageError, unknown_name
from .catalogue import MODALITIES, SPLITS, get_source

ID_COLUMN = "material_id"
_SHARD = re.compile(r"^(?P<split>[a-z]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.parquet$")


class SourceFiles(BaseModel):
    """The shards and columns of one source.

    ``classes`` holds, for each column of classes, the names behind the integer codes (False, True for booleans).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shards: dict[str, tuple[Path, ...]]
    rows: dict[str, int]
    modalities: tuple[str, ...]
    properties: tuple[str, ...]
    classes: dict[str, tuple[str, ...]]

    @property
    def total_rows(self) -> int:
        """Rows of all splits."""
        return sum(self.rows.values())


class BuiltFolder(BaseModel):
    """A dataset folder: its path and its sources, by name."""

    model_config = ConfigDict(frozen=True)

    path: Path
    sources: dict[str, SourceFiles]

    def select(self, names: Sequence[str] | None) -> list[SourceFiles]:
        """Return the sources of these names, all of them where none are given.

        Raises:
            UsageError: The folder holds no such source.
        """
        for name in names or ():
            if name not in self.sources:
                raise unknown_name("source of this folder", name, self.sources)
        return [one for name, one in self.sources.items() if not names or name in names]


def open_built_folder(path: Path) -> BuiltFolder:
    """Find the sources and shards of a built dataset folder and read every shard's footer.

    Raises:
        UsageError: The path is no dataset folder.
        DataError: A shard is missing, truncated, or has other columns than its siblings.
    """
    data = path / "data"
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder. Give the folder that `llm4mat-bench build` wrote.")
    found = sorted(entry for entry in data.iterdir() if entry.is_dir()) if data.is_dir() else []
    sources = {one.name: one for one in map(_open_source, found) if one is not None}
    if not sources:
        raise UsageError(
            f"{path}: not a dataset folder, there is no data/SOURCE/SPLIT-00000-of-00001.parquet in it. "
            "Give the folder that `llm4mat-bench build` wrote."
        )
    return BuiltFolder(path=path, sources=sources)


def iter_batches(
    paths: Sequence[Path], columns: Sequence[str], batch_rows: int = 4096
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Stream some columns of some shards, in order.

    Args:
        paths: Shards of one split.
        columns: The columns to read; the others are not touched.
        batch_rows: Rows a batch, which bounds the memory in use.

    Yields:
        The number of the batch's first row within these shards, and the batch.

    Raises:
        DataError: A shard cannot be read to its end.
    """
    start = 0
    for path in paths:
        try:
            # Without pre-buffering the reader holds pages, not whole row groups of long texts.
            with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
                for batch in file.iter_batches(batch_size=batch_rows, columns=list(columns)):
                    yield start, batch
                    start += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable(path, error) from error


def read_column(paths: Sequence[Path], column: str) -> pa.ChunkedArray:
    """Read one column of some shards as a whole (for numbers and ids, not for texts).

    Raises:
        DataError: A shard cannot be read.
    """
    chunks: list[pa.Array] = []
    for _, batch in iter_batches(paths, [column], batch_rows=1 << 16):
        chunks.append(batch.column(0))
    return pa.chunked_array(chunks) if chunks else pa.chunked_array([], type=pa.null())


def _open_source(folder: Path) -> SourceFiles | None:
    by_split: dict[str, dict[int, Path]] = {}
    counts: dict[str, set[int]] = {}
    for path in sorted(folder.glob("*.parquet")):
        match = _SHARD.match(path.name)
        if match is None or match["split"] not in SPLITS:
            raise DataError(
                f"{path}: not a name of a shard (train-00000-of-00001.parquet). Move it out of the dataset folder."
            )
        by_split.setdefault(match["split"], {})[int(match["index"])] = path
        counts.setdefault(match["split"], set()).add(int(match["count"]))
    if not by_split:
        return None
    shards = {}
    for split in SPLITS:
        if split not in by_split:
            continue
        if len(counts[split]) > 1:
            raise DataError(f"{folder}: {split} has shards of two builds ({_listed(counts[split])}). Build it again.")
        missing = sorted(set(range(*counts[split])) - set(by_split[split]))
        if missing:
            raise DataError(
                f"{folder}: {split} lacks {len(missing)} of {max(counts[split])} shards, the first is number "
                f"{missing[0]}. Build or download it again."
            )
        shards[split] = tuple(by_split[split][index] for index in sorted(by_split[split]))
    return _describe(folder.name, shards)


def _listed(counts: set[int]) -> str:
    return " and ".join(f"of-{count:05d}" for count in sorted(counts))


def _describe(name: str, shards: dict[str, tuple[Path, ...]]) -> SourceFiles:
    rows: dict[str, int] = {}
    schema: pa.Schema | None = None
    for split, paths in shards.items():
        for path in paths:
            try:
                with pq.ParquetFile(path) as file:
                    rows[split] = rows.get(split, 0) + file.metadata.num_rows
                    this = file.schema_arrow
            except (pa.ArrowInvalid, OSError) as error:
                raise _unreadable(path, error) from error
            if schema is None:
                schema = this
            elif set(schema.names) != set(this.names):
                odd = sorted(set(schema.names) ^ set(this.names))
                raise DataError(f"{path}: its columns differ from those of the first shard in {', '.join(odd)}.")
    assert schema is not None  # noqa: S101 - there is at least one shard
    if ID_COLUMN not in schema.names:
        raise DataError(f"data/{name}: there is no column {ID_COLUMN}; the columns are {', '.join(schema.names)}.")
    modalities = tuple(field.name for field in schema if _is_modality(field))
    properties = tuple(
        field.name
        for field in schema
        if field.name not in (ID_COLUMN, *modalities) and not pa.types.is_nested(field.type)
    )
    return SourceFiles(
        name=name,
        shards=shards,
        rows=rows,
        modalities=modalities,
        properties=properties,
        classes=_classes(name, schema, properties),
    )


def _is_modality(field: pa.Field) -> bool:
    """Say whether a column is a text to learn from: a modality, or a variant of one such as ``cif_stripped``."""
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_null(field.type)
    return field.name in MODALITIES or (is_text and field.name.startswith(tuple(f"{one}_" for one in MODALITIES)))


def _classes(source: str, schema: pa.Schema, properties: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Names of the classes: as the file's own features say, else as the catalogue says, else false and true."""
    stored: dict[str, Any] = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = stored.get("info", {}).get("features", {})
    declared: dict[str, tuple[str, ...]] = {}
    try:
        for prop in get_source(source).properties:
            if prop.classes is not None:
                declared[prop.name] = (prop.classes.negative, prop.classes.positive)
    except UsageError:
        pass  # a user's own source
    classes: dict[str, tuple[str, ...]] = {}
    for name in properties:
        feature = features.get(name)
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            classes[name] = tuple(str(label) for label in feature["names"])
        elif name in declared:
            classes[name] = declared[name]
        elif pa.types.is_boolean(schema.field(name).type):
            classes[name] = ("False", "True")
    return classes


def _unreadable(path: Path, error: Exception) -> DataError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{path}: not a whole Parquet file ({first}). Build or download this shard again.")
