"""Trust nothing that stands in a record: compute it again from the predictions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue

from ..dataset_builder.catalogue import Task, get_task
from ..dataset_builder.dataset_folder import EMBEDDED, read_labels, task_identity
from ..dataset_builder.splits import ids_sha256
from ..errors import DataError, LLM4MatError
from ..files import file_sha256
from .predictions import Predictions, check_ids, read_predictions
from .record import RESULT_FILE, ResultRecord, read_record
from .results import count, score_predictions

RELATIVE_TOLERANCE = 1e-9
"""Sums may be taken in another order by another NumPy; any honest change of a prediction is far larger."""


class Verification(BaseModel):
    """What came of verifying one run.

    Attributes:
        folder: The run's folder.
        record: Its record, None where it cannot be read.
        faults: What does not hold, one line each; empty for a sound run.
        data_checked: Whether ids and targets were compared with the data itself, not only with the record's hashes.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    record: ResultRecord | None
    faults: tuple[str, ...]
    data_checked: bool


def find_runs(results: Path) -> list[Path]:
    """Folders under ``results`` that hold a ``result.json``, sorted; hidden (unfinished) ones are passed over.

    Raises:
        DataError: There is no such folder, or no run in it.
    """
    if not results.is_dir():
        raise DataError(f"{results}: no such folder")
    runs = sorted(
        path.parent
        for path in results.rglob(RESULT_FILE)
        if not any(part.startswith(".") for part in path.relative_to(results).parts)
    )
    if not runs:
        raise DataError(f"{results}: no {RESULT_FILE} in it or below; `llm4mat-bench train` writes one")
    return runs


def verify_run(folder: Path, source: str | None = None) -> Verification:
    """Verify one run: record, hash, ids, counts, every metric.

    Args:
        folder: The run's folder.
        source: Folder or Hub repo with the data. The embedded sample needs none; without the data, the ids are compared
            with the hash in the record and the targets are taken from the predictions file.
    """
    try:
        record = read_record(folder / RESULT_FILE)
    except LLM4MatError as error:
        return Verification(folder=folder, record=None, faults=(str(error),), data_checked=False)
    data_checked = record.data.dataset == EMBEDDED or source is not None
    faults: list[str] = []
    try:
        faults += _faults(folder, record, source, data_checked)
    except LLM4MatError as error:
        faults.append(str(error))
    return Verification(folder=folder, record=record, faults=tuple(faults), data_checked=data_checked)


def verify_results(
    results: Path, source: str | None = None, progress: Callable[[float, str], None] = lambda share, words: None
) -> list[Verification]:
    """Verify every run under a folder.

    Raises:
        DataError: There is no run.
    """
    runs = find_runs(results)
    found = []
    for done, folder in enumerate(runs):
        progress(done / len(runs), folder.name)
        found.append(verify_run(folder, source))
    progress(1.0, f"{len(runs)} runs")
    return found


def _faults(folder: Path, record: ResultRecord, source: str | None, data_checked: bool) -> Iterator[str]:
    task = get_task(record.task)
    file = folder / record.predictions.file
    if file.parent != folder:
        raise DataError(f"{folder / RESULT_FILE}: the predictions file must lie beside the record, not at {file}")
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    if file_sha256(file) != record.predictions.sha256 or file.stat().st_size != record.predictions.size_bytes:
        yield f"{file}: not the file that the record was made from (SHA-256 or size differs)"
    predictions = read_predictions(file, task.kind)
    ids = predictions.material_ids.to_pylist()
    if ids_sha256(ids) != record.data.test_ids_sha256:
        yield f"{file}: the ids are not those in the record (SHA-256 of the sorted ids differs)"
    if data_checked:
        yield from _data_faults(file, predictions, record, task, source)
    if task.unit != record.unit:
        yield f"{folder / RESULT_FILE}: unit {record.unit}, the catalogue says {task.unit}"
    counts = count(predictions)
    if counts != record.counts:
        yield f"{folder / RESULT_FILE}: counts differ from the predictions: {counts}"
    score_kind = record.metrics.score_kind if record.metrics.kind == "classification" else "probability"
    again = score_predictions(predictions, task.kind, training_mean=record.data.training_mean, score_kind=score_kind)
    same_random_streams = record.provenance.libraries.get("numpy") == np.__version__
    yield from (
        f"{folder / RESULT_FILE}: metrics.{line}"
        for line in _differences(
            record.metrics.model_dump(mode="json"), again.model_dump(mode="json"), exact_intervals=same_random_streams
        )
    )


def _data_faults(
    file: Path, predictions: Predictions, record: ResultRecord, task: Task, source: str | None
) -> Iterator[str]:
    revision = record.data.revision if source else None
    splits = read_labels(task, source, revision=revision).splits
    test = splits["test"]
    check_ids(predictions.material_ids, test.material_ids.combine_chunks(), file)
    by_id = dict(zip(test.material_ids.to_pylist(), test.targets, strict=True))
    true = np.array([by_id[material_id] for material_id in predictions.material_ids.to_pylist()])
    differ = true != predictions.targets
    if differ.any():
        first = int(differ.argmax())
        yield (
            f"{file}: column 'target': {int(differ.sum())} values differ from the data "
            f"(first: {predictions.material_ids[first]}, {predictions.targets[first]} for {true[first]})"
        )
    mean = float(np.mean(splits["train"].targets))
    if not np.isclose(mean, record.data.training_mean, rtol=RELATIVE_TOLERANCE, atol=0.0):
        yield f"{file.parent / RESULT_FILE}: training mean {record.data.training_mean}, the data says {mean}"
    if task_identity(task, record.modality, source, revision=revision).sha256 != record.data.sha256:
        yield f"{file.parent / RESULT_FILE}: made from other data than {source or EMBEDDED} (SHA-256 differs)"


def _differences(stated: JsonValue, found: JsonValue, where: str = "", *, exact_intervals: bool) -> Iterator[str]:
    """Leaves in which two JSON values differ, numbers beyond the tolerance."""
    if isinstance(stated, dict) and isinstance(found, dict):
        if where.endswith("interval") and not exact_intervals and _near(stated, found):
            return
        for key in sorted(stated.keys() | found.keys()):
            inner = f"{where}.{key}" if where else key
            yield from _differences(stated.get(key), found.get(key), inner, exact_intervals=exact_intervals)
        return
    both_numbers = isinstance(stated, int | float) and isinstance(found, int | float)
    if both_numbers and np.isclose(float(stated), float(found), rtol=RELATIVE_TOLERANCE, atol=1e-15):  # type: ignore[arg-type]
        return
    if stated != found:
        yield f"{where}: the record says {stated}, the predictions give {found}"


def _near(stated: dict[str, JsonValue], found: dict[str, JsonValue]) -> bool:
    """Whether two intervals are the same but for the draw of the resamples, which another NumPy may make otherwise.

    The ends of a percentile interval from 1,000 resamples scatter by about 4 % of its width.
    """
    ends = [stated.get("low"), stated.get("high"), found.get("low"), found.get("high")]
    numbers = [float(end) for end in ends if isinstance(end, int | float)]
    if len(numbers) < 4 or stated.get("level") != found.get("level") or stated.get("method") != found.get("method"):
        return False
    slack = 0.2 * (numbers[3] - numbers[2])
    return abs(numbers[0] - numbers[2]) <= slack and abs(numbers[1] - numbers[3]) <= slack
