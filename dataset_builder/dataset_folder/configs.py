"""The configs of a dataset folder: what ``load_dataset(folder, name)`` can be asked for."""

import hashlib
from typing import Any

from ..catalogue import MODALITIES, SPLITS
from .layout import STRIPPED, shard_pattern
from .report import BuildReport, SourceReport


def config_columns(report: SourceReport) -> dict[str, list[str]]:
    """Columns of each config of one source: a modality each, then the source with everything."""
    source = report.declaration
    properties = [prop.name for prop in source.properties]
    configs = {f"{source.id}-{modality}": ["material_id", modality, *properties] for modality in MODALITIES}
    if STRIPPED in report.extra_columns:
        configs[f"{source.id}-cif-stripped"] = ["material_id", STRIPPED, *properties]
    configs[source.id] = ["material_id", *MODALITIES, *report.extra_columns, *properties]
    return configs


def content_version(report: SourceReport) -> str:
    """A version that changes with the data: ``datasets`` reuses its cache until the version of a config changes."""
    digest = hashlib.sha256("".join(shard.sha256 for shard in report.shards).encode()).hexdigest()
    return f"{report.declaration.revision}.{report.cleaning_version}.{int(digest[:7], 16)}"


def yaml_configs(build: BuildReport) -> list[dict[str, Any]]:
    """Entries of the ``configs:`` list in the card; all configs of a source share its Parquet files."""
    entries: list[dict[str, Any]] = []
    for source_id, report in build.sources.items():
        files = [
            {"split": split, "path": shard_pattern(source_id, split)}
            for split in SPLITS
            if split in report.splits and report.splits[split].written
        ]
        version = content_version(report)
        for name, columns in config_columns(report).items():
            entries.append({"config_name": name, "version": version, "columns": columns, "data_files": files})
    return entries
