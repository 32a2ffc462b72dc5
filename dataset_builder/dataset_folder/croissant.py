"""Croissant 1.0 metadata (https://docs.mlcommons.org/croissant/docs/croissant-spec.html) of a dataset folder."""

from typing import Any

from ..catalogue import MODALITIES, SPLITS, Source, get_benchmark
from .layout import shard_pattern
from .report import BuildReport, SourceReport

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TEXTS = {
    "material_id": "Identifier of the material in its database.",
    "composition": "Reduced chemical formula.",
    "cif": "Crystal structure as CIF text.",
    "description": "Description of the structure in English, by Robocrystallographer.",
    "cif_stripped": "Crystal structure as CIF text without the fields that follow from the others.",
}


def croissant(build: BuildReport) -> dict[str, Any]:
    """Describe the files and columns of a build as a Croissant JSON-LD document."""
    benchmark = get_benchmark()
    licences = sorted({report.declaration.licence.name for report in build.sources.values()})
    distribution: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for source_id, report in build.sources.items():
        for shard in report.shards:
            distribution.append(
                {
                    "@type": "cr:FileObject",
                    "@id": shard.path,
                    "name": shard.path,
                    "contentUrl": shard.path,
                    "encodingFormat": "application/x-parquet",
                    "contentSize": f"{shard.size_bytes} B",
                    "sha256": shard.sha256,
                }
            )
        for split in SPLITS:
            if split in report.splits and report.splits[split].written:
                distribution.append(_file_set(source_id, split))
                records.append(_record_set(report, split))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "llm4mat-bench",
        "description": f"{benchmark.title}: crystals as composition, CIF and description, with their properties.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": f"https://doi.org/{benchmark.citation.doi}",
        "license": licences,
        "url": f"https://doi.org/{benchmark.citation.doi}",
        "version": build.package_version,
        "distribution": distribution,
        "recordSet": records,
    }


def _file_set(source_id: str, split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{source_id}-{split}-files",
        "name": f"{source_id}-{split}-files",
        "encodingFormat": "application/x-parquet",
        "includes": shard_pattern(source_id, split),
    }


def _record_set(report: SourceReport, split: str) -> dict[str, Any]:
    source: Source = report.declaration
    record_id = f"{source.id}-{split}"

    def field(name: str, kind: str, description: str) -> dict[str, Any]:
        return {
            "@type": "cr:Field",
            "@id": f"{record_id}/{name}",
            "name": name,
            "description": description,
            "dataType": kind,
            "source": {"fileSet": {"@id": f"{record_id}-files"}, "extract": {"column": name}},
        }

    fields = [field(name, "sc:Text", _TEXTS[name]) for name in ("material_id", *MODALITIES, *report.extra_columns)]
    for prop in source.properties:
        unit = f" ({prop.unit})" if prop.unit else ""
        fields.append(field(prop.name, "sc:Integer" if prop.classes else "sc:Float", prop.title + unit))
    return {
        "@type": "cr:RecordSet",
        "@id": record_id,
        "name": record_id,
        "description": f"{source.title}, {split} split, {report.splits[split].written} rows.",
        "field": fields,
    }
