"""Reads the answers of a run from its predictions file, in pieces: numbers are kept, texts are looked at and let go."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...errors import DataError

_AT_ONCE = 2000
_DIFFERENT_TEXTS = 10_000
"""Of so many different unread answers, the first ones, the counts are kept: what is common is among them."""
_TEXT = 300
"""Characters of an unread answer that are compared."""
_STATUSES = ("json", "labelled", "number")
"""Statuses of answers that have a value."""


@dataclass(frozen=True)
class AnswerTable:
    """The answers of a run, shape ``(n,)`` each, without their texts.

    Attributes:
        ids: Ids of the crystals.
        targets: True values, classes as 0 and 1.
        answers: Predictions, classes as 0 and 1, NaN where there is none.
        statuses: What came of each answer; ``missing`` where nothing was asked.
        tokens: Tokens of each prompt, -1 where that is not known.
        unread: The most common answers that have no value, with their counts.
    """

    ids: pa.StringArray
    targets: NDArray[np.float64]
    answers: NDArray[np.float64]
    statuses: NDArray[np.str_]
    tokens: NDArray[np.int64]
    unread: tuple[tuple[str, int], ...]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where there is a value."""
        return np.asarray(~np.isnan(self.answers))

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Where something was asked."""
        return np.asarray(self.statuses != "missing")


def has_raw_answers(path: Path) -> bool:
    """Whether a predictions file keeps what the model wrote.

    Raises:
        DataError: It is no Parquet file that can be read.
    """
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    return {"raw_output", "parse_status"} <= set(names)


def read_answers(path: Path) -> AnswerTable:
    """Read everything but the texts, of which only the most common unread ones are kept.

    Raises:
        DataError: The file is not one of answers in words.
    """
    if not has_raw_answers(path):
        raise DataError(f"{path}: no columns raw_output and parse_status: the model's own words were not kept")
    names = pq.read_schema(path).names
    columns = ["material_id", "target", "prediction", "parse_status", "raw_output"]
    if "prompt_tokens" in names:
        columns.append("prompt_tokens")
    ids: list[pa.Array] = []
    parts: dict[str, list[NDArray[Any]]] = {"target": [], "prediction": [], "parse_status": [], "prompt_tokens": []}
    unread: Counter[str] = Counter()
    for piece in _pieces(path, columns):
        ids.append(piece["material_id"].cast(pa.string()))
        answers = _numbers(piece["prediction"])
        statuses = np.asarray(pc.fill_null(piece["parse_status"].cast(pa.string()), "missing").to_pylist(), dtype="U16")
        parts["target"].append(_numbers(piece["target"]))
        parts["prediction"].append(answers)
        parts["parse_status"].append(statuses)
        if "prompt_tokens" in columns:
            parts["prompt_tokens"].append(pc.fill_null(piece["prompt_tokens"].cast(pa.int64()), -1).to_numpy())
        else:
            parts["prompt_tokens"].append(np.full(len(answers), -1, dtype=np.int64))
        _count_unread(unread, piece["raw_output"], np.isnan(answers) & (statuses != "missing"))
    if not ids:
        raise DataError(f"{path}: no rows")
    joined = {name: np.concatenate(found) for name, found in parts.items()}
    return AnswerTable(
        ids=pa.concat_arrays(ids),
        targets=joined["target"],
        answers=joined["prediction"],
        statuses=joined["parse_status"],
        tokens=joined["prompt_tokens"],
        unread=tuple(unread.most_common(10)),
    )


def read_texts(path: Path, rows: NDArray[np.int64]) -> dict[int, str]:
    """The raw answers of some rows; of several samples, one below the other."""
    wanted = np.unique(rows)
    found: dict[int, str] = {}
    start = 0
    for piece in _pieces(path, ["raw_output"]):
        here = wanted[(wanted >= start) & (wanted < start + piece.num_rows)]
        for row in here.tolist():
            found[row] = _text(piece["raw_output"][row - start].as_py())
        start += piece.num_rows
    return found


def _pieces(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            yield from file.iter_batches(_AT_ONCE, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    return found


def _count_unread(counts: "Counter[str]", texts: pa.Array, rows: NDArray[np.bool_]) -> None:
    for row in np.flatnonzero(rows).tolist():
        text = _text(texts[row].as_py())[:_TEXT].strip()
        if text in counts or len(counts) < _DIFFERENT_TEXTS:
            counts[text] += 1


def _text(raw: str | list[str | None] | None) -> str:
    if isinstance(raw, list):
        return "\n".join(one or "" for one in raw)
    return raw or ""
