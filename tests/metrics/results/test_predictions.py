"""Predictions files: what is read, and what is refused with file, column and count."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench.errors import DataError
from llm4mat_bench.metrics.results.predictions import check_ids, read_predictions, write_predictions

GOOD: dict[str, Any] = {
    "material_id": ["mp-1", "mp-2", "mp-3"],
    "target": [1.0, 2.0, 3.0],
    "prediction": [1.5, None, 2.5],
}


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    path = folder / "predictions.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_a_missing_answer_is_nan(tmp_path: Path) -> None:
    found = read_predictions(parquet(tmp_path, GOOD), "regression")
    assert found.material_ids.to_pylist() == ["mp-1", "mp-2", "mp-3"]
    np.testing.assert_array_equal(found.answers, [1.5, np.nan, 2.5])
    assert not found.invalid.any()


def test_csv_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("material_id,target,prediction\nmp-1,1.0,1.5\nmp-2,2.0,\nmp-3,3.0,2.5\n")
    found = read_predictions(path, "regression")
    np.testing.assert_array_equal(found.answers, [1.5, np.nan, 2.5])


def test_classification_ranks_by_score_and_falls_back_to_labels(tmp_path: Path) -> None:
    columns = {"material_id": ["a", "b"], "target": [0, 1], "prediction": [0, 1], "score": [0.2, 0.4]}
    assert read_predictions(parquet(tmp_path, columns), "classification").answers.tolist() == [0.2, 0.4]
    del columns["score"]
    assert read_predictions(parquet(tmp_path, columns), "classification").answers.tolist() == [0.0, 1.0]


def test_unreadable_answers_are_told_from_missing_ones(tmp_path: Path) -> None:
    columns = GOOD | {"prediction": [1.5, None, None], "parse_status": ["ok", "missing", "not_a_number"]}
    assert read_predictions(parquet(tmp_path, columns), "regression").invalid.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": [1.0, float("inf"), -float("inf")]}, "column 'prediction': 2 NaN or infinite"),
        ({"target": [1.0, float("nan"), 2.0]}, "column 'target': 1 NaN or infinite"),
        ({"target": [1.0, None, 2.0]}, "column 'target': 1 empty"),
        ({"prediction": ["1.0", "two", "2.0"]}, "column 'prediction': numbers are needed.*text in 1 rows.*'two'"),
        ({"prediction": ["1.0", "2", "2.0"]}, "column 'prediction': numbers are needed.*written as text"),
        ({"material_id": ["mp-1", "mp-1", "mp-3"]}, r"column 'material_id': 1 ids occur more than once.*mp-1, 2 times"),
        ({"material_id": ["mp-1", None, "mp-3"]}, "column 'material_id': 1 empty"),
        ({"material_id": [1.5, 2.5, 3.5]}, "column 'material_id': ids must be text"),
    ],
)
def test_bad_columns_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = parquet(tmp_path, GOOD | change)
    with pytest.raises(DataError, match=f"predictions.parquet: {message}"):
        read_predictions(path, "regression")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path, {name: GOOD[name] for name in ("material_id", "prediction")})
    with pytest.raises(DataError, match="no column 'target'; found material_id, prediction"):
        read_predictions(path, "regression")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    columns = {"material_id": pa.array([], pa.string()), "target": pa.array([], pa.float64())}
    with pytest.raises(DataError, match="no rows"):
        read_predictions(parquet(tmp_path, columns | {"prediction": pa.array([], pa.float64())}), "regression")


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_truncated_parquet_is_refused(tmp_path: Path, kept: int) -> None:
    path = parquet(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="cannot be read as a predictions file"):
        read_predictions(path, "regression")


def test_columns_of_different_length_in_a_csv_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("material_id,target,prediction\nmp-1,1.0,1.5\nmp-2,2.0\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(path, "regression")


def test_ids_must_be_exactly_those_of_the_split() -> None:
    expected = pa.array(["a", "b", "c"])
    check_ids(pa.array(["c", "a", "b"]), expected, "x.parquet")
    with pytest.raises(DataError, match=r"1 of 3 test ids are missing \(first: c\)"):
        check_ids(pa.array(["a", "b"]), expected, "x.parquet")
    with pytest.raises(DataError, match=r"2 ids are not in the test split \(first: x\)"):
        check_ids(pa.array(["a", "b", "c", "x", "y"]), expected, "x.parquet")


def test_the_same_columns_give_the_same_bytes(tmp_path: Path) -> None:
    write_predictions(tmp_path / "one.parquet", GOOD)
    write_predictions(tmp_path / "two.parquet", GOOD)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "two.parquet"]
