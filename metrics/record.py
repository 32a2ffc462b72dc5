"""The result record: everything that says what a run was and how well it did, as one JSON file."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..errors import DataError
from ..files import write_text
from .protocols import ClassificationReport, RegressionReport

RESULT_FILE = "result.json"
PREDICTIONS_FILE = "predictions.parquet"

ModelKind = Literal["finetuned", "prompted", "gnn", "classical", "dummy"]


class RecordPart(BaseModel):
    """Base of every part: immutable, extra keys refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecord(RecordPart):
    """Which data a run saw."""

    dataset: str = Field(description="'embedded sample', a folder's name, or a dataset repo on the Hub")
    revision: str | None = Field(description="revision of the Hub repo")
    sha256: str = Field(description="of the ids, texts and targets of all three splits of the task")
    split: Literal["test"] = "test"
    test_ids_sha256: str = Field(description="SHA-256 of the sorted test ids, joined by newlines")
    n_train: int
    n_validation: int
    training_mean: float = Field(description="mean of the training targets: what a missing answer counts as")


class ModelRecord(RecordPart):
    """Which model answered."""

    id: str
    revision: str
    kind: ModelKind
    parameters: int | None = Field(description="number of parameters, None where it is not known")


class ProtocolRecord(RecordPart):
    """How the model was trained or prompted."""

    settings: dict[str, JsonValue]
    seed: int
    fitted: dict[str, JsonValue] = Field(default_factory=dict, description="facts found in training")
    template_id: str | None = None
    template_sha256: str | None = None
    parser_version: str | None = None


class Counts(RecordPart):
    """How many test rows were answered."""

    n_total: int
    n_scored: int
    n_missing: int
    n_invalid: int = Field(description="answers that could not be read; not among the missing")
    coverage: float = Field(ge=0, le=1)


class PredictionsRecord(RecordPart):
    """The predictions file that the scores were computed from."""

    file: str
    sha256: str
    size_bytes: int


class Provenance(RecordPart):
    """The code and the machine."""

    package_version: str
    git_commit: str | None
    git_dirty: bool | None
    python: str
    libraries: dict[str, str]
    platform: str
    processor: str
    cores: int
    started_at: str
    wall_seconds: float


class ResultRecord(RecordPart):
    """One run of one model on one task in one modality."""

    schema_version: Literal[1] = 1
    run_id: str
    config_sha256: str = Field(description="of model, settings, seed, task, modality and data: equal for equal runs")
    task: str
    unit: str | None
    modality: Literal["composition", "cif", "description"]
    data: DataRecord
    model: ModelRecord
    protocol: ProtocolRecord
    counts: Counts
    metrics: RegressionReport | ClassificationReport = Field(discriminator="kind")
    predictions: PredictionsRecord
    provenance: Provenance


def json_sha256(value: JsonValue) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_record(folder: Path, record: ResultRecord) -> None:
    """Write ``result.json`` into a run's folder."""
    write_text(folder / RESULT_FILE, record.model_dump_json(indent=2) + "\n")


def read_record(path: Path) -> ResultRecord:
    """Read a ``result.json``.

    Raises:
        DataError: The file is missing, no JSON, or not of the form; the message names the file and the first fault.
    """
    try:
        return ResultRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise DataError(f"{path}: {where}: {first['msg']} ({error.error_count()} faults in all)") from error


def result_schema() -> str:
    """The JSON Schema of a result record, as text."""
    return json.dumps(ResultRecord.model_json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
