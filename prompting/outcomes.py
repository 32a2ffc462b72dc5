"""What came of the questions: values read from answers, and the columns of the predictions file."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ..dataset_builder.catalogue import Task
from ..errors import DataError
from ..metrics.protocols import ScoreKind
from ..metrics.results.predictions import answer_columns
from .class_scores import positive_probability
from .engines.interface import Answer
from .parser import Answer as Parsed
from .parser import parse_answer
from .render import Prompt
from .store import AnswerStore
from .watch import obeys

if TYPE_CHECKING:
    from .published_questions import PublishedQuestions
    from .questions import Questions

_FINISHED = ("stop", "length")


class Outcomes:
    """Answers of a run, read; some dozens of bytes a sample are held, the texts stay in the store.

    Args:
        task: What is asked for.
        rows: Test rows, ``n``.
        samples: How often each is asked, ``s``.
        back: Converts a number that was asked for in another unit.
    """

    def __init__(self, task: Task, rows: int, samples: int, *, back: Callable[[float], float] | None = None) -> None:
        self.task = task
        self._back = back
        self.rows = rows
        self.samples = samples
        self.keys: list[bytes | None] = [None] * (rows * samples)
        self.values: NDArray[np.float64] = np.full((rows, samples), np.nan)
        self.probabilities: NDArray[np.float64] = np.full((rows, samples), np.nan)
        self.statuses: list[str | None] = [None] * (rows * samples)
        self.answered_by: set[str] = set()
        self.score_kind: ScoreKind = "probability"
        self.facts: dict[str, JsonValue] = {}
        self._prompts: list[bytes | None] = [None] * rows
        self._cut: Counter[str] = Counter()

    def prompted(self, row: int, prompt: Prompt, sha256: str) -> None:
        """Take note of what is asked about a row, and of its hash."""
        self._prompts[row] = bytes.fromhex(sha256)
        cut = prompt.cut
        self._cut["questions_cut"] += cut.question_characters > 0
        self._cut["question_characters_cut"] += cut.question_characters
        self._cut["shot_characters_cut"] += cut.shot_characters
        self._cut["shots_dropped"] += cut.shots_dropped

    def parse(self, row: int, sample: int, answer: Answer) -> Parsed:
        """Read the value from an answer."""
        reason = answer.finish_reason if answer.finish_reason in _FINISHED else None
        parsed = parse_answer(answer.text, self.task, finish_reason=reason)
        self.statuses[row * self.samples + sample] = parsed.status
        if parsed.value is not None:
            value = float(parsed.value)
            self.values[row, sample] = value if self._back is None else self._back(value)
            if self.task.kind == "classification":
                sure = positive_probability(answer.tokens, answer.text, parsed.span, bool(parsed.value), self.task)
                self.probabilities[row, sample] = np.nan if sure is None else sure
        return parsed

    def columns(self, store: AnswerStore, questions: "Questions | PublishedQuestions") -> dict[str, object]:
        """The columns of the predictions file; sets `facts` and `score_kind`.

        Raises:
            DataError: An answer is not in the store.
        """
        import pyarrow as pa

        raw: list[str | list[str] | None] = []
        finish: list[str | None] = []
        tokens: dict[str, list[int | None]] = {"prompt_tokens": [], "completion_tokens": [], "reasoning_tokens": []}
        obeyed = 0
        for row in range(self.rows):
            answers = self._answers(row, store)
            texts = [one.text for one in answers]
            raw.append(None if not answers else texts[0] if self.samples == 1 else texts)
            finish.append(answers[0].finish_reason if answers else None)
            for name, column in tokens.items():
                counts = [count for one in answers if (count := getattr(one, name)) is not None]
                column.append(sum(counts) if counts else None)
            obeyed += sum(obeys(text, self.task) for text in texts)
            self.answered_by |= {one.answered_by for one in answers if one.answered_by}
        answers_of_rows = self._answers_of_rows()
        ids, targets = (questions.test.column(name) for name in ("material_id", "target"))
        statuses = [self._status(row) for row in range(self.rows)]
        columns = answer_columns(self.task.kind, ids, targets.to_numpy(), answers_of_rows, self.score_kind)
        columns |= {
            "raw_output": pa.array(raw, pa.string() if self.samples == 1 else pa.list_(pa.string())),
            "parse_status": pa.array(statuses, pa.string()),
            "finish_reason": pa.array(finish, pa.string()),
            "prompt_sha256": pa.array([None if one is None else one.hex() for one in self._prompts], pa.string()),
            **{name: pa.array(column, pa.int64()) for name, column in tokens.items()},
        }
        if self.samples > 1:
            columns["valid_samples"] = pa.array((~np.isnan(self.values)).sum(axis=1), pa.int64())
            if self.task.kind == "regression":
                spread = self._spread()
                columns["spread"] = pa.array(spread, mask=np.isnan(spread))
                self.facts["spread"] = _calibration(spread, np.abs(answers_of_rows - targets.to_numpy()))
        counted = Counter(one for one in self.statuses if one is not None)
        self.facts |= {
            "parse_status": dict(sorted(counted.items())),
            "obey_schema": obeyed,
            **{name: sum(count or 0 for count in column) for name, column in tokens.items()},
            **dict(self._cut),
        }
        return columns

    def _answers(self, row: int, store: AnswerStore) -> list[Answer]:
        """Answers about a row, in the order of the samples; what was not seen on the way is read now."""
        found = []
        for sample in range(self.samples):
            place = row * self.samples + sample
            key = self.keys[place]
            if key is None:
                continue
            answer = store.get(key.hex())
            if answer is None:
                raise DataError(f"{store.path}: an answer has gone; the same command asks it again")
            if self.statuses[place] is None:
                self.parse(row, sample, answer)
            found.append(answer)
        return found

    def _status(self, row: int) -> str:
        """Status of a row: of the first sample with a value, else of the first."""
        of_row = self.statuses[row * self.samples : (row + 1) * self.samples]
        valid = np.flatnonzero(~np.isnan(self.values[row]))
        return of_row[int(valid[0]) if len(valid) else 0] or "missing"

    def _answers_of_rows(self) -> NDArray[np.float64]:
        """One number a row: the median of the samples, or of a class the mean probability."""
        valid = ~np.isnan(self.values)
        any_valid = valid.any(axis=1)
        found = np.full(self.rows, np.nan)
        if self.task.kind == "regression":
            for row in np.flatnonzero(any_valid):
                found[row] = np.median(self.values[row][valid[row]])
            return found
        sure = not np.isnan(self.probabilities[valid]).any() and bool(valid.any())
        source = self.probabilities if sure else self.values
        for row in np.flatnonzero(any_valid):
            found[row] = source[row][valid[row]].mean()
        self.score_kind = "probability" if sure or self.samples > 1 else "hard_label"
        self.facts["class_score"] = (
            "share of the positive class of the probabilities of both, from logprobs"
            if sure
            else "share of samples"
            if self.samples > 1
            else "label"
        )
        self.facts["class_probabilities"] = int((~np.isnan(self.probabilities)).sum())
        return found

    def _spread(self) -> NDArray[np.float64]:
        """Standard deviation of the valid samples, NaN for fewer than two."""
        found = np.full(self.rows, np.nan)
        for row in range(self.rows):
            values = self.values[row][~np.isnan(self.values[row])]
            if len(values) > 1:
                found[row] = values.std(ddof=1)
        return found


def _calibration(spread: NDArray[np.float64], error: NDArray[np.float64]) -> dict[str, JsonValue]:
    """Whether the spread of the samples says how far off the answer is.

    Returns:
        How many rows have a spread, and the shares of them whose error is within one and two spreads; 0.68 and 0.95
        of a normal distribution whose spread is right.
    """
    known = ~np.isnan(spread)
    count = int(known.sum())
    if not count:
        return {"rows": 0}
    within = [float((error[known] <= width * spread[known]).mean()) for width in (1, 2)]
    return {"rows": count, "median": float(np.median(spread[known])), "within_one": within[0], "within_two": within[1]}
