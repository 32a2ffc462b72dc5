"""Last step: candidates and descriptions become the files of the package."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llm4mat_bench.dataset_builder.splits import DEFAULT_SEED, Split, ids_sha256, split_groups
from llm4mat_bench.files import write_json, write_text

from . import merge
from .candidates import LABELS, REPORT_KEY, write_whole
from .describing import cif_sha256
from .sdist import SDIST_SHA256

REPORT = "sample_report.json"
COLUMNS = ["material_id", "composition", "cif", "description", *LABELS]
LIBRARIES = ("numpy", "pandas", "pyarrow", "pymatgen", "pymatgen-core", "robocrys", "spglib")


def write_sample(candidates: Path, descriptions: Path, out: Path) -> None:
    """Write ``train``, ``validation``, ``test``.parquet, README.md, source.yaml, splits.json and the report."""
    table = pq.read_table(candidates)
    report = json.loads(table.schema.metadata[REPORT_KEY])
    texts, failures = read_descriptions(descriptions, table)
    report["dropped"]["no_description"] = failures

    table = table.append_column("description", pa.array([texts.get(i) for i in table["material_id"].to_pylist()]))
    table = table.filter(table["description"].is_valid()).replace_schema_metadata(None)
    split = split_groups(table["material_id"].to_pylist(), table["group"].to_pylist())
    parts = {
        name: table.filter(pc.is_in(table["material_id"], pa.array(ids))).sort_by("material_id").select(COLUMNS)
        for name, ids in split._asdict().items()
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        write_whole(part, out / f"{name}.parquet")

    facts = {
        "counts": count_labels(parts),
        "label_checks": report["label_checks"],
        "report": report,
        "rows": {name: part.num_rows for name, part in parts.items()},
        "total": table.num_rows,
        "megabytes": sum((out / f"{name}.parquet").stat().st_size for name in parts) / 1e6,
        "elements": len(elements(table)),
        "words": sum(len(text.split()) for text in table["description"].to_pylist()),
        "seed": DEFAULT_SEED,
        "sdist_sha256": SDIST_SHA256,
        "merge": merge,
        "robocrys": version("robocrys"),
    }
    report["counts"] |= {"crystals": table.num_rows, "labels": facts["counts"]}
    report["versions"] = {name: version(name) for name in LIBRARIES}
    write_json(out / REPORT, report)
    write_json(out / "splits.json", describe_split(split))
    environment = jinja2.Environment(  # noqa: S701  (Markdown and YAML, not HTML)
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("README.md", "source.yaml"):
        write_text(out / name, environment.get_template(f"{name}.jinja").render(facts))
    print(
        f"{out}: {facts['total']} crystals {facts['rows']}, {facts['megabytes']:.2f} MB, {len(failures)} not described"
    )


def read_descriptions(path: Path, candidates: pa.Table) -> tuple[dict[str, str], dict[str, str]]:
    """Read descriptions and the reasons of failures by id, and see that there is one or the other for every candidate.

    A folder is taken for a sample written before: its Parquet files and, for the failures, its report.
    """
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        lines = [line for f in files for line in pq.read_table(f, columns=["material_id", "description"]).to_pylist()]
        if path.is_dir():
            failed = json.loads((path / REPORT).read_text(encoding="utf-8"))["dropped"]["no_description"]
            lines += [{"material_id": i, "description": None, "error": reason} for i, reason in failed.items()]
    cifs = dict(zip(candidates["material_id"].to_pylist(), candidates["cif"].to_pylist(), strict=True))
    texts, failures = {}, {}
    for line in lines:
        material_id = line["material_id"]
        if material_id not in cifs or line.get("cif_sha256") not in (None, cif_sha256(cifs[material_id])):
            continue  # of another choice of candidates
        if line["description"]:
            texts[material_id] = line["description"]
        else:
            failures[material_id] = (line.get("error") or "empty description").removeprefix("DescriptionError: ")
    missing = sorted(cifs.keys() - texts.keys() - failures.keys())
    if missing:
        sys.exit(f"{path}: no description for {len(missing)} candidates, e.g. {missing[0]}: finish the describe step")
    return texts, dict(sorted(failures.items()))


def count_labels(parts: dict[str, pa.Table]) -> dict[str, dict[str, Any]]:
    """Labels known in each split, and their range or, for classes, the share of each."""
    counts: dict[str, dict[str, Any]] = {}
    for label, kind in LABELS.items():
        known = {name: part[label].drop_null() for name, part in parts.items()}
        counts[label] = {name: len(values) for name, values in known.items()}
        counts[label]["total"] = sum(counts[label].values())
        if pa.types.is_boolean(kind):
            counts[label]["true"] = {name: pc.sum(values).as_py() for name, values in known.items()}
        else:
            every = sorted(value for values in known.values() for value in values.to_pylist())
            counts[label] |= {"min": every[0], "median": every[len(every) // 2], "max": every[-1]}
    return counts


def describe_split(split: Split) -> dict[str, Any]:
    """The split as other programs check it: rows and SHA-256 of the sorted ids of each side."""
    return {
        "protocol": "two nested splits (20 % held out, then halved), whole groups on one side",
        "seed": DEFAULT_SEED,
        "splits": {n: {"rows": len(ids), "ids_sha256": ids_sha256(ids)} for n, ids in split._asdict().items()},
    }


def elements(table: pa.Table) -> set[str]:
    """Distinct elements of all rows."""
    from pymatgen.core import Composition

    return {element.symbol for formula in table["composition"].to_pylist() for element in Composition(formula)}
