"""A task's truth: ids, targets, training mean and hash of the labels, read once a task, never the texts."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...dataset_builder.catalogue import SPLITS, Modality, Task
from ...dataset_builder.dataset_folder import EMBEDDED, SourceFiles, task_identity
from ...dataset_builder.dataset_folder.identity import IDENTITY_VERSION, texts_sha256
from ...dataset_builder.dataset_folder.labels import labels_of, warn_of_repeats
from ...dataset_builder.dataset_folder.manifest import check_split
from ...dataset_builder.dataset_folder.places import find_data
from ...dataset_builder.splits import ids_sha256
from ...errors import DataError
from ...progress import Progress, silent
from .predictions import Predictions, check_ids
from .record import DataRecord

TOLERANCE = 1e-9
"""Relative difference up to which a target in a predictions file is the data's: nothing that rounding does to it."""


@dataclass(frozen=True)
class Truth:
    """What a task's answers are compared with.

    Attributes:
        task: Name of the task.
        place: Name of the place that the data was read from.
        test_ids: Ids of the test materials, shape ``(n,)``.
        test_targets: Their targets, shape ``(n,)``, in the unit of the task or 0/1.
        training_mean: Mean of the training targets.
        n_train: Rows of the training split.
        n_validation: Rows of the validation split.
        version: Of the way in which the hash is computed.
        labels_sha256: Of ids and targets of all three splits.
        files: The files of the data.
    """

    task: str
    place: str
    test_ids: pa.Array
    test_targets: NDArray[np.float64]
    training_mean: float
    n_train: int
    n_validation: int
    version: int
    labels_sha256: str
    files: SourceFiles

    @cached_property
    def test_ids_sha256(self) -> str:
        """SHA-256 of the sorted test ids."""
        return ids_sha256(self.test_ids.to_pylist())

    def texts_sha256(self, modality: Modality) -> str | None:
        """Hash of the texts, None where it would cost a reading of them: no build report has it."""
        report = self.files.report
        reported = report is not None and all(
            split in report.splits and modality in report.splits[split].texts_sha256 for split in SPLITS
        )
        if modality not in self.files.modalities or not (reported or self.place == EMBEDDED):
            return None
        return texts_sha256(self.files, modality)

    @cached_property
    def _order(self) -> NDArray[np.uint64]:
        """Places of the test rows in the order of their ids."""
        order: NDArray[np.uint64] = pc.sort_indices(self.test_ids).to_numpy()
        return order

    @cached_property
    def ids_by_id(self) -> pa.Array:
        """Test ids, sorted."""
        return self.test_ids.take(self._order)

    @cached_property
    def targets_by_id(self) -> NDArray[np.float64]:
        """Test targets in the order of their ids."""
        return self.test_targets[self._order]

    def matched(self, predictions: Predictions, path: Path | str) -> Predictions:
        """Predictions with the data's own targets, in the order of the ids.

        The file must have exactly the ids of the test split, and its targets, where it has any, must be the data's to a
        relative 1e-9. This is the one comparison of predictions with data.

        Raises:
            DataError: Ids are missing or foreign, or targets differ; the message counts them and names the first.
        """
        check_ids(predictions.material_ids, self.test_ids, path)
        places = pc.index_in(predictions.material_ids, value_set=self.test_ids).to_numpy()
        if predictions.targets is not None:
            true = self.test_targets[places]
            _check_targets(predictions.material_ids, predictions.targets, true, self, path)
        row_of = np.empty(len(places), dtype=np.intp)
        row_of[places] = np.arange(len(places))
        order = row_of[self._order]
        return Predictions(self.ids_by_id, self.targets_by_id, predictions.answers[order], predictions.invalid[order])


def read_truth(task: Task, data: str | Path | None = None, *, revision: str | None = None) -> Truth:
    """Read the labels of a task.

    Args:
        task: The task.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.

    Raises:
        UsageError: The data is not at hand.
        DataError: It does not hold what it should.
    """
    files = find_data(task, data, revision)
    if data is not None:
        check_split(files)
    labels = labels_of(files, task)
    warn_of_repeats(labels, stacklevel=2)
    train, test = labels.splits["train"], labels.splits["test"]
    return Truth(
        task=task.name,
        place=place_name(data),
        test_ids=test.material_ids.combine_chunks(),
        test_targets=test.targets,
        training_mean=float(np.mean(train.targets)),
        n_train=len(train),
        n_validation=len(labels.splits["validation"]),
        version=IDENTITY_VERSION,
        labels_sha256=labels.sha256,
        files=files,
    )


def read_data_record(
    task: Task,
    modality: Modality,
    data: str | Path | None = None,
    *,
    revision: str | None = None,
    progress: Progress = silent,
) -> DataRecord:
    """Say which data a run sees, for its record.

    Args:
        task: The task.
        modality: Which view of a crystal is read.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
        progress: Told how many texts are read, where no report has their hash.

    Raises:
        UsageError: The data is not at hand.
        DataError: It does not hold what it should.
    """
    truth = read_truth(task, data, revision=revision)
    identity = task_identity(task, modality, data, revision=revision, progress=progress)
    return DataRecord(
        dataset=truth.place,
        revision=revision,
        version=identity.version,
        labels_sha256=identity.labels_sha256,
        texts_sha256=identity.texts_sha256,
        sha256=identity.sha256,
        test_ids_sha256=truth.test_ids_sha256,
        n_train=truth.n_train,
        n_validation=truth.n_validation,
        training_mean=truth.training_mean,
    )


def place_name(data: str | Path | None) -> str:
    """Name of a place of data as records have it: the folder's own, the repo's, or that of the embedded sample."""
    if data is None:
        return EMBEDDED
    folder = Path(data)
    return folder.resolve().name if folder.is_dir() else str(data)


def _check_targets(
    ids: pa.Array, found: NDArray[np.float64], true: NDArray[np.float64], truth: Truth, path: Path | str
) -> None:
    error = np.abs(found - true)
    largest = np.maximum(np.abs(found), np.abs(true))
    differ = error > TOLERANCE * largest
    if not differ.any():
        return
    first = int(differ.argmax())
    hint = ""
    if float(error.max()) < 0.01 * float(largest.max()):
        hint = (
            f". They are at most {float(error.max()):.1g} off, as rounded ones are: write them in full, or leave the "
            "column out where the task is given"
        )
    raise DataError(
        f"{path}: column 'target': {int(differ.sum())} values differ from the data "
        f"(first: {ids[first]}, {found[first]} for {true[first]}); compared with the test targets of {truth.task} in "
        f"{truth.place}, to a relative {TOLERANCE:g}{hint}"
    )
