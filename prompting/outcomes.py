"""What came of the questions: values read from answers, and the columns of the predictions file."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

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
from .parser import Status, parse_answer, thinking_of
from .render import Prompt
from .store import AnswerStore
from .tokens import Counter as TokenCounter
from .watch import obeys

if TYPE_CHECKING:
    import pyarrow as pa

    from .published_questions import PublishedQuestions
    from .questions import Questions

_FINISHED = ("stop", "length")
_TOKENS = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
_GATHERED = 10_000
"""Rows whose answers are held as Python's objects at a time; gathered, they take a fifth of the room."""
_HASH = 32
_MOSTLY = 0.9
"""Share of the answers with a probability from which on these make the score."""
_STATUSES: tuple[str, ...] = get_args(Status)
_CODES = {status: code for code, status in enumerate(_STATUSES)}
_UNREAD = -1


class Outcomes:
    """Answers of a run, read; some ninety bytes a sample are held, the texts stay in the store.

    Attributes:
        unanswered: Some questions got no answer, and are left so: their rows are missing.

    Args:
        task: What is asked for.
        rows: Test rows, ``n``.
        samples: How often each is asked, ``s``.
        back: Converts a number that was asked for in another unit.
        counter: Counts the tokens of thinking that stands in the text itself.
    """

    def __init__(
        self,
        task: Task,
        rows: int,
        samples: int,
        *,
        back: Callable[[float], float] | None = None,
        counter: TokenCounter | None = None,
    ) -> None:
        self.task = task
        self._counter = counter
        self._thought = self._uncounted = 0
        self._back = back
        self.rows = rows
        self.samples = samples
        self.values: NDArray[np.float64] = np.full((rows, samples), np.nan)
        self.probabilities: NDArray[np.float64] = np.full((rows, samples), np.nan)
        self.answered_by: set[str] = set()
        self.score_kind: ScoreKind = "probability"
        self.facts: dict[str, JsonValue] = {}
        self.unanswered = False
        # Hashes side by side: as an object each they would take three times the room. All zeros: not asked.
        self._keys: NDArray[np.uint8] = np.zeros((rows * samples, _HASH), dtype=np.uint8)
        self._prompts: NDArray[np.uint8] = np.zeros((rows, _HASH), dtype=np.uint8)
        self._statuses: NDArray[np.int8] = np.full(rows * samples, _UNREAD, dtype=np.int8)
        self._obeyed = 0
        self._cut: Counter[str] = Counter()

    def prompted(self, row: int, prompt: Prompt, sha256: str) -> None:
        """Take note of what is asked about a row, and of its hash."""
        self._prompts[row] = np.frombuffer(bytes.fromhex(sha256), dtype=np.uint8)
        cut = prompt.cut
        self._cut["questions_cut"] += cut.question_characters > 0
        self._cut["question_characters_cut"] += cut.question_characters
        self._cut["shot_characters_cut"] += cut.shot_characters
        self._cut["shots_dropped"] += cut.shots_dropped

    def asked(self, row: int, sample: int, key: str) -> None:
        """Take note of a question's key, by which its answer is found in the store."""
        self._keys[row * self.samples + sample] = np.frombuffer(bytes.fromhex(key), dtype=np.uint8)

    def parse(self, row: int, sample: int, answer: Answer) -> Parsed:
        """Read the value from an answer."""
        reason = answer.finish_reason if answer.finish_reason in _FINISHED else None
        parsed = parse_answer(answer.text, self.task, finish_reason=reason)
        self._statuses[row * self.samples + sample] = _CODES[parsed.status]
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
        import pyarrow.compute as pc

        gathered = self._gathered(store)
        answers_of_rows = self._answers_of_rows()
        ids, targets = (questions.test.column(name) for name in ("material_id", "target"))
        columns = answer_columns(self.task.kind, ids, targets.to_numpy(), answers_of_rows, self.score_kind)
        columns |= gathered
        if self.samples > 1:
            columns["valid_samples"] = pa.array((~np.isnan(self.values)).sum(axis=1), pa.int64())
            if self.task.kind == "regression":
                spread = self._spread()
                columns["spread"] = pa.array(spread, mask=np.isnan(spread))
                self.facts["spread"] = _calibration(spread, np.abs(answers_of_rows - targets.to_numpy()))
        codes, counts = np.unique(self._statuses[self._statuses != _UNREAD], return_counts=True)
        self.facts |= {
            "parse_status": dict(sorted(zip((_STATUSES[code] for code in codes), counts.tolist(), strict=True))),
            "obey_schema": self._obeyed,
            "rows_without_text": questions.asked - int(self._prompts.any(axis=1).sum()),
            **{name: pc.sum(gathered[name]).as_py() or 0 for name in _TOKENS},
            "answers_with_thinking": self._thought,
            **dict(self._cut),
        }
        if self._uncounted:  # there was thinking, and nobody counted it: not as many as none
            self.facts["reasoning_tokens"] = None
        return columns

    def _gathered(self, store: AnswerStore) -> dict[str, "pa.ChunkedArray"]:
        """The columns that come from the answers in the store, gathered some rows at a time; counts who obey."""
        import pyarrow as pa

        text = pa.string() if self.samples == 1 else pa.list_(pa.string())
        types = {"raw_output": text, "parse_status": pa.string(), "finish_reason": pa.string()}
        types |= {"prompt_sha256": pa.string(), **dict.fromkeys(_TOKENS, pa.int64())}
        pieces: dict[str, list[pa.Array]] = {name: [] for name in types}
        for start in range(0, self.rows, _GATHERED):
            rows = [self._row(row, store) for row in range(start, min(start + _GATHERED, self.rows))]
            for name, column in zip(types, zip(*rows, strict=True), strict=True):
                pieces[name].append(pa.array(column, types[name]))
        return {name: pa.chunked_array(pieces[name], types[name]) for name in types}

    def _row(self, row: int, store: AnswerStore) -> tuple[object, ...]:
        """Text, status, why it ended, hash of the prompt, tokens of one row; what was not seen on the way is read."""
        answers: list[Answer] = []
        for sample in range(self.samples):
            place = row * self.samples + sample
            if not self._keys[place].any():
                continue
            answer = store.get(self._keys[place].tobytes().hex())
            if answer is None and self.unanswered and self._statuses[place] == _UNREAD:
                continue
            if answer is None:
                raise DataError(f"{store.path}: an answer has gone; the same command asks it again")
            if self._statuses[place] == _UNREAD:
                self.parse(row, sample, answer)
            answers.append(answer)
        texts = [one.text for one in answers]
        self._obeyed += sum(obeys(text, self.task) for text in texts)
        self.answered_by |= {one.answered_by for one in answers if one.answered_by}
        answers = [self._with_thinking(one) for one in answers]
        tokens = [[count for one in answers if (count := getattr(one, name)) is not None] for name in _TOKENS]
        return (
            (texts if self.samples > 1 else texts[0]) if texts else None,
            self._status(row),
            answers[0].finish_reason if answers else None,
            self._prompts[row].tobytes().hex() if self._prompts[row].any() else None,
            *(sum(counts) if counts else None for counts in tokens),
        )

    def _with_thinking(self, answer: Answer) -> Answer:
        """The answer with the number of tokens of its thinking, also of what stands in its text; the text stays."""
        thought = answer.reasoning or thinking_of(answer.text)
        if not thought:
            return answer
        self._thought += 1
        if answer.reasoning_tokens:
            return answer
        if self._counter is None:
            self._uncounted += 1
            return answer.model_copy(update={"reasoning_tokens": None})
        return answer.model_copy(update={"reasoning_tokens": self._counter.text(thought)})

    def _status(self, row: int) -> str:
        """Status of a row: of the first sample with a value, else of the first."""
        of_row = self._statuses[row * self.samples : (row + 1) * self.samples]
        code = of_row[int(np.argmax(~np.isnan(self.values[row])))]  # 0 where none has one
        return "missing" if code == _UNREAD else _STATUSES[code]

    def _answers_of_rows(self) -> NDArray[np.float64]:
        """One number a row: the median of the samples, or of a class the mean probability."""
        valid = ~np.isnan(self.values)
        any_valid = valid.any(axis=1)
        found = np.full(self.rows, np.nan)
        if self.task.kind == "regression":
            if self.samples == 1:
                return self.values[:, 0].copy()
            for row in np.flatnonzero(any_valid):
                found[row] = np.median(self.values[row][valid[row]])
            return found
        known = ~np.isnan(self.probabilities) & valid
        sure = bool(valid.any()) and known.sum() >= _MOSTLY * valid.sum()
        # Of a few answers the engine may give no probability: they count as wholly certain.
        source = np.where(known, self.probabilities, self.values) if sure else self.values
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
        self.facts["class_probabilities"] = int(known.sum())
        if sure and known.sum() < valid.sum():
            self.facts["class_labels"] = int(valid.sum() - known.sum())
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
