"""The predictions file: one row a test material, read with care and written whole."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from ...dataset_builder.catalogue import Kind
from ...errors import DataError
from ...files import replace_file
from ..protocols import NEUTRAL, ScoreKind
from .names import visible
from .prediction_tables import PredictionTable, read_table

_READ = frozenset({"material_id", "target", "prediction", "score", "parse_status"})
_MISSING = ("", "nan", "none", "null", "na", "n/a", "<na>", "-nan")
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_NUMBER_AND_MORE = r"^[^0-9A-Za-z]{0,3}[0-9][0-9.,eE+-]*\s*[^0-9]{0,12}$"
_DECIMAL_COMMA = r"^[+-]?\d*,\d+([eE][+-]?\d+)?$"
_INFINITE = r"(?i)^[+-]?inf(inity)?$"
_OTHER_NAMES = {
    "material_id": ("id", "materialid", "matid", "mpid", "jid", "material", "name"),
    "target": ("targets", "ytrue", "true", "truth", "label", "labels", "y", "actual"),
    "prediction": ("predictions", "pred", "preds", "predicted", "ypred", "value", "answer", "output"),
    "score": ("scores", "probability", "prob", "proba", "logit", "yscore"),
}
"""What the columns are called elsewhere; such a name is hinted at, never taken."""


@dataclass(frozen=True)
class Predictions:
    """What a model answered for the test rows of one task; a missing answer is NaN.

    Attributes:
        material_ids: Ids, shape ``(n,)``.
        targets: Test targets as the file has them, shape ``(n,)``, in the unit of the task or 0/1; None without such a
            column.
        answers: Regression: predicted values. Classification: scores that rank the rows. Shape ``(n,)``.
        invalid: Where the model answered but its answer could not be read. Shape ``(n,)``.
    """

    material_ids: pa.StringArray
    targets: NDArray[np.float64] | None
    answers: NDArray[np.float64]
    invalid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.answers)

    def by_id(self) -> "Predictions":
        """The same rows in the order of their ids, in which all scores are computed: the order of a file has no say."""
        order = pc.sort_indices(self.material_ids).to_numpy()
        return Predictions(
            self.material_ids.take(order),
            None if self.targets is None else self.targets[order],
            self.answers[order],
            self.invalid[order],
        )


def write_predictions(path: Path, columns: dict[str, object]) -> None:
    """Write a predictions file, the same bytes for the same columns.

    Args:
        path: Where to; replaced whole.
        columns: ``material_id``, ``target``, ``prediction`` (None where there is none), for classification also
            ``score``, and whatever else a model wants kept (``raw_output``, ``parse_status``, ...).
    """
    table = pa.table(columns)
    with replace_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=100_000, version="2.6")


def answer_columns(
    kind: Kind,
    material_ids: "pa.Array | pa.ChunkedArray | Sequence[str]",
    targets: ArrayLike,
    answers: ArrayLike,
    score_kind: ScoreKind = "probability",
) -> dict[str, object]:
    """The columns of a predictions file from what a model answered; a missing answer (NaN) becomes null.

    Args:
        kind: What the task asks for.
        material_ids: Test ids, ``n`` of them.
        targets: Test targets, shape ``(n,)``.
        answers: Predictions in the unit of the task, or scores of the positive class, shape ``(n,)``.
        score_kind: What the scores of a classifier are.
    """
    values, true = np.asarray(answers, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    missing = np.isnan(values)
    given = pa.array(values, mask=missing)
    if kind == "regression":
        return {"material_id": material_ids, "target": pa.array(true), "prediction": given}
    labels = pa.array((values > NEUTRAL[score_kind]).astype(np.int8), mask=missing)
    return {"material_id": material_ids, "target": pa.array(true.astype(np.int8)), "prediction": labels, "score": given}


def read_predictions(path: Path, kind: str, *, targets_needed: bool = True) -> Predictions:
    """Read and check a predictions file.

    Args:
        path: Parquet (a file or a folder), CSV or TSV, JSON lines, also packed. An empty cell, NaN, None, null and the
            like are missing answers.
        kind: ``regression`` (answers in ``prediction``) or ``classification`` (answers in ``score``, or, where there is
            no such column, hard labels in ``prediction``).
        targets_needed: Refuse a file without targets; it may do without them where the data is at hand.

    Raises:
        DataError: The file cannot be read whole, a column is missing or stands twice, holds what is no number or
            infinite, or an id is missing or repeated; the message names file, column, count and the first row
            (counted from 1, without a header).
    """
    found = read_table(path, _READ)
    table = found.table
    column = "score" if kind == "classification" and "score" in table.column_names else "prediction"
    for needed in ("material_id", *(["target"] if targets_needed else []), column):
        if needed not in table.column_names:
            names = ", ".join(visible(name, 40) for name in found.names[:20])
            raise DataError(f"{path}: no column '{needed}'; found {names}{_hint(needed, found.names)}")
    if table.num_rows == 0:
        raise DataError(f"{path}: no rows")
    ids = _ids(table, path)
    labels = kind == "classification"
    targets = _numbers(found, "target", path, missing=False, labels=labels) if "target" in table.column_names else None
    answers = _numbers(found, column, path, missing=True, labels=labels)
    invalid = np.zeros(len(answers), dtype=bool)
    if "parse_status" in table.column_names:
        answered = pc.fill_null(pc.not_equal(_as_text(table["parse_status"], "parse_status", path), "missing"), False)
        invalid = np.asarray(answered) & np.isnan(answers)
    return Predictions(ids, targets, answers, invalid)


def refuse_contradiction(path: Path) -> None:
    """Refuse a classifier's file whose labels and scores say different things; one column of the two is no fault.

    Raises:
        DataError: A row with the label 1 has a lower score than one with the label 0. The message names both rows.
    """
    found = read_table(path, _READ)
    if not {"score", "prediction"} <= set(found.table.column_names):
        return
    labels, scores = (_numbers(found, name, path, missing=True, labels=True) for name in ("prediction", "score"))
    if not (ones := scores[labels == 1]).size or not (zeros := scores[labels == 0]).size:
        return
    low, high = np.nanmin(ones), np.nanmax(zeros)
    if low < high:
        rows = [_first((labels == label) & (scores == score)) for label, score in ((1, low), (0, high))]
        raise DataError(
            f"{path}: column 'prediction' says 1 in row {rows[0]}, whose score is {low:g}, and 0 in row {rows[1]}, "
            f"whose score is {high:g}: the score must be that of the class 1; delete the column that is wrong"
        )


def answers_sha256(predictions: Predictions) -> str:
    """SHA-256 of answers in the order of their ids: of the ids joined by newlines, a zero byte, and the float64 values.

    A missing answer is the one NaN that NumPy writes, an answer that could not be read is infinity.

    Args:
        predictions: In the order of their ids.
    """
    digest = hashlib.sha256("\n".join(predictions.material_ids.to_pylist()).encode())
    digest.update(b"\0" + _value_bytes(predictions))
    return digest.hexdigest()


def values_sha256(predictions: Predictions) -> str:
    """SHA-256 of the float64 values alone, as in :func:`answers_sha256`: equal for equal answers to the same task.

    Args:
        predictions: In the order of their ids.
    """
    return hashlib.sha256(_value_bytes(predictions)).hexdigest()


def _value_bytes(predictions: Predictions) -> bytes:
    values = np.where(np.isnan(predictions.answers), np.nan, predictions.answers)
    values = np.where(predictions.invalid, np.inf, values) + 0.0  # without the sign of a zero
    return values.astype("<f8").tobytes()


def count_rows(path: Path) -> int | None:
    """Rows of a Parquet file by its footer, before anything of it is read: a few bytes can stand for billions.

    Returns:
        None for anything else.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None


