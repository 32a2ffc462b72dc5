"""A dataset folder as it lies on disk or on the Hub: what must be there, and where it is."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ...errors import DataError, UsageError, unknown_name
from ..catalogue import MODALITIES, SPLITS, get_source
from .layout import DATA, ID_COLUMN, REPORT, parse_shard_name, shard_path, sort_shards
from .report import BuildReport, SourceReport, read_report
from .shard_files import ShardFile, open_shard, size_of, state_of


class SourceFiles(BaseModel):
    """The shards and columns of one source.

    Attributes:
        name: Its id.
        shards: Files of each split, in order.
        shard_rows: Rows of each of these files.
        modalities: Text columns to learn from.
        properties: The other columns but the id.
        classes: For each column of classes, the names behind the integer codes (False, True for booleans).
        report: What the build said of it, None where the folder has no report; files and report agree.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shards: dict[str, tuple[ShardFile, ...]]
    shard_rows: dict[str, tuple[int, ...]]
    modalities: tuple[str, ...]
    properties: tuple[str, ...]
    classes: dict[str, tuple[str, ...]]
    report: SourceReport | None = None

    @cached_property
    def rows(self) -> dict[str, int]:
        """Rows of each split, as the files have them."""
        return {split: sum(counts) for split, counts in self.shard_rows.items()}

    @property
    def total_rows(self) -> int:
        """Rows of all splits."""
        return sum(self.rows.values())

    @cached_property
    def state(self) -> str:
        """A name that changes when a file of the source does: places, sizes and times, not contents."""
        listed = [f"{split} {state_of(file)}" for split, files in self.shards.items() for file in files]
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()


class DatasetFolder(BaseModel):
    """A dataset folder: its path, its sources by name, and its build report where it has one."""

    model_config = ConfigDict(frozen=True)

    path: Path
    sources: dict[str, SourceFiles]
    report: BuildReport | None = None

    def select(self, names: Sequence[str] | None) -> list[SourceFiles]:
        """Return the sources of these names, all of them where none are given.

        Raises:
            UsageError: The folder holds no such source.
        """
        for name in names or ():
            if name not in self.sources:
                raise unknown_name("source of this folder", name, self.sources)
        return [one for name, one in self.sources.items() if not names or name in names]


def source_names(path: Path) -> list[str]:
    """Names of the sources in a folder, without looking at their files; none where it is no dataset folder."""
    data = path / DATA
    return sorted(entry.name for entry in data.iterdir() if entry.is_dir()) if data.is_dir() else []


def open_dataset_folder(path: Path, only: Sequence[str] | None = None) -> DatasetFolder:
    """Find the sources and shards of a dataset folder, read every shard's footer, compare with the build report.

    Args:
        path: The folder.
        only: Look at these sources and leave others alone; those of them that are not there are not in the answer.

    Raises:
        UsageError: The path is no dataset folder.
        DataError: A shard is missing, truncated, has other columns than its siblings, or is not what the build report
            says was built.
    """
    data = path / DATA
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder. Give the folder that `llm4mat-bench build` wrote.")
    report = read_report(path / REPORT) if (path / REPORT).is_file() else None
    sources = {}
    for folder in (data / name for name in source_names(path)):
        if only is None or folder.name in only:
            names = sorted(file.name for file in folder.glob("*.parquet"))
            source = open_source(folder.name, {name: folder / name for name in names}, report, str(path))
            if source is not None:
                sources[folder.name] = source
    if report is not None:
        for name, built in report.sources.items():
            if built.shards and name not in sources and (only is None or name in only):
                raise DataError(f"{path}: {DATA}/{name} is missing, though {REPORT} lists it. Build or download it.")
    if not sources and only is None:
        raise UsageError(
            f"{path}: not a dataset folder, there is no {shard_path('SOURCE', 'SPLIT', 0, 1)} in it. "
            "Give the folder that `llm4mat-bench build` wrote."
        )
    return DatasetFolder(path=path, sources=sources, report=report)


