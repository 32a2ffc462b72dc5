"""Load one task: ids, one view of each crystal, and the target, in the fixed splits."""

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import UsageError, require_name, unknown_name
from ...progress import Progress, silent
from ..catalogue import MODALITIES, Modality, Task
from .declared import task_in
from .labels import SplitLabels, labels_of, warn_of_repeats
from .layout import ID_COLUMN
from .mapped_texts import TEXT, mapped_texts
from .places import find_data, has_columns
from .reading import SourceFiles
from .shard_files import ShardFile, iter_batches

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features, IterableDatasetDict

TARGET = "target"
_STREAM_ROWS = 256


def check_modality(modality: str) -> Modality:
    """Return the modality of that name.

    Raises:
        UsageError: There is none of that name; the message lists them.
    """
    modality = require_name("modality", modality)
    for known in MODALITIES:
        if modality.strip().casefold() == known:
            return known
    raise unknown_name("modality", modality, MODALITIES)


@overload
def load_task(
    name: str | Task,
    modality: str = "description",
    data: str | Path | None = None,
    *,
    revision: str | None = None,
    streaming: Literal[False] = False,
    source: str | Path | None = None,
    progress: Progress = silent,
) -> "DatasetDict": ...


@overload
def load_task(
    name: str | Task,
    modality: str = "description",
    data: str | Path | None = None,
    *,
    revision: str | None = None,
    streaming: Literal[True],
    source: str | Path | None = None,
    progress: Progress = silent,
) -> "IterableDatasetDict": ...


def load_task(
    name: str | Task,
    modality: str = "description",
    data: str | Path | None = None,
    *,
    revision: str | None = None,
    streaming: bool = False,
    source: str | Path | None = None,
    progress: Progress = silent,
) -> "DatasetDict | IterableDatasetDict":
    """Load one task as a ``datasets.DatasetDict``, memory-mapped, whatever its size.

    Rows without a label for this property are left out of the task, as in the benchmark; a row that has a label but no
    text stays, with ``text`` None, so that nobody is scored on fewer rows than others. Of rows that repeat a material
    id in a split the first is kept, with a warning that counts the others.

    The first load of a modality unpacks its texts into the cache of ``datasets`` (``HF_DATASETS_CACHE``); every task of
    the source uses them from there.

    Args:
        name: ``source/property``, for example ``"sample/band_gap"``, or a task of a source of your own.
        modality: ``composition``, ``cif`` or ``description``: what becomes ``text``.
        data: A folder that ``llm4mat-bench build`` wrote, or the id of a dataset repo on the Hub. The embedded
            sample needs none.
        revision: Revision of the Hub repo.
        streaming: Give the same rows as a ``datasets.IterableDatasetDict``, without unpacking or downloading the texts.
        source: The old name of ``data``.
        progress: Told what is done.

    Returns:
        Splits ``train``, ``validation`` and ``test`` with the columns ``material_id``, ``text`` and ``target``: a float
        in the unit of the task, or a class (0 negative, 1 positive).

    Raises:
        UsageError: The task or modality is unknown, or its data is not at hand.
        DataError: The data is there but does not hold what it should: a shard is missing or damaged, the number of rows
            is not that of the build report.
    """
    import datasets

    task = task_in(name, data if source is None else source)
    view = check_modality(modality)
    place = _one_place(data, source)
    files = find_data(task, place, revision)
    has_columns(files, (view,), str(place or "the embedded sample"))
    labels = labels_of(files, task)
    warn_of_repeats(labels, stacklevel=2)
    features = datasets.Features(
        material_id=datasets.Value("string"), text=datasets.Value("string"), target=_target_feature(task)
    )
    if streaming:
        return datasets.IterableDatasetDict(
            {split: _stream(files, view, split, one, features) for split, one in labels.splits.items()}
        )
    return datasets.DatasetDict(
        {
            split: _mapped(files, view, split, one, features, progress, embedded=place is None)
            for split, one in labels.splits.items()
        }
    )


def _one_place(data: str | Path | None, source: str | Path | None) -> str | Path | None:
    if source is None:
        return data
    if data is not None:
        raise UsageError("data= and source= are the same place; give data=")
    warnings.warn("load_task(source=...) is now called data=", FutureWarning, stacklevel=3)
    return source


def _target_feature(task: Task) -> object:
    import datasets

    if task.property.classes is None:
        return datasets.Value("float64")
    return datasets.ClassLabel(names=[task.property.classes.negative, task.property.classes.positive])


def _mapped(
    files: SourceFiles,
    view: Modality,
    split: str,
    labels: SplitLabels,
    features: "Features",
    progress: Progress,
    *,
    embedded: bool,
) -> "Dataset":
    """Ids and texts as they are mapped, targets beside them, and the task's rows chosen by their numbers."""
    from datasets import Dataset, DatasetInfo
    from datasets.table import InMemoryTable, concat_tables

    if embedded:  # 6 MB in the package, which need not be unpacked into a cache
        batches = [batch for _, batch in iter_batches(files.shards[split], [ID_COLUMN, view])]
        texts = InMemoryTable(pa.Table.from_batches(batches).rename_columns([ID_COLUMN, TEXT]))
    else:
        texts = mapped_texts(files, view, split, progress)
    target = np.zeros(labels.total_rows, labels.targets.dtype)
    target[labels.rows] = labels.targets
    kind = features[TARGET].pa_type
    column = InMemoryTable(pa.table({TARGET: pa.array(target).cast(kind)}))
    table = concat_tables([texts, column], axis=1)
    chosen = None
    if len(labels) < labels.total_rows:
        chosen = InMemoryTable(pa.table({"indices": pa.array(labels.rows.astype(np.uint64))}))
    # Named by what it holds, so that what is computed from it (`map`) is found again in the cache.
    said = hashlib.sha256(f"{files.state} {view} {split}".encode() + labels.rows.tobytes() + labels.targets.tobytes())
    return Dataset(
        table,
        info=DatasetInfo(features=features),
        split=split,
        indices_table=chosen,
        fingerprint=said.hexdigest()[:16],
    )


def _stream(files: SourceFiles, view: Modality, split: str, labels: SplitLabels, features: "Features") -> "Any":  # noqa: ANN401 - datasets is typed as Any
    from datasets import IterableDataset

    shards, rows, targets = [], [], []
    start = 0
    for shard, count in zip(files.shards[split], files.shard_rows[split], strict=True):
        low, high = np.searchsorted(labels.rows, [start, start + count])
        shards.append(shard)
        rows.append(labels.rows[low:high] - start)
        targets.append(labels.targets[low:high])
        start += count
    # Lists are what the library deals out to the workers of a loader.
    kwargs = {"shards": shards, "rows": rows, "targets": targets, "column": view}
    return IterableDataset.from_generator(_rows, features=features, gen_kwargs=kwargs, split=split)


def _rows(
    shards: list[ShardFile], rows: list[NDArray[np.int64]], targets: list[NDArray[np.float64]], column: str
) -> Iterator[dict[str, Any]]:
    for shard, kept, labels in zip(shards, rows, targets, strict=True):
        for start, batch in iter_batches([shard], [ID_COLUMN, column], batch_rows=_STREAM_ROWS):
            low, high = np.searchsorted(kept, [start, start + batch.num_rows])
            chosen = batch.take(pa.array(kept[low:high] - start))
            ids, texts = (one.to_pylist() for one in chosen.columns)
            for material_id, text, target in zip(ids, texts, labels[low:high].tolist(), strict=True):
                yield {ID_COLUMN: material_id, TEXT: text, TARGET: target}
