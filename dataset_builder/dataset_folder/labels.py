"""Ids and targets of a task, without its texts: what scoring and verifying need."""

import json
import warnings
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import DataError
from ..catalogue import SPLITS, Task, get_task
from .columns import numbers_of
from .hashing import lines_sha256, number_column_sha256, text_column_sha256
from .layout import ID_COLUMN
from .places import find_data
from .reading import SourceFiles
from .shard_files import iter_batches

LABELS_VERSION = 1
_TASKS_KEPT = 4  # a million rows are some 40 MB


@dataclass(frozen=True)
class SplitLabels:
    """The rows of one split of a task, in order.

    Attributes:
        material_ids: Ids, (rows,), each once.
        targets: Targets, (rows,): numbers in the task's unit, or classes (0.0 negative, 1.0 positive).
        rows: Where these rows stand among all rows of the split, (rows,), ascending.
        total_rows: Rows of the split, those without a label and repeats included.
        repeats: Labelled rows that are left out because an earlier one has their id.
    """

    material_ids: pa.ChunkedArray
    targets: NDArray[np.float64]
    rows: NDArray[np.int64]
    total_rows: int
    repeats: int

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class TaskLabels:
    """Ids and targets of a task by split."""

    task: Task
    splits: dict[str, SplitLabels]

    @cached_property
    def sha256(self) -> str:
        """Hash of ids and targets, as ``docs/task-identity.md`` defines it."""
        lines = [
            f"{split} {len(one)} {text_column_sha256([one.material_ids])} {number_column_sha256(one.targets)}"
            for split, one in self.splits.items()
        ]
        return lines_sha256(f"llm4mat-bench labels {LABELS_VERSION}", *lines)


def read_labels(task: str | Task, data: str | Path | None = None, *, revision: str | None = None) -> TaskLabels:
    """Read ids and targets of a task: the rows of `load_task`, in its order, without reading any text.

    The last few tasks are kept, so that a hundred runs of one task cost one reading. A folder that has changed is read
    again.

    Args:
        task: ``source/property``, or a task of a source of your own.
        data: A folder that ``llm4mat-bench build`` wrote, or the id of a dataset repo on the Hub. The embedded sample
            needs none.
        revision: Revision of the Hub repo.

    Raises:
        UsageError: The task is unknown, or its data is not at hand.
        DataError: The data is there but does not hold what it should.
    """
    wanted = get_task(task)
    labels = labels_of(find_data(wanted, data, revision), wanted)
    warn_of_repeats(labels, stacklevel=2)
    return labels


def labels_of(source: SourceFiles, task: Task) -> TaskLabels:
    """Ids and targets of a task from files that are found already; no warning."""
    return _read(_Key(source.state, json.dumps([task.name, task.property.model_dump(mode="json")]), source, task))


def warn_of_repeats(labels: TaskLabels, stacklevel: int) -> None:
    """Say how many labelled rows repeat an id; of each the first is kept, as the published scorer does.

    The published test file of mp holds 10,318 rows for 9,947 materials; a prediction names its material by id alone.
    """
    for split, one in labels.splits.items():
        if one.repeats:
            warnings.warn(
                f"{labels.task.name}: {one.repeats} labelled rows of split {split} repeat a material id; the first of "
                "each is kept",
                stacklevel=stacklevel + 1,
            )


@dataclass(frozen=True)
class _Key:
    state: str
    task_text: str
    source: SourceFiles = field(compare=False)
    task: Task = field(compare=False)


@lru_cache(maxsize=_TASKS_KEPT)
def _read(key: _Key) -> TaskLabels:
    return TaskLabels(key.task, {split: _read_split(key.source, key.task, split) for split in SPLITS})


def _read_split(source: SourceFiles, task: Task, split: str) -> SplitLabels:
    name = task.property.name
    ids_found, labels_found = [], []
    for _, batch in iter_batches(source.shards[split], [ID_COLUMN, name], batch_rows=1 << 16):
        ids_found.append(batch.column(0).cast(pa.string()))
        labels_found.append(batch.column(1))
    if not ids_found:
        raise DataError(f"{task.name}: no labelled row in split {split}")
    ids, labels = pa.chunked_array(ids_found), pa.chunked_array(labels_found)
    if ids.null_count:
        row = int(np.flatnonzero(np.asarray(ids.is_null()))[0]) + 1
        raise DataError(f"data/{source.name}: row {row} of split {split} has no {ID_COLUMN}; build the folder again")
    labelled = np.asarray(labels.is_valid())
    rows = np.flatnonzero(labelled)
    ids, targets = ids.filter(pa.array(labelled)), _targets(source, task, labels.drop_null())
    first = _first_of_each(ids)
    repeats = len(first) - int(first.sum())
    if repeats:
        ids, targets, rows = ids.filter(pa.array(first)), targets[first], rows[first]
    if not len(rows):
        raise DataError(f"{task.name}: no labelled row in split {split}")
    _refuse_no_labels(task, split, ids, targets)
    targets.setflags(write=False)
    return SplitLabels(ids, targets, rows, len(labels), repeats)


def _targets(source: SourceFiles, task: Task, labels: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_boolean(labels.type):
        labels = labels.cast(pa.int8())
    if pa.types.is_integer(labels.type) or pa.types.is_floating(labels.type):
        return labels.cast(pa.float64(), safe=False).to_numpy()  # type: ignore[no-any-return]
    values = numbers_of(source, task.property.name, labels)
    if values is None:
        raise DataError(f"data/{source.name}: column {task.property.name} is {labels.type}, which is no label")
    return values


def _first_of_each(ids: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Mask of the rows whose id did not occur before."""
    encoded = ids.combine_chunks().dictionary_encode()
    codes = (encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded).indices.to_numpy()
    if not len(codes):
        return np.zeros(0, np.bool_)
    # Codes are given in the order of first occurrence, so a new id is one beyond all before it.
    return np.concatenate([[True], codes[1:] > np.maximum.accumulate(codes)[:-1]])


def _refuse_no_labels(task: Task, split: str, ids: pa.ChunkedArray, targets: NDArray[np.float64]) -> None:
    if task.kind == "regression":
        bad = ~np.isfinite(targets)
        if bad.any():
            raise DataError(
                f"{task.name}: {int(bad.sum())} infinite or NaN labels in split {split}, the first at "
                f"{ids[int(bad.argmax())]}; build the data again, the builder turns them into missing values"
            )
    elif not np.isin(targets, (0, 1)).all():
        raise DataError(f"{task.name}: labels other than 0 and 1 in split {split}")
