"""Anyone's predictions become a record: read with care, compared with the split, put through the frame of every run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

from ...dataset_builder.catalogue import Kind, Modality, Task
from ...errors import DataError, UsageError
from ...faults import first_fault
from ...progress import Progress, silent
from ..protocols import ScoreKind, kind_of_scores
from .predictions import Predictions, answer_columns, answers_sha256, read_predictions, refuse_contradiction
from .record import (
    RESULT_FILE,
    ModelIdentity,
    ModelKind,
    ModelRecord,
    PretrainingOverlap,
    ResultRecord,
    RunConfig,
    SubmissionProtocol,
    read_record,
)
from .runs import FinishedRun, open_run
from .scoring import disguised_labels
from .truth import Truth, read_data_record, read_truth


@dataclass(frozen=True)
class Author:
    """What the author of predictions says of them; none of it can be checked.

    Attributes:
        model_id: Name of the model.
        model_url: Where the model or its description is.
        revision: Version of the model.
        kind: What kind of model it is.
        parameters: Number of its parameters, None where it is not said.
        pretraining_overlap: Whether its weights had seen test materials.
        settings: How it was trained or asked, in the author's words.
        seed: Which of several seeds.
        limit: Only so many test rows were asked: a trial, which is not ranked.
        shuffled: Every crystal got another one's text: a control, which is not ranked.
    """

    model_id: str
    model_url: str
    revision: str = "not stated"
    kind: ModelKind = "other"
    parameters: int | None = None
    pretraining_overlap: PretrainingOverlap = "unknown"
    settings: Mapping[str, JsonValue] | None = None
    seed: int = 0
    limit: int | None = None
    shuffled: bool = False


@dataclass(frozen=True)
class Submission:
    """What became of predictions.

    Attributes:
        folder: The run's folder.
        record: Its record.
        n_absent: Test materials that the file did not name; they count as missing.
        already_there: The same answers had been submitted before.
    """

    folder: Path
    record: ResultRecord
    n_absent: int
    already_there: bool


def submit(
    path: Path,
    task: Task,
    modality: Modality,
    author: Author,
    results: Path,
    *,
    score_kind: ScoreKind | None = None,
    data: str | Path | None = None,
    revision: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Submission:
    """Make a record from a file of ids and predictions.

    Args:
        path: Parquet, CSV, TSV or JSON lines with ``material_id`` and ``prediction`` (or ``score``); a ``target`` is
            compared with the data.
        task: What was predicted.
        modality: What the model read.
        author: What is said of the model.
        results: Folder of results.
        score_kind: What the scores of a classifier are; probabilities if it is not said.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo; None for the embedded sample.
        revision: Revision of the Hub repo.
        overwrite: Make the record again where it is there.
        progress: Told of the reading of texts where no report has their hash.

    Raises:
        UsageError: A name or address has no form that a record may hold, or the data is not at hand.
        DataError: The file cannot be read, an id stands twice or belongs to no test material, a target differs from the
            data's, or scores are not of the kind that was said; the message names file, row and remedy.
    """
    if task.kind == "regression" and score_kind is not None:
        raise UsageError(f"--score-kind is for classification; {task.name} is a regression")
    given = read_predictions(path, task.kind, targets_needed=False)
    if task.kind == "classification":
        refuse_contradiction(path)
    truth = read_truth(task, data, revision=revision)
    found, n_absent = _on_the_split(given, truth, path)
    said = score_kind or "probability"
    if task.kind == "classification":
        said = _checked_scores(found.answers, said, path)
    try:
        model = ModelRecord(
            id=author.model_id,
            revision=author.revision,
            kind=author.kind,
            pretraining_overlap=author.pretraining_overlap,
            parameters=author.parameters,
        )
        identity = ModelIdentity(**model.model_dump(exclude={"parameters"}))
        protocol = SubmissionProtocol(
            settings=dict(author.settings or {}),
            seed=author.seed,
            model_url=author.model_url,
            answers_sha256=answers_sha256(found),
            control="shuffled" if author.shuffled else "none",
            limit=author.limit,
        )
    except ValidationError as error:
        fault = first_fault(error)
        part = fault.where.partition(".")[0]
        option = {"id": "--model-id", "revision": "--model-revision", "settings": "--set"}.get(
            part, f"--{part.replace('_', '-')}"
        )
        raise UsageError(f"{option}: {_plainly(part, fault.what)}") from None
    answered = int((~np.isnan(found.answers)).sum() + found.invalid.sum())
    if author.limit is not None and answered > author.limit:
        raise UsageError(f"--limit {author.limit}, but {path} answers {answered} rows")
    config = RunConfig.of(
        task, modality, read_data_record(task, modality, data, revision=revision, progress=progress), identity, protocol
    )
    _refuse_another_seed(config, results)
    run = open_run(config, results, overwrite=overwrite)
    if isinstance(run, FinishedRun):
        return Submission(run.folder, run.record, n_absent, already_there=True)
    with run:
        record = run.finish(
            _columns(found, task.kind, said),
            parameters=author.parameters,
            fitted={"submitted_rows": len(given)},
            score_kind=said,
        )
    return Submission(run.folder, record, n_absent, already_there=False)


def _on_the_split(given: Predictions, truth: Truth, path: Path) -> tuple[Predictions, int]:
    """The answers on exactly the test rows, in the order of their ids, and how many rows the file did not have.

    Raises:
        DataError: An id belongs to no test material, or none does; or a target differs from the data's.
    """
    places = pc.index_in(given.material_ids, value_set=truth.ids_by_id)
    foreign = np.asarray(places.is_null())
    if foreign.any():
        row = int(foreign.argmax())
        alike = {one.strip().casefold(): one for one in truth.ids_by_id.to_pylist()}
        wanted = alike.get(given.material_ids[row].as_py().strip().casefold())
        if wanted is not None:
            raise DataError(
                f"{path}: column 'material_id': row {row + 1} has {given.material_ids[row].as_py()!r}, the test split "
                f"{wanted!r}: write ids letter by letter, without blanks around them ({int(foreign.sum())} rows "
                "are not in the split)"
            )
        hint = "Leave these rows out"
        if foreign.all():
            hint = (
                f"None of its ids is; the split has ids like {truth.ids_by_id[0].as_py()!r}: is it another task's or "
                "another split's file?"
            )
        raise DataError(
            f"{path}: column 'material_id': {int(foreign.sum())} ids are not in the test split of {truth.task} (first: "
            f"{given.material_ids[row].as_py()!r} in row {row + 1}). {hint}"
        )
    where = places.to_numpy(zero_copy_only=False).astype(np.intp)
    n = len(truth.test_ids)
    answers = np.full(n, np.nan)
    answers[where] = given.answers
    invalid = np.zeros(n, dtype=bool)
    invalid[where] = given.invalid
    targets = truth.targets_by_id
    if given.targets is not None:
        targets = targets.copy()
        targets[where] = given.targets
    if np.isnan(answers).all():
        raise DataError(f"{path}: no row has an answer")
    return truth.matched(Predictions(truth.ids_by_id, targets, answers, invalid), path), n - len(given)


def _checked_scores(answers: NDArray[np.float64], said: ScoreKind, path: Path) -> ScoreKind:
    """What scores are: as said, hard labels where all are 0 or 1.

    Raises:
        DataError: They cannot be what is said.
    """
    there = answers[~np.isnan(answers)]
    found = kind_of_scores(answers, said)
    if said == "hard_label" and found == "hard_label" and not np.isin(there, (0.0, 1.0)).all():
        raise DataError(f"{path}: --score-kind hard_label, but there are values other than 0 and 1; leave it out")
    if found == "probability" and ((there < 0) | (there > 1)).any():
        if len(values := np.unique(there)) == 2:
            raise DataError(
                f"{path}: the scores are only {values[0]:g} and {values[1]:g}: if they are labels, write 0 and 1 (1 is "
                "what the task asks for)"
            )
        raise DataError(
            f"{path}: {int(((there < 0) | (there > 1)).sum())} scores lie outside of 0 to 1 and are no probabilities; "
            "give --score-kind logit if they are logits"
        )
    if (two := disguised_labels(answers, found)) is not None:
        raise DataError(
            f"{path}: but for a few at the most, the scores are only {two[0]:g} and {two[1]:g}, which are hard labels; "
            "write 0 and 1 alone"
        )
    return found


def _columns(found: Predictions, kind: Kind, score_kind: ScoreKind) -> dict[str, object]:
    assert found.targets is not None  # noqa: S101 - they are the data's
    columns = answer_columns(kind, found.material_ids, found.targets, found.answers, score_kind)
    if found.invalid.any():
        answered = np.where(np.isnan(found.answers), "missing", "ok")
        columns["parse_status"] = pa.array(np.where(found.invalid, "invalid", answered).tolist())
    return columns


def _refuse_another_seed(config: RunConfig, results: Path) -> None:
    """Refuse answers that are there already as another seed's: copies are no seeds.

    Raises:
        UsageError: They are.
    """
    for file in sorted((results / config.place).parent.glob(f"[!.]*/{RESULT_FILE}")):
        try:
            other = read_record(file)
        except DataError:
            continue  # for `verify` to tell
        mine = config.protocol
        if other.protocol.kind != "submission" or mine.kind != "submission":
            continue
        same = (other.model.id, other.protocol.answers_sha256) == (config.model.id, mine.answers_sha256)
        if same and other.protocol.seed != mine.seed:
            raise UsageError(
                f"--seed {mine.seed}: these are the very answers of seed {other.protocol.seed} in {file.parent}; a "
                "seed is another run of the model"
            )


def _plainly(part: str, message: str) -> str:
    if part == "model_url":
        return (
            "an address that begins with https:// is needed, without blanks, quotes or a password, of at most 400 "
            "characters"
        )
    return message
