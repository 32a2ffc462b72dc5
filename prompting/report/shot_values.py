"""The values of the shots that stood before each question, as they were shown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...answers.form import shown_value
from ...dataset_builder.catalogue import Modality, Task
from ...dataset_builder.dataset_folder import TaskLabels
from ...errors import LLM4MatError
from ...metrics.results.record import PromptProtocol, ResultRecord
from ..questions import read_questions
from ..render import Renderer
from ..shots import Rule, ShotSettings
from ..templates import load_template

_DIGITS = 4
"""Of shots, where the template is not at hand."""


def shown_digits(protocol: PromptProtocol) -> int | None:
    """Significant digits of the shots of a run; None where all are shown."""
    try:
        template = load_template(protocol.template_id)
    except LLM4MatError:
        return _DIGITS
    return template.digits if template.sha256 == protocol.template_sha256 else _DIGITS


def as_shown(values: NDArray[np.float64], task: Task, digits: int | None) -> NDArray[np.float64]:
    """Targets as shots show them; of classes themselves."""
    if task.kind == "classification":
        return values
    return np.array([float(shown_value(float(one), task, digits)) for one in values])


def shot_values(
    record: ResultRecord, task: Task, labels: TaskLabels, ids: pa.Array, data: str | Path | None
) -> list[NDArray[np.float64]] | NDArray[np.float64] | None:
    """What the shots before each question said.

    Args:
        record: The run.
        task: What was asked for.
        labels: The labels that the run saw.
        ids: Ids of the crystals asked about, in the order of the answers.
        data: Where the texts are, for rules that choose anew for each question.

    Returns:
        One array for all questions where they have the same shots, else one for each; None where there are none, or
        nobody can tell.
    """
    protocol = record.protocol
    shots = record.fitted.get("shots")
    if protocol.kind != "prompt" or not protocol.shots or not isinstance(shots, dict):
        return None
    digits = shown_digits(protocol)
    same = shots.get("material_ids")
    training = labels.splits["train"]
    if isinstance(same, list):
        places = pc.index_in(pa.array(same, pa.string()), value_set=training.material_ids.combine_chunks())
        known = places.drop_null().to_numpy()
        return as_shown(training.targets[known], task, digits) if len(known) else None
    rule = shots.get("rule")
    if rule not in ("random", "nearest") or record.protocol.control == "shuffled":
        return None
    chosen: Rule = "random" if rule == "random" else "nearest"
    revision = record.data.revision if str(data) == record.data.dataset else None
    return _of_each(record.modality, protocol, chosen, task, ids, data, revision, digits)


def _of_each(
    modality: Modality,
    protocol: PromptProtocol,
    rule: Rule,
    task: Task,
    ids: pa.Array,
    data: str | Path | None,
    revision: str | None,
    digits: int | None,
) -> list[NDArray[np.float64]]:
    """Choose the shots again, as the run did."""
    settings = ShotSettings(rule=rule, count=protocol.shots, seed=protocol.seed)
    renderer = Renderer(load_template("json"), task, modality)
    questions = read_questions(task, modality, renderer, settings, data=data, revision=revision)
    order = pc.index_in(questions.test.column("material_id").combine_chunks(), value_set=ids).to_pylist()
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(ids)
    for row in range(questions.asked):
        if order[row] is not None and (questions.test[row].text or "").strip():
            shots = questions.shots_of(row)
            found[order[row]] = as_shown(np.array([float(one.target or 0) for one in shots]), task, digits)
    return found


def is_copy(answers: NDArray[np.float64], shots: list[NDArray[np.float64]] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where an answer is a value of its shots; to a relative 1e-9, since answers may be converted."""
    if isinstance(shots, np.ndarray):
        return _among(answers, shots)
    return np.array([bool(_among(answers[row : row + 1], own)[0]) for row, own in enumerate(shots)], dtype=bool)


def _among(answers: NDArray[np.float64], values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.bool_]:
    found = np.zeros(len(answers), dtype=bool)
    for one in values:
        found |= np.isclose(answers, one, rtol=1e-9, atol=0)
    return found