def open_source(
    name: str, files: Mapping[str, ShardFile], report: BuildReport | None, place: str
) -> SourceFiles | None:
    """Put the shards of one source in order and check that they are all there.

    Args:
        name: Id of the source.
        files: Its Parquet files by their names.
        report: The build report of the folder or repo, None where there is none.
        place: The folder or repo, for messages.

    Returns:
        None where there are no files.

    Raises:
        DataError: As `open_dataset_folder`.
    """
    where = f"{place}/{DATA}/{name}"
    for file in files:
        shard = parse_shard_name(file)
        if shard is None or shard.split not in SPLITS:
            raise DataError(
                f"{where}/{file}: not a name of a shard (train-00000-of-00001.parquet). Move it out of the dataset "
                "folder."
            )
    if not files:
        return None
    by_split = {split: found for (_, split), found in sort_shards(files).items()}
    shards = {}
    for split in SPLITS:
        if split not in by_split:
            continue
        found = by_split[split]
        if len(found.counts) > 1:
            listed = " and ".join(f"of-{count:05d}" for count in sorted(found.counts))
            raise DataError(f"{where}: {split} has shards of two builds ({listed}). Build it again.")
        if found.missing:
            raise DataError(
                f"{where}: {split} lacks {len(found.missing)} of {max(found.counts)} shards, the first is number "
                f"{found.missing[0]}. Build or download it again."
            )
        shards[split] = tuple(files[file] for file in found.in_order)
    built = None
    if report is not None:
        built = report.sources.get(name)
        if built is None:
            raise DataError(f"{where}: {place}/{REPORT} does not list this source. Build it again, or move it away.")
        _compare_files(name, built, files, place)
    source = describe_source(name, shards, built)
    if built is not None:
        _compare_rows(source, built, place)
    return source


def describe_source(
    name: str, shards: dict[str, tuple[ShardFile, ...]], report: SourceReport | None = None
) -> SourceFiles:
    """Read the footers of the shards of a source.

    Raises:
        DataError: A shard is unreadable or has other columns than its siblings.
    """
    rows: dict[str, list[int]] = {split: [] for split in shards}
    schema: pa.Schema | None = None
    for split, files in shards.items():
        for file in files:
            with open_shard(file) as opened:
                rows[split].append(opened.metadata.num_rows)
                this = opened.schema_arrow
            if schema is None:
                schema = this
            elif set(schema.names) != set(this.names):
                odd = sorted(set(schema.names) ^ set(this.names))
                raise DataError(
                    f"{file}: its columns differ from those of the first shard in {', '.join(odd)} "
                    f"({'; '.join(f'no column {one}' for one in odd if one not in this.names) or 'it has more'})."
                )
    assert schema is not None  # noqa: S101 - there is at least one shard
    if ID_COLUMN not in schema.names:
        raise DataError(f"{DATA}/{name}: there is no column {ID_COLUMN}; the columns are {', '.join(schema.names)}.")
    modalities = tuple(field.name for field in schema if _is_modality(field))
    properties = tuple(
        field.name
        for field in schema
        if field.name not in (ID_COLUMN, *modalities) and not pa.types.is_nested(field.type)
    )
    return SourceFiles(
        name=name,
        shards=shards,
        shard_rows={split: tuple(counts) for split, counts in rows.items()},
        modalities=modalities,
        properties=properties,
        classes=_classes(name, schema, properties),
        report=report,
    )


def _compare_files(name: str, built: SourceReport, files: Mapping[str, ShardFile], place: str) -> None:
    """Names and sizes of the shards must be those that were built; contents are checked before publishing."""
    expected = {shard.path.rsplit("/", maxsplit=1)[-1]: shard for shard in built.shards}
    for file in sorted(expected.keys() - files.keys()):
        raise DataError(
            f"{place}/{expected[file].path}: missing, though {REPORT} lists it. Build or download it again."
        )
    for file, path in files.items():
        if file not in expected:
            raise DataError(f"{place}/{DATA}/{name}/{file}: not in {REPORT}, left from another build? Build it again.")
        if size_of(path) != expected[file].size_bytes:
            raise DataError(
                f"{path}: {size_of(path):,} bytes, {REPORT} says {expected[file].size_bytes:,}; not a whole Parquet "
                "file, or another one. Build or download this shard again."
            )


def _compare_rows(source: SourceFiles, built: SourceReport, place: str) -> None:
    for split, counts in built.splits.items():
        found = source.rows.get(split, 0)
        if found != counts.written:
            raise DataError(
                f"{place}/{DATA}/{source.name}: {found:,} rows in split {split}, {REPORT} says {counts.written:,}. "
                "Build or download it again."
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