def check_ids(found: pa.StringArray, expected: pa.StringArray, path: Path | str) -> None:
    """Refuse predictions whose ids are not exactly those of the split; order does not matter.

    Raises:
        DataError: Ids are missing or foreign; the message counts both and names the first of each.
    """
    missing = expected.filter(pc.invert(pc.is_in(expected, value_set=found)))
    foreign = found.filter(pc.invert(pc.is_in(found, value_set=expected)))
    faults = []
    if len(missing):
        faults.append(
            f"{len(missing)} of {len(expected)} test ids are missing (first: {visible(missing[0].as_py(), 80)})"
        )
    if len(foreign):
        faults.append(f"{len(foreign)} ids are not in the test split (first: {visible(foreign[0].as_py(), 80)})")
    if faults:
        raise DataError(
            f"{path}: column 'material_id': {'; '.join(faults)}. Give a row for every test material; leave the answer "
            "empty (null) where there is none"
        )


def _hint(needed: str, names: Sequence[str]) -> str:
    """Name the column that was meant, where one looks like it, or say that there is no header."""
    if any(re.fullmatch(_NUMBER, name) for name in names):
        return f". Its first line holds a number: is the header missing? It names the columns, {needed!r} too"
    folded = {re.sub(r"[^a-z0-9]+", "", name.casefold()): name for name in names}
    known = (needed.replace("_", ""), *_OTHER_NAMES[needed])
    near = next((folded[one] for one in known if one in folded), None)
    if near is None:
        close = get_close_matches(needed.replace("_", ""), folded, n=1, cutoff=0.75)
        near = folded[close[0]] if close else None
    return f". Is it {near!r}? Rename it to {needed!r}" if near is not None else ""


def _ids(table: pa.Table, path: Path) -> pa.StringArray:
    column = _as_text(table["material_id"], "material_id", path)
    if column.null_count:
        first = _first(np.asarray(column.is_null()))
        raise DataError(f"{path}: column 'material_id': {column.null_count} empty ids, the first in row {first}")
    ids = column.combine_chunks()
    counts = pc.value_counts(ids)
    if len(counts) < len(ids):
        repeated = counts.filter(pc.greater(counts.field("counts"), 1))
        first = repeated[0]
        rows = np.flatnonzero(np.asarray(pc.equal(ids, first["values"])))[:2] + 1
        raise DataError(
            f"{path}: column 'material_id': {len(repeated)} ids occur more than once "
            f"(first: {visible(first['values'].as_py(), 80)}, {first['counts']} times, rows {rows[0]} and {rows[1]}); "
            "keep one row of each"
        )
    return ids


