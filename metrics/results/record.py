"""The result record: everything that says what a run was and how well it did, as one JSON file."""

import codecs
import hashlib
import json
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from ...dataset_builder.catalogue import Kind, Modality, Task
from ...errors import DataError
from ...faults import first_fault
from ...files import json_text
from ..protocols import ClassificationReport, RegressionReport
from .names import has_shape, slug, visible

RESULT_FILE = "result.json"
PREDICTIONS_FILE = "predictions.parquet"
SCHEMA_VERSION = 2
MOST_MISSING = 0.5
"""Share of the test rows that may be without an answer in a run that is ranked."""
_LARGEST = 256 << 10
"""Bytes of the largest record that is read; an honest one has some ten thousand."""

ModelKind = Literal["finetuned", "prompted", "gnn", "classical", "dummy", "other"]
"""``other`` is what a submission says whose author does not name the kind."""
Control = Literal["none", "shuffled", "sentences", "unit"]
TrainingControl = Literal["none", "shuffled"]
PretrainingOverlap = Literal["none", "known", "unknown"]
_PART = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Free text of some length: shown, never used as a path or a link."""
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=200)]
ArtifactPath = Annotated[str, StringConstraints(pattern=rf"^{_PART}(/{_PART})*$", max_length=400)]
"""Path of a file below the run's folder: no step up, nothing hidden."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_IN_URL = r"\s<>\"'`\\\x00-\x1f\x7f"
Url = Annotated[
    str, StringConstraints(pattern=rf"^https://[A-Za-z0-9][^{_IN_URL}@/?#]*([/?#][^{_IN_URL}]*)?$", max_length=400)
]
"""An address that people may follow; no program does. It holds no name and password."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]


class RecordPart(BaseModel):
    """Base of every part: immutable, extra keys refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecord(RecordPart):
    """Which data a run saw: where it lay, and hashes that name it wherever it lies."""

    dataset: Name = Field(description="'embedded sample', a folder's name, or a dataset repo on the Hub")
    revision: Name | None = Field(description="revision of the Hub repo")
    version: Positive = Field(description="of the way in which the three hashes are computed")
    labels_sha256: Sha256 = Field(description="of ids and targets of all three splits of the task")
    texts_sha256: Sha256 = Field(description="of the texts of this source and modality")
    sha256: Sha256 = Field(description="of both")
    split: Literal["test"] = "test"
    test_ids_sha256: Sha256 = Field(description="SHA-256 of the sorted test ids, joined by newlines")
    n_train: Count
    n_validation: Count
    training_mean: float = Field(description="mean of the training targets: what a missing answer counts as")


def _seen(name: str) -> str:
    if not has_shape(name):
        raise ValueError("must be a name that can be seen, without blanks at its ends")
    return name


class ModelIdentity(RecordPart):
    """Which model: what a run knows of it before it starts."""

    id: Annotated[Name, AfterValidator(_seen)]
    revision: Name
    kind: ModelKind
    pretraining_overlap: PretrainingOverlap = Field(
        default="unknown",
        description="whether the weights had seen test materials before this run",
    )


class ModelRecord(ModelIdentity):
    """Which model answered."""

    parameters: Count | None = Field(description="number of parameters, None where it is not known")


class TrainingProtocol(RecordPart):
    """How a model was trained."""

    kind: Literal["training"] = "training"
    settings: dict[str, JsonValue]
    seed: Count
    preset: Name | None = Field(default=None, description="name that the settings go by, for example 'published'")
    control: TrainingControl = Field(
        default="none", description="shuffled: every test crystal got another crystal's text"
    )
    limit: Positive | None = Field(default=None, description="only so many test rows were asked: a trial")
    train_rows: Positive | None = Field(default=None, description="only so many training rows were used")
    places: dict[Name, Sha256] = Field(
        default_factory=dict,
        description="settings that say where a file or folder lies, with the SHA-256 of what lies there: it counts in "
        "place of the path",
    )


class PromptProtocol(RecordPart):
    """How a language model was asked."""

    kind: Literal["prompt"] = "prompt"
    settings: dict[str, JsonValue] = Field(description="of sampling and shots: all that can change an answer")
    seed: Count
    template_id: Name
    template_sha256: Sha256
    parser_version: Name
    shots: Count = 0
    preset: Name | None = Field(default=None, description="name that the settings go by, for example 'published'")
    control: Control = Field(
        default="none",
        description="shuffled: every question held another crystal's text; sentences: those of each description in "
        "another order; unit: another unit was asked for, the answers are converted back",
    )
    limit: Positive | None = Field(default=None, description="only so many test rows were asked: a trial")


class SubmissionProtocol(RecordPart):
    """Answers that were made elsewhere: all that is known of how is what their author says."""

    kind: Literal["submission"] = "submission"
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="what the author says of them")
    seed: Count = 0
    model_url: Url = Field(description="where the model or its description is")
    answers_sha256: Sha256 = Field(description="of the answers in the order of the sorted ids: they are what was run")
    preset: Name | None = None
    control: Control = "none"
    limit: Positive | None = Field(default=None, description="only so many test rows were asked: a trial")


AnyProtocol = TrainingProtocol | PromptProtocol | SubmissionProtocol
Protocol = Annotated[AnyProtocol, Field(discriminator="kind")]


class Counts(RecordPart):
    """How many test rows were answered."""

    n_total: Count
    n_scored: Count
    n_missing: Count
    n_invalid: Count = Field(description="answers that could not be read; not among the missing")
    coverage: float = Field(ge=0, le=1)


def _beside(file: str) -> str:
    if re.fullmatch(_PART, file) is None or not file.endswith(".parquet"):
        raise ValueError("must lie beside the record: a plain name of a Parquet file is needed")
    return file


class FileRecord(RecordPart):
    """A file that lies beside the record."""

    file: Annotated[str, StringConstraints(max_length=200), AfterValidator(_beside)]
    sha256: Sha256
    size_bytes: Count


class Provenance(RecordPart):
    """The code and the machine."""

    package_version: Name
    git_commit: Name | None
    git_dirty: bool | None
    python: Name
    libraries: dict[Name, Name]
    platform: Name
    processor: Name
    cores: Positive
    started_at: Name
    wall_seconds: float = Field(ge=0, le=1e12, description="of the call that finished the run")
    resumed: bool = Field(default=False, description="an earlier call had begun the run; its time is not counted")


class RunConfig(RecordPart):
    """What a run is before it starts; run id and ``config_sha256`` follow from it.

    Attributes:
        task: Name of the task.
        kind: What the task asks for.
        unit: Unit of the target.
        modality: Which view of a crystal is read.
        data: Which data is seen.
        model: Which model answers.
        protocol: How it is trained or asked.
    """

    task: Name
    kind: Kind
    unit: Name | None
    modality: Modality
    data: DataRecord
    model: ModelIdentity
    protocol: Protocol

    @classmethod
    def of(
        cls,
        task: Task,
        modality: Modality,
        data: DataRecord,
        model: ModelIdentity,
        protocol: AnyProtocol,
    ) -> "RunConfig":
        """Put a run together."""
        return cls(
            task=task.name,
            kind=task.kind,
            unit=task.unit,
            modality=modality,
            data=data,
            model=model,
            protocol=protocol,
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of what can change an answer."""
        return config_sha256(self.task, self.modality, self.data, self.model, self.protocol)

    @property
    def run_id(self) -> str:
        """Name of the run's folder."""
        return run_id(self.model, self.protocol, self.sha256)

    @property
    def place(self) -> Path:
        """Where the run lies in a folder of results: source, property, modality, run id."""
        return Path(*self.task.split("/"), self.modality, self.run_id)


class ResultRecord(RecordPart):
    """One run of one model on one task in one modality."""

    schema_version: Literal[2] = 2
    run_id: RunId
    config_sha256: Sha256 = Field(description="of model, protocol, task, modality and data: equal for equal runs")
    task: Name
    unit: Name | None
    modality: Modality
    data: DataRecord
    model: ModelRecord
    protocol: Protocol
    fitted: dict[str, JsonValue] = Field(default_factory=dict, description="facts found in training or asking")
    counts: Counts
    metrics: RegressionReport | ClassificationReport = Field(discriminator="kind")
    predictions: FileRecord
    artifacts: dict[ArtifactPath, Sha256] = Field(
        default_factory=dict, description="other files of the run, such as the saved model; they may be removed"
    )
    provenance: Provenance
    record_sha256: Sha256 = Field(description="of everything else in the record; shows an edit, proves no author")

    @property
    def flat_name(self) -> str:
        """Task, modality and run id as one word, for the names of files and configurations."""
        return "-".join([*self.task.split("/"), self.modality, self.run_id])

    @property
    def full(self) -> bool:
        """Whether the run is one to be ranked: no control, no trial, on all training rows."""
        return not shortfalls(self)


def shortfalls(record: ResultRecord) -> tuple[str, ...]:
    """Say what keeps a run from being ranked: a control, a limit, fewer training rows, most rows without an answer.

    The last is what a trial looks like whose limit is not in its record. An answer that could not be read is one.
    """
    protocol, counts = record.protocol, record.counts
    found = []
    if protocol.control != "none":
        found.append(f"control: {protocol.control}")
    if protocol.limit is not None:
        found.append(f"limited to {protocol.limit} test rows")
    if protocol.kind == "training" and protocol.train_rows is not None:
        found.append(f"{protocol.train_rows} training rows")
    if protocol.limit is None and counts.n_missing > MOST_MISSING * counts.n_total:
        found.append(f"no answer for {counts.n_missing} of {counts.n_total} test rows")
    return tuple(found)


def config_sha256(
    task: str,
    modality: Modality,
    data: DataRecord,
    model: ModelIdentity,
    protocol: AnyProtocol,
) -> str:
    """SHA-256 of what can change an answer, and of nothing else.

    Left out are the place of the data (its hashes are in) and of all else that is known by its hash, the name of a
    preset (its settings are in), the model's kind and what is known of its pretraining. Nulls are left out too, so that
    a field added later does not move old ids.
    """
    return json_sha256(
        {
            "task": task,
            "modality": modality,
            "data": {
                "version": data.version,
                "labels_sha256": data.labels_sha256,
                "texts_sha256": data.texts_sha256,
            },
            "model": {"id": model.id, "revision": model.revision},
            "protocol": {
                **protocol.model_dump(mode="json", exclude={"preset", "settings", "places"}, exclude_none=True),
                "settings": settings_by_content(protocol),
            },
        }
    )


def settings_by_content(protocol: AnyProtocol) -> dict[str, JsonValue]:
    """Settings, with the hash of what lies there for each that is a path: they are equal wherever it lies."""
    return {**protocol.settings, **(protocol.places if protocol.kind == "training" else {})}


def run_id(model: ModelIdentity, protocol: AnyProtocol, config: str) -> str:
    """Name of a run: for people the model, the seed and what sets it apart, for programs the start of its hash."""
    words = [slug(model.id), f"seed{protocol.seed}"]
    if protocol.control != "none":
        words.append(protocol.control)
    if protocol.kind == "training" and protocol.train_rows is not None:
        words.append(f"rows{protocol.train_rows}")
    if protocol.limit is not None:
        words.append(f"limit{protocol.limit}")
    return "-".join([*words, config[:10]])


def record_sha256(record: Mapping[str, JsonValue]) -> str:
    """SHA-256 of a record without its own hash."""
    return json_sha256({name: value for name, value in record.items() if name != "record_sha256"})


def json_sha256(value: JsonValue) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def record_text(fields: Mapping[str, Any]) -> str:
    """The text of ``result.json`` from all fields but ``record_sha256``, which is added."""
    draft = ResultRecord.model_validate({**fields, "record_sha256": "0" * 64})
    value = draft.model_dump(mode="json")
    value["record_sha256"] = record_sha256(value)
    return json_text(value)


def read_record(path: Path) -> ResultRecord:
    """Read a ``result.json``.

    Raises:
        DataError: The file is missing, no JSON, or not of the form; a key stands twice; or it is of another version of
            the form. The message names the file and the first fault.
    """
    try:
        if not path.is_file():  # a pipe or a device would be read for ever
            raise DataError(f"{path}: no such file")
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: {path.stat().st_size} bytes are too many for a record")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    value = _parsed(path, content)
    version = value.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:  # neither 2.0 nor true is a version
        raise DataError(f"{path}: {_other_version(value)}")
    try:
        return ResultRecord.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise DataError(f"{path}: {visible(first_fault(error).told, 500)}") from error


def result_schema() -> str:
    """The JSON Schema of a result record, as text."""
    return json_text(ResultRecord.model_json_schema(), sort_keys=True)


def _parsed(path: Path, content: bytes) -> dict[str, JsonValue]:
    if content.startswith(codecs.BOM_UTF8):
        raise DataError(f"{path}: not a record: it begins with a byte order mark; save it as UTF-8 without one")
    try:
        value = json.loads(
            content.decode(), object_pairs_hook=_without_repeats, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError as error:
        raise DataError(f"{path}: not a record: nested too deep") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a record: byte {error.start + 1} is no UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not a record: no JSON at line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        said = "a number of thousands of digits" if "set_int_max_str_digits" in str(error) else str(error)
        raise DataError(f"{path}: not a record: {visible(said, 300)}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: not a record: a JSON object is needed")
    return value


def _without_repeats(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} stands more than once")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that a record may hold")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond the range of float64")
    return number


def _other_version(value: Mapping[str, JsonValue]) -> str:
    """Say how a record of another version of the form comes to be read."""
    version = value.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        return f"a record of form {version}; this llm4mat-bench reads form {SCHEMA_VERSION}: install a newer one"
    if type(version) is not int or version < 1:
        return f"schema_version: a whole number is needed, {SCHEMA_VERSION} for this llm4mat-bench"
    words = ["llm4mat-bench", "train"]
    for part, key in (("model", "id"), ("", "task"), ("", "modality"), ("protocol", "seed")):
        inner = value.get(part) if part else value
        found = inner.get(key) if isinstance(inner, dict) else None
        option = {"modality": ["-m"], "seed": ["--seed"]}.get(key, [])
        words += [*option, key.upper() if found is None else visible(str(found), 100)]
    return (
        f"a record of form {version}, which had no run id that can be checked; this llm4mat-bench reads form "
        f"{SCHEMA_VERSION}. Make the run again (its --set settings stand in the record): {shlex.join(words)}"
    )
