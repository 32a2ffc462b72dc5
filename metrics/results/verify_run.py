"""Trust nothing that stands in a record: compute it again from the predictions and the data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeGuard

import numpy as np
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Task
from ...dataset_builder.dataset_folder import EMBEDDED
from ...dataset_builder.dataset_folder.identity import data_sha256
from ...dataset_builder.splits import ids_sha256
from ...errors import DataError, LLM4MatError
from ...files import file_sha256
from ..errors import ScoreError
from ..protocols import ClassificationReport, RegressionReport
from .compare import RELATIVE_TOLERANCE, differences
from .likeness import Places, places_of
from .names import visible
from .places import Truths
from .predictions import Predictions, answers_sha256, count_rows, read_predictions, values_sha256
from .record import RESULT_FILE, ResultRecord, config_sha256, read_record, record_sha256, run_id
from .scoring import count, disguised_labels, score_answers
from .truth import Truth

_LARGEST_ARTIFACT = 64 << 20
"""Bytes of the largest saved file that is hashed: a folder of fine-tuned models would take minutes a gigabyte."""
_MOST_ROWS = 10
"""Times the published rows of a source: a table of more is no answer to it, and is not read."""


class Verification(BaseModel):
    """What came of verifying one run.

    Attributes:
        folder: The run's folder.
        record: Its record, None where it cannot be read.
        faults: What does not hold, one line each; empty for a sound run.
        data_checked: Whether ids and targets were compared with the data itself, not only with the record's hashes.
        place: Name of the place of that data; None where it was not at hand.
        report: The scores, computed again; None where they cannot be. What is shown is taken from here.
        answers: SHA-256 of the answers in the order of their ids, whatever file they lie in; None where they cannot be
            read.
        places: Where the answers stand among one another, to tell copies with noise on them; None where they cannot be
            told.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    record: ResultRecord | None
    faults: tuple[str, ...]
    data_checked: bool
    place: str | None = None
    report: RegressionReport | ClassificationReport | None = None
    answers: str | None = None
    places: Places | None = None


def verify_run(folder: Path, truths: Truths | None = None) -> Verification:
    """Verify one run: record, hashes, run id, ids, targets, counts, every metric.

    Args:
        folder: The run's folder.
        truths: Where data is; the embedded sample needs none. Without a run's data, its ids are compared with the hash
            in the record and its targets are taken from the predictions file.
    """
    check = _Check(folder, truths or Truths())
    try:
        check.run()
    except LLM4MatError as error:
        check.faults.append(str(error))
    except Exception as error:
        check.faults.append(f"{folder}: cannot be verified: {type(error).__name__}: {visible(str(error), 300)}")
    return Verification(
        folder=folder,
        record=check.record,
        faults=tuple(visible(fault, 1000) for fault in check.faults),
        data_checked=check.truth is not None,
        place=check.truth.place if check.truth else None,
        report=check.report,
        answers=check.answers,
        places=check.places,
    )


