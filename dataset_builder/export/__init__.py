"""From clean tables to a dataset folder: Parquet shards, card, report, splits, metadata."""

from .folder import DatasetFolder
from .report import BuildReport, Shard, SourceReport, SplitReport

__all__ = ["BuildReport", "DatasetFolder", "Shard", "SourceReport", "SplitReport"]
