"""The embedded sample as a dataset folder, by the same code that writes every other source."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import DataError
from ...files import file_sha256
from ..catalogue import MODALITIES, SPLITS, get_source
from ..cleaning import policy
from ..dataset_folder.features import conform
from ..dataset_folder.identity import split_texts_sha256
from ..dataset_folder.layout import shard_path
from ..dataset_folder.parquet import describe_shard, write_shard
from ..dataset_folder.publish import publish_source, work_folder
from ..dataset_folder.report import InputFile, SourceReport, SplitReport
from ..splits import ids_sha256

SAMPLE_FOLDER = Path(__file__).resolve().parent.parent / "sample"


def build_sample(out: Path, sample: Path = SAMPLE_FOLDER) -> SourceReport:
    """Write the embedded sample as a dataset folder.

    Args:
        out: Folder to make or add to.
        sample: Folder of ``{split}.parquet``.

    Raises:
        DataError: A file of the sample is missing or has other columns than its declaration.
    """
    source = get_source("sample")
    staged = work_folder(out, source.id)
    splits, shards, inputs = {}, [], []
    for split in SPLITS:
        path = sample / f"{split}.parquet"
        if not path.is_file():
            raise DataError(f"{path}: no such file; the installation has no embedded sample")
        table = conform(pq.read_table(path), source)
        shard = staged / shard_path(source.id, split, 0, 1)
        write_shard(table, shard)
        shards.append(describe_shard(shard, staged))
        inputs.append(InputFile(name=path.name, size_bytes=path.stat().st_size, sha256=file_sha256(path)))
        ids = pc.unique(table["material_id"]).to_pylist()
        splits[split] = SplitReport(
            expected=getattr(source.published.splits, split),
            read=table.num_rows,
            written=table.num_rows,
            distinct_ids=len(ids),
            ids_sha256=ids_sha256(ids),
            texts_sha256=split_texts_sha256((shard,), MODALITIES),
            missing={name: table[name].null_count for name in table.column_names if table[name].null_count},
        )
    report = SourceReport(
        declaration=source,
        reader="sample",
        splits_from="sample",
        policy="mark",
        cleaning_version=policy.VERSION,
        inputs=tuple(inputs),
        splits=splits,
        shards=tuple(shards),
    )
    publish_source(out, staged, report)
    return report