class _Check:
    """Verifying one run, with what has been found so far."""

    def __init__(self, folder: Path, truths: Truths) -> None:
        self.folder = folder
        self.truths = truths
        self.file = folder / RESULT_FILE
        self.record: ResultRecord | None = None
        self.truth: Truth | None = None
        self.report: RegressionReport | ClassificationReport | None = None
        self.answers: str | None = None
        self.places: Places | None = None
        self.faults: list[str] = []

    def run(self) -> None:
        record = self.record = read_record(self.file)
        self.faults += (f"{self.file}: {fault}" for fault in _derived_faults(record))
        task = self.truths.task(record.task)
        if task.name != record.task:
            raise DataError(f"{self.file}: task: the catalogue writes {task.name}")
        if task.unit != record.unit:
            self.faults.append(f"{self.file}: unit {record.unit}, the catalogue says {task.unit}")
        predictions = self._matched(record, task, self._predictions(record, task))
        self.answers = values_sha256(predictions)
        assert predictions.targets is not None  # noqa: S101 - they are read with them, or are the data's
        self.places = places_of(predictions.answers, predictions.targets)
        counts = count(predictions)
        if counts != record.counts:
            self.faults.append(f"{self.file}: counts differ from the predictions: {counts}")
        protocol = record.protocol
        if protocol.kind == "submission" and protocol.answers_sha256 != answers_sha256(predictions):
            self.faults.append(
                f"{self.file}: protocol.answers_sha256: {record.predictions.file} holds other answers (SHA-256 differs)"
            )
        score_kind = record.metrics.score_kind if record.metrics.kind == "classification" else "probability"
        if task.kind == "classification" and (two := disguised_labels(predictions.answers, score_kind)):
            self.faults.append(
                f"{self.folder / record.predictions.file}: column 'score': but for a few rows at the most, "
                f"only {two[0]:g} and {two[1]:g} stand there, which are hard labels; the record presents them as "
                f"{score_kind} (write 0 and 1, and hard_label)"
            )
        mean = record.data.training_mean if self.truth is None else self.truth.training_mean
        try:
            self.report = score_answers(predictions, task.kind, training_mean=mean, score_kind=score_kind)
        except ScoreError as error:
            raise DataError(f"{self.folder / record.predictions.file}, read as {score_kind}: {error}") from error
        if self.report == record.metrics:
            # Of thousands of runs, one copy of the scores is enough to hold: they are most of a record.
            self.record = _with_one_copy(record)
            self.report = self.record.metrics
        same_random_streams = record.provenance.libraries.get("numpy") == np.__version__
        self.faults += (
            f"{self.file}: metrics.{line}"
            for line in differences(
                record.metrics.model_dump(mode="json"),
                self.report.model_dump(mode="json"),
                exact_intervals=same_random_streams,
            )
        )

    def _predictions(self, record: ResultRecord, task: Task) -> Predictions:
        file = self.folder / record.predictions.file
        if not file.is_file():
            raise DataError(f"{file}: no such file")
        if file.stat().st_size != record.predictions.size_bytes or file_sha256(file) != record.predictions.sha256:
            self.faults.append(f"{file}: not the file that the record was made from (SHA-256 or size differs)")
        for name, sha256 in record.artifacts.items():
            artifact = self.folder / name
            if not artifact.is_file() or artifact.stat().st_size > _LARGEST_ARTIFACT:
                continue
            if file_sha256(artifact) != sha256:
                self.faults.append(f"{artifact}: changed since the run (SHA-256 differs)")
        most = _MOST_ROWS * task.source.published.rows
        if (rows := count_rows(file)) is not None and rows > most:
            raise DataError(f"{file}: {rows:,} rows are no answers to {task.name}, whose source has far fewer")
        return read_predictions(file, task.kind)

    def _matched(self, record: ResultRecord, task: Task, predictions: Predictions) -> Predictions:
        """What to score: with the data's targets where it is at hand."""
        file, data = self.folder / record.predictions.file, record.data
        truth = self.truths.find(task, data.dataset, labels_sha256=data.labels_sha256)
        if truth is None:
            if ids_sha256(predictions.material_ids.to_pylist()) != data.test_ids_sha256:
                self.faults.append(f"{file}: the ids are not those in the record (SHA-256 of the sorted ids differs)")
            return predictions.by_id()
        self.truth = truth
        self.faults += (f"{self.file}: {fault}" for fault in _data_faults(record, truth))
        self.faults += (f"{self.file}: {fault}" for fault in self._revision_faults(record, task))
        if truth.test_ids_sha256 != data.test_ids_sha256:
            self.faults.append(f"{file}: the ids are not those in the record (SHA-256 of the sorted ids differs)")
        return truth.matched(predictions, file)

    def _revision_faults(self, record: ResultRecord, task: Task) -> Iterator[str]:
        """What the repo of the data holds at the revision that the record names, where that repo was given."""
        data = record.data
        if data.revision is None:
            return
        try:
            there = self.truths.at_revision(task, data.dataset, data.revision)
        except LLM4MatError as error:
            yield f"data.revision {data.revision}: {error}"
            return
        if there is not None and there.labels_sha256 != data.labels_sha256:
            yield f"data.revision {data.revision}: there {data.dataset} holds other data (SHA-256 differs)"


def _with_one_copy(record: ResultRecord) -> ResultRecord:
    """The record with one object for the scores of both protocols, where they are equal to the last letter."""
    metrics = record.metrics
    if metrics.published != metrics.whole or metrics.published.model_dump(exclude_unset=True) != (
        metrics.whole.model_dump(exclude_unset=True)
    ):
        return record
    return record.model_copy(update={"metrics": metrics.model_copy(update={"published": metrics.whole})})


