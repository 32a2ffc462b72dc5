"""Looks at the answers of one run: which could be read, which repeat themselves, their shots, or know no bounds."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...dataset_builder.catalogue import Task, get_task
from ...dataset_builder.dataset_folder import TaskLabels, read_labels
from ...errors import LLM4MatError
from ...metrics.headline import HEADLINE, whole_headline, written, written_interval
from ...metrics.results.places import Truths, data_of
from ...metrics.results.record import ResultRecord
from ...metrics.results.verify import Verification
from .answers import AnswerTable, read_answers, read_texts
from .findings import CommonAnswer, Copies, Counted, Example, Findings, Outside, TokenBin
from .sentences import plain_words
from .shot_values import as_shown, is_copy, shot_values, shown_digits

_COMMON = 10
_BINS = 8
_EXAMPLES = 3
_RAW = 700
_CUTS = ("questions_cut", "question_characters_cut", "shot_characters_cut", "shots_dropped")


def examine(found: Verification, truths: Truths) -> tuple[Findings, AnswerTable]:
    """Look at a run.

    Args:
        found: The run, verified: what is shown of its score is computed anew.
        truths: Where data is.

    Raises:
        DataError: The run keeps no answers in words, or they cannot be read.
    """
    record = found.record
    assert record is not None  # noqa: S101 - the caller passes on runs that have one
    task = get_task(record.task)
    file = found.folder / record.predictions.file
    table = read_answers(file)
    valid = table.valid
    data = data_of(task, truths.places)
    labels = _labels(record, task, data)
    marks: dict[str, NDArray[np.bool_]] = {}
    common = _common(table, task)
    if common:
        marks["the most common answer"] = valid & _equal(table.answers, common[0][1])
    copies = None
    if labels is not None:
        copies, copied = _copies(record, task, labels, table, data)
        if copied is not None:
            marks["a copy of a shot's value"] = copied
    outside = None
    if labels is not None and task.kind == "regression":
        outside, beyond = _outside(table, labels)
        marks["outside the range of the training targets"] = beyond
    marks["farthest off"] = _farthest(table, task)
    for status in sorted(set(table.statuses.tolist()) - {"missing"}):
        marks[f"status {status}"] = table.statuses == status
    score = whole_headline(found.report) if found.report is not None else None
    counted = int(table.asked.sum())
    findings = Findings(
        run_id=record.run_id,
        folder=str(found.folder),
        task=task.name,
        kind=task.kind,
        unit=task.unit,
        modality=record.modality,
        model=record.model.id,
        engine=_engine(record),
        template=record.protocol.template_id if record.protocol.kind == "prompt" else None,
        shots=record.protocol.shots if record.protocol.kind == "prompt" else 0,
        control=record.protocol.control,
        limit=record.protocol.limit,
        data_at_hand=labels is not None,
        rows=len(table.answers),
        asked=counted,
        valid=int(valid.sum()),
        valid_share=_share(int(valid.sum()), counted),
        different=len(np.unique(table.answers[valid])),
        headline_name=HEADLINE[task.kind],
        headline=written(score),
        headline_interval=written_interval(score),
        statuses=_counted(_statuses(table), counted),
        tokens=_tokens(table, task),
        common=tuple(one for one, _ in common),
        unread=tuple(Counted(name=text, count=count, share=_share(count, counted)) for text, count in table.unread),
        copies=copies,
        outside=outside,
        comparisons=(),
        facts={
            name: count
            for name in _CUTS
            if isinstance(count := record.fitted.get(name), int) and not isinstance(count, bool) and count
        },
        examples=_examples(file, table, task, marks),
        faults=found.faults,
        sentences=(),
    )
    return findings.model_copy(update={"sentences": plain_words(findings)}), table


def _engine(record: ResultRecord) -> str | None:
    settings = record.protocol.settings
    engine = settings.get("engine")
    return engine if isinstance(engine, str) else None


def _labels(record: ResultRecord, task: Task, data: str | None) -> TaskLabels | None:
    """The labels that a run saw; None where they are not at hand."""
    try:
        labels = read_labels(task, data, revision=record.data.revision if data is not None else None)
    except LLM4MatError:
        return None
    return labels if labels.sha256 == record.data.labels_sha256 else None


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def _equal(values: NDArray[np.float64], one: float) -> NDArray[np.bool_]:
    return np.asarray(values == one)


def _statuses(table: AnswerTable) -> dict[str, int]:
    names, counts = np.unique(table.statuses[table.asked], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _counted(counts: dict[str, int], of: int) -> tuple[Counted, ...]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Counted(name=name, count=count, share=_share(count, of)) for name, count in ordered)


def _written(value: float, task: Task) -> str:
    classes = task.property.classes
    if classes is not None:
        return classes.positive if value > 0.5 else classes.negative
    return f"{value:.10g}"


def _common(table: AnswerTable, task: Task) -> list[tuple[CommonAnswer, float]]:
    """The most common values, with how often each is true; equally common ones by size."""
    given = table.answers[table.valid]
    values, counts = np.unique(given, return_counts=True)
    order = sorted(range(len(values)), key=lambda place: (-int(counts[place]), float(values[place])))[:_COMMON]
    found = []
    for place in order:
        value = float(values[place])
        text = repr(value)
        decimals = len(text.partition(".")[2].rstrip("0")) if "e" not in text else 17
        true = np.round(table.targets, decimals) == round(value, decimals)
        count = int(counts[place])
        found.append(
            (
                CommonAnswer(
                    answer=_written(value, task),
                    count=count,
                    share=_share(count, len(given)),
                    true_share=float(true.mean()),
                ),
                value,
            )
        )
    return found


def _tokens(table: AnswerTable, task: Task) -> tuple[TokenBin, ...]:
    """Rows in parts of like size by the tokens of their prompts."""
    rows = np.flatnonzero(table.asked & (table.tokens >= 0))
    if not len(rows):
        return ()
    lengths = table.tokens[rows]
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, _BINS + 1), method="lower"))
    part = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for number in range(max(len(edges) - 1, 1)):
        here = rows[part == number]
        if not len(here):
            continue
        good = here[table.valid[here]]
        names, counts = np.unique(table.statuses[here], return_counts=True)
        error = _errors(table, task)[good]
        found.append(
            TokenBin(
                low=int(table.tokens[here].min()),
                high=int(table.tokens[here].max()),
                rows=len(here),
                valid=len(good),
                statuses=dict(zip(names.tolist(), counts.tolist(), strict=True)),
                error=float(error.mean()) if len(good) else None,
            )
        )
    return tuple(found)


def _errors(table: AnswerTable, task: Task) -> NDArray[np.float64]:
    """How far off each answer is; of classes 1 where it is wrong. Huge ones are cut to what can be added up."""
    if task.kind == "classification":
        return np.asarray((table.answers > 0.5) != (table.targets > 0.5), dtype=np.float64)
    return np.clip(np.abs(np.clip(table.answers, -1e300, 1e300) - table.targets), 0, 1e300)


def _farthest(table: AnswerTable, task: Task) -> NDArray[np.bool_]:
    error = np.where(table.valid, _errors(table, task), 0.0)
    far = np.zeros(len(error), dtype=bool)
    far[np.argsort(-error, kind="stable")[:_EXAMPLES]] = True
    return far & (error > 0)


def _copies(
    record: ResultRecord, task: Task, labels: TaskLabels, table: AnswerTable, data: str | None
) -> tuple[Copies | None, NDArray[np.bool_] | None]:
    if record.protocol.kind != "prompt":
        return None, None
    shots = shot_values(record, task, labels, table.ids, data)
    if shots is None:
        return None, None
    copied = is_copy(table.answers, shots)
    chance = is_copy(as_shown(table.targets, task, shown_digits(record.protocol)), shots)
    known = int(table.valid.sum())
    return (
        Copies(
            count=int(copied.sum()),
            share=_share(int(copied.sum()), known),
            by_chance=float(chance.mean()),
            answers=known,
        ),
        copied,
    )


def _outside(table: AnswerTable, labels: TaskLabels) -> tuple[Outside, NDArray[np.bool_]]:
    targets = labels.splits["train"].targets
    low, high = float(targets.min()), float(targets.max())
    below, above = table.answers < low, table.answers > high
    count = int(below.sum() + above.sum())
    found = Outside(
        low=low,
        high=high,
        below=int(below.sum()),
        above=int(above.sum()),
        share=_share(count, int(table.valid.sum())),
    )
    return found, below | above


def _examples(
    file: Path, table: AnswerTable, task: Task, marks: dict[str, NDArray[np.bool_]]
) -> dict[str, tuple[Example, ...]]:
    chosen = {name: np.flatnonzero(mark)[:_EXAMPLES] for name, mark in marks.items()}
    texts = read_texts(file, np.concatenate([*chosen.values(), np.empty(0, dtype=np.int64)]).astype(np.int64))
    return {name: tuple(_example(table, task, texts, rows)) for name, rows in chosen.items() if len(rows)}


def _example(table: AnswerTable, task: Task, texts: dict[int, str], rows: NDArray[np.int64]) -> Iterable[Example]:
    for row in rows.tolist():
        raw = texts[row]
        answer = float(table.answers[row])
        yield Example(
            material_id=str(table.ids[row]),
            target=_written(float(table.targets[row]), task),
            answer=None if np.isnan(answer) else _written(answer, task),
            status=str(table.statuses[row]),
            raw=raw[:_RAW],
            cut=len(raw) > _RAW,
        )
