"""First step: every crystal that may go into the sample, as one Parquet file that carries its report."""

import json
import tarfile
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm4mat_bench.dataset_builder.splits import split_groups

from . import merge
from .sdist import TABLES, UNUSED_TABLE, read_records, read_table

REPORT_KEY = b"llm4mat_bench.report"

LABELS = {
    "formation_energy_per_atom": pa.float64(),
    "energy_above_hull": pa.float64(),
    "is_stable": pa.bool_(),
    "band_gap": pa.float64(),
    "bulk_modulus": pa.float64(),
    "shear_modulus": pa.float64(),
    "density": pa.float64(),
    "density_atomic": pa.float64(),
    "volume": pa.float64(),
}
SCHEMA = pa.schema(
    {
        "material_id": pa.string(),
        "composition": pa.string(),
        "cif": pa.string(),
        **LABELS,
        "space_group": pa.int64(),
        "group": pa.string(),
        "split": pa.string(),
    }
)


def make(archive: tarfile.TarFile, out: Path) -> None:
    """Read the sdist and write the candidates, with the split as it is if all of them can be described."""
    report = merge.Report()
    records = {table: list(read_records(archive, table)) for table in TABLES}
    report.counts["rows"] = {table: len(rows) for table, rows in records.items()}
    used = {record.material_id for rows in records.values() for record in rows}
    unused = read_table(archive, UNUSED_TABLE)
    report.counts["rows"][UNUSED_TABLE] = len(unused)
    report.dropped["no_label_of_the_sample"] = len(set(unused["material_id"]) - used)

    crystals = merge.join_tables((record for rows in records.values() for record in rows), report)
    crystals = merge.check_round_trip(crystals, report)
    merge.group_crystals(crystals, report)
    merge.check_labels(crystals, report)
    crystals.sort(key=lambda crystal: crystal.material_id)

    split = split_groups([c.material_id for c in crystals], [c.group for c in crystals])
    side = {material_id: name for name in split._fields for material_id in getattr(split, name)}
    rows = [merge.row(crystal) | {"split": side[crystal.material_id]} for crystal in crystals]
    table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata({REPORT_KEY: json.dumps(asdict(report)).encode()}))
    write_whole(table, out)
    print(f"{out}: {table.num_rows} crystals, {report.counts['groups']} groups")


def write_whole(table: pa.Table, path: Path) -> None:
    """Write with fixed settings, so that the same table gives the same bytes, and never leave half a file."""
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        compression_level=22,
        row_group_size=1 << 20,
        data_page_size=1 << 24,
        use_dictionary=False,
        write_statistics=False,
        version="2.6",
    )
    temporary.replace(path)