def _as_text(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column of text, whatever form of it Parquet has; whole numbers are text of digits."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind):
        return column.cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise DataError(f"{path}: column '{name}': bytes that are no UTF-8 text") from error
    what = "ids must be text" if name == "material_id" else "text is needed"
    raise DataError(f"{path}: column '{name}': {what}, not {kind}; write the column as text (pandas: dtype=str)")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _numbers(found: PredictionTable, name: str, path: Path, *, missing: bool, labels: bool) -> NDArray[np.float64]:
    """Numbers of a column; NaN, the sign of a missing answer, where there is none and ``missing`` allows it."""
    where = f"{path}: column '{name}'"
    column = found.table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if found.is_text:
        numbers = _from_text(column, where, decimal_comma=found.decimal_comma, labels=labels)
    else:
        kind = column.type
        is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        if not (is_number or pa.types.is_null(kind) or (labels and pa.types.is_boolean(kind))):
            raise DataError(f"{where}: numbers are needed, the column holds {_offender(column)}")
        try:
            numbers = column.cast(pa.float64())
        except pa.ArrowInvalid as error:  # a whole number that no float64 is
            raise DataError(f"{where}: {_first_line(error)}; write it as float64") from error
    values = np.asarray(numbers.to_numpy(), dtype=np.float64)  # null becomes NaN
    if not missing and numbers.null_count:
        first = _first(np.asarray(numbers.is_null()))
        raise DataError(f"{where}: {numbers.null_count} empty values, the first in row {first}; every row has a target")
    bad = np.isinf(values) if missing else ~np.isfinite(values)
    if bad.any():
        hint = "; leave a missing answer empty (null)" if missing else ""
        raise DataError(f"{where}: {int(bad.sum())} NaN or infinite values, the first in row {_first(bad)}{hint}")
    return values


def _from_text(column: pa.ChunkedArray, where: str, *, decimal_comma: bool, labels: bool) -> pa.ChunkedArray:
    """Read numbers as they are written in a CSV; words for "none" are null."""
    texts = pc.utf8_trim_whitespace(column)
    texts = pc.if_else(pc.is_in(pc.utf8_lower(texts), pa.array(_MISSING)), pa.scalar(None, pa.string()), texts)
    plain = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), True)
    if not pc.all(plain).as_py():
        lower = pc.utf8_lower(texts)
        if labels and pc.all(pc.is_in(lower.drop_null(), pa.array(["true", "false"]))).as_py():
            return pc.equal(lower, "true").cast(pa.float64())
        odd = texts.filter(pc.invert(plain))
        row, first = _first(~np.asarray(plain)), odd[0].as_py()
        commas = pc.match_substring_regex(odd, _DECIMAL_COMMA)
        if pc.all(commas).as_py():
            # 1.5 beside 1,5 could be one and a half or fifteen thousand, and a comma that separates fields no decimal
            if decimal_comma and not pc.any(pc.match_substring(texts, ".")).as_py():
                return pc.replace_substring(pc.replace_substring(texts, "+", ""), ",", ".").cast(pa.float64())
            raise DataError(
                f"{where}: {len(odd)} numbers with a decimal comma, the first in row {row} ({first!r}); write them "
                "with points"
            )
        if pc.all(pc.match_substring_regex(odd, _INFINITE)).as_py():
            raise DataError(
                f"{where}: {len(odd)} NaN or infinite values, the first in row {row}; leave a missing answer empty"
            )
        numbers = pc.any(pc.match_substring_regex(odd, _NUMBER_AND_MORE)).as_py()
        hint = "write numbers alone, with a plain minus sign and without a unit; " if numbers else ""
        if labels and not numbers:
            hint = "write classes as 1 (what the task asks for) and 0; "
        raise DataError(
            f"{where}: numbers are needed, the column holds text in {len(odd)} rows (first: row {row}, "
            f"{first[:40]!r}); {hint}leave a missing answer empty"
        )
    return pc.replace_substring_regex(texts, r"^\+", "").cast(pa.float64())


def _first_line(error: Exception) -> str:
    return visible(str(error).strip().partition("\n")[0], 200)


def _first(mask: NDArray[np.bool_]) -> int:
    """Number of the first row of a mask, counted from 1."""
    return int(mask.argmax()) + 1


def _offender(column: pa.ChunkedArray) -> str:
    """Say what a column of the wrong type holds, with the count and first of what is no number."""
    if not _is_text(column.type):
        return f"{column.type}; write it as float64"
    texts = column.cast(pa.string())
    odd = np.asarray(pc.fill_null(pc.invert(pc.match_substring_regex(texts, _NUMBER)), False))
    if not odd.any():
        return "numbers written as text; write it as float64"
    row = _first(odd)
    return f"text in {int(odd.sum())} rows (first: row {row}, {texts[row - 1].as_py()[:40]!r}); write it as float64"
