"""What a forger does who knows the form of a record: change something, then make whatever follows from it fit again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm4mat_bench.dataset_builder.dataset_folder.identity import data_sha256
from llm4mat_bench.files import file_sha256
from llm4mat_bench.metrics.results.predictions import read_predictions
from llm4mat_bench.metrics.results.record import (
    DataRecord,
    ModelRecord,
    PromptProtocol,
    SubmissionProtocol,
    TrainingProtocol,
    config_sha256,
    record_sha256,
    run_id,
)
from llm4mat_bench.metrics.results.scoring import count, score_answers

Change = Callable[[dict[str, Any]], Any]


def change_record(folder: Path, change: Change) -> None:
    """Edit a record and nothing else."""
    path = folder / "result.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def forge_record(folder: Path, change: Change) -> None:
    """Edit a record, then mend its hashes and its run id."""

    def forge(record: dict[str, Any]) -> None:
        change(record)
        mend(record)

    change_record(folder, forge)


def mend(record: dict[str, Any]) -> None:
    """Make hashes and run id fit the rest of the record."""
    given = record["data"]
    given["sha256"] = data_sha256(given["version"], given["labels_sha256"], given["texts_sha256"])
    data, model = DataRecord(**given), ModelRecord(**record["model"])
    kinds = {"training": TrainingProtocol, "prompt": PromptProtocol, "submission": SubmissionProtocol}
    protocol = kinds[record["protocol"]["kind"]](**record["protocol"])
    record["config_sha256"] = config_sha256(record["task"], record["modality"], data, model, protocol)
    record["run_id"] = run_id(model, protocol, record["config_sha256"])
    record["record_sha256"] = record_sha256(record)


def forge_scores(folder: Path, change: Change = lambda record: None) -> None:
    """Edit a record, then make counts, scores and every hash fit the predictions file as it lies there."""

    def forge(record: dict[str, Any]) -> None:
        change(record)
        file = folder / "predictions.parquet"
        kind = record["metrics"]["kind"]
        found = read_predictions(file, kind).by_id()
        record["predictions"].update(size_bytes=file.stat().st_size, sha256=file_sha256(file))
        record["counts"] = count(found).model_dump(mode="json")
        report = score_answers(
            found,
            kind,
            training_mean=record["data"]["training_mean"],
            score_kind=record["metrics"].get("score_kind", "probability"),
        )
        record["metrics"] = report.model_dump(mode="json")
        mend(record)

    change_record(folder, forge)