def _derived_faults(record: ResultRecord) -> Iterator[str]:
    """What follows from the record itself: hashes of its parts, its run id, and its own hash."""
    data = record.data
    if data.sha256 != data_sha256(data.version, data.labels_sha256, data.texts_sha256):
        yield "data.sha256: made from other data than labels_sha256 and texts_sha256 say (SHA-256 differs)"
    config = config_sha256(record.task, record.modality, data, record.model, record.protocol)
    if config != record.config_sha256:
        yield "config_sha256 is not that of model, protocol, task, modality and data in the record"
    if (expected := run_id(record.model, record.protocol, config)) != record.run_id:
        yield f"run_id {record.run_id}, model, protocol and data in the record give {expected}"
    if record_sha256(record.model_dump(mode="json", exclude_unset=True)) != record.record_sha256:
        yield "record_sha256 is not that of the record: something in it was changed"
    if not _is_time(record.provenance.started_at):
        yield f"provenance.started_at {record.provenance.started_at}: no time of the form 2026-01-31T12:00:00+00:00"
    elif datetime.fromisoformat(record.provenance.started_at) > datetime.now(UTC) + timedelta(days=1):
        yield f"provenance.started_at {record.provenance.started_at} lies in the future"
    if data.dataset == EMBEDDED and (record.task.partition("/")[0] != "sample" or data.revision is not None):
        yield f"data.dataset {EMBEDDED}: {record.task} at revision {data.revision} is not in it"
    answered, limit = record.counts.n_scored + record.counts.n_invalid, record.protocol.limit
    if limit is not None and answered > limit:
        yield f"protocol.limit {limit}, but {answered} rows are answered"
    if record.protocol.kind == "prompt":
        yield from _question_faults(record)
    if record.protocol.kind == "training" and (record.protocol.train_rows or 0) > data.n_train:
        yield f"protocol.train_rows {record.protocol.train_rows}, the training split has {data.n_train}"


def _question_faults(record: ResultRecord) -> Iterator[str]:
    """What a prompted run says of how many questions were asked, against the number of rows."""
    n, asked = record.counts.n_total, record.fitted.get("parse_status")
    samples = record.protocol.settings.get("samples", 1)
    if not _is_count(samples) or samples < 1:
        yield f"protocol.settings.samples {samples!r}: no number of answers to a question"
        return
    if not isinstance(asked, dict):
        return
    said = {f"parse_status.{name}": one for name, one in asked.items()}
    said |= {name: record.fitted[name] for name in ("unanswered", "rows_without_text") if name in record.fitted}
    counts: dict[str, int] = {}
    for name, one in said.items():
        if not _is_count(one) or one > n * samples:
            yield f"fitted.{name} {one!r}: no number of questions to {n} rows"
            return
        counts[name] = one
    textless = counts.pop("rows_without_text", None)
    # Older records do not say how many crystals had no text to ask about.
    least = n - textless if textless is not None else n / 2
    total = sum(counts.values())
    if record.protocol.limit is None and total < least * samples:
        yield (
            f"protocol.limit is not set, but fitted.parse_status counts {total} questions for {n} rows: it is a "
            "limited run"
        )


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _data_faults(record: ResultRecord, truth: Truth) -> Iterator[str]:
    """What the record says of its data and the data says otherwise."""
    data = record.data
    if (data.version, data.labels_sha256) != (truth.version, truth.labels_sha256):
        yield f"data.labels_sha256: made from other data than {truth.place} (SHA-256 differs)"
    texts = truth.texts_sha256(record.modality)
    if texts is not None and texts != data.texts_sha256:
        yield f"data.texts_sha256: made from other texts than the {record.modality} of {truth.place} (SHA-256 differs)"
    for name, stated, found in (
        ("n_train", data.n_train, truth.n_train),
        ("n_validation", data.n_validation, truth.n_validation),
    ):
        if stated != found:
            yield f"data.{name} {stated}, {truth.place} has {found}"
    if not np.isclose(truth.training_mean, data.training_mean, rtol=RELATIVE_TOLERANCE, atol=0.0):
        yield f"training mean {data.training_mean}, {truth.place} says {truth.training_mean}"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
