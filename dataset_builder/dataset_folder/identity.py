"""The identity of a task: which labels, which texts. ``docs/task-identity.md`` defines it."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...progress import Progress, advance_of, silent
from ..catalogue import SPLITS, Modality, Task, get_task
from .hashing import TextColumnHash, lines_sha256
from .labels import TaskLabels, labels_of, warn_of_repeats
from .layout import ID_COLUMN
from .places import find_data, has_columns
from .reading import SourceFiles
from .shard_files import HubFile, ShardFile, iter_batches
from .tasks import check_modality

IDENTITY_VERSION = 1
TEXTS_VERSION = 1


class TaskIdentity(BaseModel):
    """What data a task is: two runs with equal identities were made from the same rows and texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=IDENTITY_VERSION, description="version of the definition in docs/task-identity.md")
    labels_sha256: str = Field(description="ids and targets of the task's rows, split by split")
    texts_sha256: str = Field(description="ids and texts of all rows of the source in this modality, split by split")
    sha256: str = Field(description="of both")


def task_identity(
    task: str | Task,
    modality: str,
    data: str | Path | None = None,
    *,
    revision: str | None = None,
    progress: Progress = silent,
) -> TaskIdentity:
    """Say what data a task is.

    The hash of the texts is taken from the build report where that has it; else they are read once.

    Args:
        task: ``source/property``, or a task of a source of your own.
        modality: ``composition``, ``cif`` or ``description``.
        data: A dataset folder, or the id of a dataset repo on the Hub. The embedded sample needs none.
        revision: Revision of the Hub repo.
        progress: Told how many texts are read, where they have to be.

    Raises:
        UsageError: The task or modality is unknown, or its data is not at hand.
        DataError: The data is there but does not hold what it should.
    """
    wanted = get_task(task)
    view = check_modality(modality)
    files = find_data(wanted, data, revision)
    has_columns(files, (view,), str(data or "the embedded sample"))
    labels = labels_of(files, wanted)
    warn_of_repeats(labels, stacklevel=2)
    return identity_of(labels, files, view, progress)


def identity_of(
    labels: TaskLabels, files: SourceFiles, modality: Modality, progress: Progress = silent
) -> TaskIdentity:
    """The identity of a task whose labels and files are at hand."""
    texts = texts_sha256(files, modality, progress)
    return TaskIdentity(
        labels_sha256=labels.sha256,
        texts_sha256=texts,
        sha256=data_sha256(IDENTITY_VERSION, labels.sha256, texts),
    )


def data_sha256(version: int, labels_sha256: str, texts_sha256: str) -> str:
    """SHA-256 of a task's data from the hashes of its labels and of its texts."""
    return lines_sha256(f"llm4mat-bench task {version}", f"labels {labels_sha256}", f"texts {texts_sha256}")


def texts_sha256(files: SourceFiles, modality: Modality, progress: Progress = silent) -> str:
    """Hash of ids and texts of all rows of a source, from the build report where it has it."""
    lines = []
    for split in SPLITS:
        built = files.report.splits.get(split) if files.report else None
        found = built.texts_sha256.get(modality) if built else None
        if found is None:
            found = _hash_texts(_Question(files.state, split, modality, files, progress))
        lines.append(f"{split} {files.rows[split]} {found}")
    return lines_sha256(f"llm4mat-bench texts {TEXTS_VERSION}", *lines)


def split_texts_sha256(
    shards: tuple[ShardFile, ...], columns: tuple[str, ...], progress: Progress = silent, name: str = "", rows: int = 0
) -> dict[str, str]:
    """Hash of ids and texts of all rows of one split, for each of some text columns, in one reading.

    Args:
        shards: Files of the split.
        columns: Text columns.
        progress: Told the rows done.
        name: What to tell it.
        rows: Rows in all.
    """
    ids = TextColumnHash()
    texts = {column: TextColumnHash() for column in columns}
    advance = advance_of(name, rows, progress)
    here = tuple(one.download() if isinstance(one, HubFile) else one for one in shards)
    for _, batch in iter_batches(here, [ID_COLUMN, *columns], batch_rows=1000):
        ids.update(batch.column(0))
        for place, digest in enumerate(texts.values(), start=1):
            digest.update(batch.column(place))
        advance(batch.num_rows)
    return {column: lines_sha256(f"ids {ids.hexdigest()}", f"texts {one.hexdigest()}") for column, one in texts.items()}


@dataclass(frozen=True)
class _Question:
    state: str
    split: str
    modality: Modality
    files: SourceFiles = field(compare=False)
    progress: Progress = field(compare=False)


@lru_cache(maxsize=256)
def _hash_texts(asked: _Question) -> str:
    """Read the texts of a split once a process, where no report has their hash."""
    files, split = asked.files, asked.split
    name = f"{files.name}: hashing {asked.modality} of {split}"
    found = split_texts_sha256(files.shards[split], (asked.modality,), asked.progress, name, files.rows[split])
    return found[asked.modality]
