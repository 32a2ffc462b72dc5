"""The predictions file: one row a test material, read with care and written whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from ...dataset_builder.catalogue import Kind
from ...errors import DataError
from ...files import replace_file
from ..protocols import NEUTRAL, ScoreKind

_READ = frozenset({"material_id", "target", "prediction", "score", "parse_status"})


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
    """Read and check a predictions file, Parquet or CSV.

    Args:
        path: The file; a ``.csv`` is read as CSV (an empty cell is a missing answer), anything else as Parquet.
        kind: ``regression`` (answers in ``prediction``) or ``classification`` (answers in ``score``, or, where there is
            no such column, hard labels in ``prediction``).
        targets_needed: Refuse a file without targets; it may do without them where the data is at hand.

    Raises:
        DataError: The file cannot be read whole, a column is missing, holds text, NaN or infinite values, or an id is
            missing or repeated; the message names file, column and count.
    """
    table, names = _read_table(path)
    for column in ("material_id", *(["target"] if targets_needed else [])):
        if column not in table.column_names:
            raise DataError(f"{path}: no column '{column}'; found {', '.join(names)}")
    column = "score" if kind == "classification" and "score" in table.column_names else "prediction"
    if column not in table.column_names:
        raise DataError(f"{path}: no column '{column}'; found {', '.join(names)}")
    if table.num_rows == 0:
        raise DataError(f"{path}: no rows")
    ids = _ids(table, path)
    targets = _numbers(table, "target", path, missing_allowed=False) if "target" in table.column_names else None
    answers = _numbers(table, column, path, missing_allowed=True)
    invalid = np.zeros(len(answers), dtype=bool)
    if "parse_status" in table.column_names:
        answered = pc.fill_null(pc.not_equal(table["parse_status"], "missing"), False)
        invalid = np.asarray(answered) & np.isnan(answers)
    return Predictions(ids, targets, answers, invalid)


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
        faults.append(f"{len(missing)} of {len(expected)} test ids are missing (first: {missing[0]})")
    if len(foreign):
        faults.append(f"{len(foreign)} ids are not in the test split (first: {foreign[0]})")
    if faults:
        raise DataError(
            f"{path}: column 'material_id': {'; '.join(faults)}. Give a row for every test material; leave the answer "
            "empty (null) where there is none"
        )


def _read_table(path: Path) -> tuple[pa.Table, list[str]]:
    """Read the columns that scores need, and the names of all that are there."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if path.suffix.lower() == ".csv":
            # A formula or id that spells "NaN" or "null" is text; only an empty cell is a missing answer.
            options = pacsv.ConvertOptions(null_values=[""], strings_can_be_null=False)
            table = pacsv.read_csv(path, convert_options=options)
            return table, table.column_names
        # Whatever else a model kept (its raw answers, say) is not read.
        names = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in dict.fromkeys(names) if name in _READ]), names
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: cannot be read as a predictions file: {first_line}") from error


def _ids(table: pa.Table, path: Path) -> pa.StringArray:
    column = table["material_id"]
    empty = column.null_count
    if empty:
        raise DataError(f"{path}: column 'material_id': {empty} empty ids")
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        if not pa.types.is_integer(column.type):
            raise DataError(f"{path}: column 'material_id': ids must be text, not {column.type}")
        column = column.cast(pa.string())
    ids = column.cast(pa.string()).combine_chunks()
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        first = repeated[0]
        raise DataError(
            f"{path}: column 'material_id': {len(repeated)} ids occur more than once "
            f"(first: {first['values']}, {first['counts']} times)"
        )
    return ids


def _numbers(table: pa.Table, name: str, path: Path, *, missing_allowed: bool) -> NDArray[np.float64]:
    column = table[name]
    if pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
        raise DataError(f"{path}: column '{name}': numbers are needed, the column holds {_offender(column)}")
    if column.null_count and not missing_allowed:
        raise DataError(f"{path}: column '{name}': {column.null_count} empty values")
    numbers = column.cast(pa.float64())
    bad = pc.invert(pc.is_finite(numbers))
    count = pc.sum(bad).as_py() or 0
    if count:
        hint = "; leave a missing answer empty (null)" if missing_allowed else ""
        raise DataError(f"{path}: column '{name}': {count} NaN or infinite values{hint}")
    return np.asarray(numbers.to_numpy(), dtype=np.float64)  # null becomes NaN, the sign of a missing answer


def _offender(column: pa.ChunkedArray) -> str:
    """Say what a column of the wrong type holds, with the count and first of what is no number."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return str(column.type)
    texts = [text for text in column.to_pylist() if text is not None and not _is_number(text)]
    return f"text in {len(texts)} rows (first: {texts[0][:40]!r})" if texts else "numbers written as text"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
