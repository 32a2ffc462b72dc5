"""What a build did, as data: ``build_report.json``. It holds no times, so that equal builds give equal bytes."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import DataError
from ...faults import first_fault
from ..catalogue import Source
from .layout import STRIPPED

SCHEMA_VERSION = 2  # 2: hashes of the texts


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shard(_Record):
    """One Parquet file of the dataset."""

    path: str = Field(description="relative to the dataset folder")
    rows: int
    size_bytes: int
    sha256: str


class InputFile(_Record):
    """One file that a build read."""

    name: str
    size_bytes: int
    sha256: str | None = Field(default=None, description="None where it was not computed")


class SplitReport(_Record):
    """Counts of one split; rules are those of the cleaning policy."""

    expected: int | None = Field(description="published number of rows; None where nothing is published")
    read: int
    written: int
    distinct_ids: int
    ids_sha256: str = Field(description="SHA-256 of the sorted distinct ids")
    texts_sha256: dict[str, str] = Field(
        default_factory=dict, description="text column: hash of ids and texts, see docs/task-identity.md"
    )
    dropped: dict[str, int] = Field(default_factory=dict, description="rule: rows left out")
    repaired: dict[str, int] = Field(default_factory=dict, description="rule: cells or rows changed")
    marked: dict[str, int] = Field(default_factory=dict, description="rule: rows kept and listed in faults/")
    missing: dict[str, int] = Field(default_factory=dict, description="column: rows without a value")
    examples: dict[str, list[str]] = Field(default_factory=dict, description="rule: the first few rows it met")


class SourceReport(_Record):
    """How one source was built."""

    declaration: Source = Field(description="the catalogue entry the build used, a user's own included")
    reader: str
    splits_from: Literal["published", "manifest", "seeded", "sample"]
    seed: int | None = None
    policy: Literal["mark", "strict"]
    structures_matched: bool = Field(default=False, description="whether structures were compared across splits")
    cleaning_version: int
    cif_policy: Literal["keep", "strip-derived"] = "keep"
    partial: bool = Field(default=False, description="fewer or more rows than published, and allowed")
    inputs: tuple[InputFile, ...] = ()
    splits: dict[str, SplitReport]
    unassigned: SplitReport | None = Field(default=None, description="raw dumps: rows that are in no split")
    shards: tuple[Shard, ...]
    faults: tuple[Shard, ...] = Field(default=(), description="tables of marked and dropped rows")
    notes: tuple[str, ...] = ()

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Text columns beyond the three modalities."""
        return (STRIPPED,) if self.cif_policy == "strip-derived" else ()


class BuildReport(_Record):
    """``build_report.json`` of a dataset folder."""

    schema_version: int = SCHEMA_VERSION
    package_version: str
    sources: dict[str, SourceReport] = Field(default_factory=dict)


def read_report(path: Path) -> BuildReport:
    """Read ``build_report.json``.

    Raises:
        DataError: It is missing, damaged, or was written by a newer version.
    """
    try:
        return BuildReport.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; is this a dataset folder made by `llm4mat-bench build`?") from error
    except ValidationError as error:
        raise DataError(f"{path}: not a build report of this version: {first_fault(error).told}") from error


class _Tables(BaseModel):
    shards: list[Shard]
    faults: list[Shard] = []


class _Listing(BaseModel):
    """Of a report only the tables; the rest is the builder's, of whatever version."""

    sources: dict[str, _Tables]


def read_listed_tables(path: Path) -> dict[str, Shard]:
    """Read which tables a build report lists, by path, whatever else stands in it.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        report = _Listing.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_fault(error).told}") from error
    return {table.path: table for source in report.sources.values() for table in (*source.shards, *source.faults)}
