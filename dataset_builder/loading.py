"""Load one task: ids, one view of each crystal, and the target, in the fixed splits."""

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, UsageError, unknown_name
from .catalogue import MODALITIES, SPLITS, Modality, Task, get_task
from .sample import sample_files

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetDict

EMBEDDED = "embedded sample"


def check_modality(modality: str) -> Modality:
    """Return the modality of that name.

    Raises:
        UsageError: There is none of that name; the message lists them.
    """
    for known in MODALITIES:
        if modality.strip().casefold() == known:
            return known
    raise unknown_name("modality", modality, MODALITIES)


def load_task(
    name: str | Task,
    modality: str = "description",
    source: str | Path | None = None,
    *,
    revision: str | None = None,
) -> "DatasetDict":
    """Load one task as a ``datasets.DatasetDict``.

    Rows without a label for this property are left out of the task, as in the benchmark; a row that has a label but no
    text stays, with ``text`` None, so that nobody is scored on fewer rows than others. Of rows that repeat a material
    id in a split the first is kept, with a warning that counts the others.

    Args:
        name: ``source/property``, for example ``"sample/band_gap"``, or a task of a source of your own.
        modality: ``composition``, ``cif`` or ``description``: what becomes ``text``.
        source: A folder that ``llm4mat-bench build`` wrote, or the id of a dataset repo on the Hub. The embedded
            sample needs none.
        revision: Revision of the Hub repo.

    Returns:
        Splits ``train``, ``validation`` and ``test`` with the columns ``material_id``, ``text`` and ``target``: a float
        in the unit of the task, or a class (0 negative, 1 positive).

    Raises:
        UsageError: The task or modality is unknown, or its data is not at hand.
        DataError: The data is there but does not hold what it should.
    """
    import datasets

    task = name if isinstance(name, Task) else get_task(name)
    view = check_modality(modality)
    columns = ["material_id", view, task.property.name]
    features = datasets.Features(
        material_id=datasets.Value("string"), text=datasets.Value("string"), target=_target_feature(task)
    )
    tables = _tables(task, view, source, revision, columns)
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict(_task_columns(table, task, view, split), features=features, split=split)
            for split, table in tables.items()
        }
    )


def _tables(
    task: Task, view: Modality, source: str | Path | None, revision: str | None, columns: list[str]
) -> "dict[str, pa.Table]":
    """Read the columns of a task from wherever the data is."""
    import pyarrow.parquet as pq

    if source is None:
        if task.source.id != "sample":
            raise UsageError(
                f"the data of {task.name} is not in the package. Give source=: a folder made by `llm4mat-bench build "
                f"{task.source.id}`, or a dataset repo on the Hub"
            )
        return {split: pq.read_table(path, columns=columns) for split, path in sample_files().items()}
    if Path(source).is_dir():
        return {split: _read_split(Path(source), task, split, columns) for split in SPLITS}
    return _read_hub(str(source), f"{task.source.id}-{view}", revision, columns)


def _read_split(folder: Path, task: Task, split: str, columns: list[str]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted((folder / "data" / task.source.id).glob(f"{split}-*.parquet"))
    if not files:
        raise UsageError(f"{folder}: no data/{task.source.id}/{split}-*.parquet; build it with `llm4mat-bench build`")
    tables = []
    for file in files:
        try:
            missing = set(columns) - set(pq.read_schema(file).names)
            if missing:
                raise DataError(f"{file}: no column {', '.join(sorted(missing))}; build the folder again")
            tables.append(pq.read_table(file, columns=columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{file}: not a whole Parquet file ({error}); build the folder again") from error
    return pa.concat_tables(tables)


def _read_hub(repo: str, config: str, revision: str | None, columns: list[str]) -> "dict[str, pa.Table]":
    import datasets

    if repo.startswith((".", "/", "~")):
        raise UsageError(f"{repo}: no such folder")
    try:
        loaded = datasets.load_dataset(repo, config, revision=revision)
    except (FileNotFoundError, ConnectionError, ValueError) as error:
        raise UsageError(
            f"{repo}: neither a folder here nor a dataset repo with the config {config} ({error})"
        ) from error
    return {split: loaded[split].select_columns(columns).with_format("arrow")[:] for split in SPLITS}


def _target_feature(task: Task) -> object:
    import datasets

    if task.property.classes is None:
        return datasets.Value("float64")
    return datasets.ClassLabel(names=[task.property.classes.negative, task.property.classes.positive])


def _task_columns(table: "pa.Table", task: Task, view: Modality, split: str) -> dict[str, object]:
    """Keep the labelled rows, one a material; refuse labels that are no labels."""
    name = task.property.name
    labelled = _one_row_a_material(table.filter(table[name].is_valid()), task, split)
    if labelled.num_rows == 0:
        raise DataError(f"{task.name}: no labelled row in split {split}")
    ids = labelled["material_id"].to_pylist()
    targets = labelled[name].to_numpy()
    if task.kind == "regression":
        targets = targets.astype(np.float64)
        bad = ~np.isfinite(targets)
        if bad.any():
            raise DataError(
                f"{task.name}: {int(bad.sum())} infinite or NaN labels in split {split}, the first at "
                f"{ids[int(bad.argmax())]}; build the data again, the builder turns them into missing values"
            )
    else:
        targets = targets.astype(np.int64)
        if not np.isin(targets, (0, 1)).all():
            raise DataError(f"{task.name}: labels other than 0 and 1 in split {split}")
    return {"material_id": ids, "text": labelled[view].to_pylist(), "target": targets}


def _one_row_a_material(table: "pa.Table", task: Task, split: str) -> "pa.Table":
    """Keep the first row of an id that repeats, as the published scorer does, and say how many others there were.

    The published test file of mp holds 10,318 rows for 9,947 materials; a prediction names its material by id alone.
    """
    import pyarrow as pa

    seen: set[str] = set()
    first = []
    for material_id in table["material_id"].to_pylist():
        first.append(material_id not in seen)
        seen.add(material_id)
    repeats = len(first) - len(seen)
    if not repeats:
        return table
    warnings.warn(
        f"{task.name}: {repeats} labelled rows of split {split} repeat a material id; the first of each is kept",
        stacklevel=4,
    )
    return table.filter(pa.array(first))


def task_sha256(splits: "DatasetDict") -> str:
    """SHA-256 that names the data of a task: ids, texts and targets of all three splits, in their order."""
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split} {splits[split].num_rows}\n".encode())
        for batch in splits[split].with_format("numpy").iter(batch_size=10_000):
            # A length before each text: no two tables can spell the same stream.
            for material_id, text in zip(batch["material_id"], batch["text"], strict=True):
                said = "" if text is None else str(text)
                digest.update(f"{material_id} {'-' if text is None else len(said)} {said}\n".encode())
            digest.update(np.ascontiguousarray(batch["target"], dtype="<f8").tobytes())
    return digest.hexdigest()
