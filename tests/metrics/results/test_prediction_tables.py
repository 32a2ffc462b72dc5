"""Predictions in every form that people bring: read as they are, or refused in one line that names the row."""

import csv
import datetime
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llm4mat_bench.errors import DataError, LLM4MatError
from llm4mat_bench.metrics.protocols import kind_of_scores
from llm4mat_bench.metrics.results.predictions import read_predictions
from llm4mat_bench.metrics.results.score_file import score_file

PLAIN = "material_id,target,prediction\nmp-1,1.0,1.5\nmp-2,2.0,\nmp-3,3.0,2.5\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


JSON_LINES = "".join(
    json.dumps(one) + "\n"
    for one in (
        {"material_id": "mp-1", "target": 1.0, "prediction": 1.5},
        {"material_id": "mp-2", "target": 2, "prediction": None, "note": [1]},
        {"prediction": "2.5", "material_id": "mp-3", "target": 3.0},
    )
)


FORMS: list[tuple[Any, ...]] = [
    ("a.csv", PLAIN),
    ("a.CSV", PLAIN.replace("\n", "\r\n")),
    ("a.csv", PLAIN.replace("\n", "\r")),
    ("a.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
    ("a.csv", PLAIN.encode("utf-16")),
    ("a.csv", "\n" + PLAIN.replace("mp-2", "\nmp-2")),
    ("a.csv.gz", gzip.compress(PLAIN.encode())),
    ("a.csv.zip", zipped(**{"a.csv": PLAIN, "__MACOSX/._a.csv": "junk"})),
    ("a.zip", zipped(**{"folder/a.tsv": PLAIN.replace(",", "\t")})),
    ("a.tsv", PLAIN.replace(",", "\t")),
    ("a.txt", PLAIN.replace(",", "|")),
    ("a.csv", PLAIN.replace(",", ";")),
    ("a.csv", PLAIN.replace(",", ";").replace(".", ",")),
    ("a.tsv", PLAIN.replace(",", "\t").replace(".", ",")),
    ("a.csv", PLAIN.replace("2.0,\n", "2.0,NaN\n")),
    ("a.csv", PLAIN.replace("2.0,\n", "2.0,None\n")),
    ("a.csv", PLAIN.replace("2.0,\n", '"2.0"," n/a "\n')),
    ("a.csv", PLAIN.replace("1.5", "+1.5").replace("2.5", " 25e-1")),
    ("a.csv", 'note,material_id,target,prediction\n"a ""b""\nc",mp-1,1.0,1.5\n,mp-2,2.0,\nx,mp-3,3.0,2.5\n'),
    ("a.jsonl", JSON_LINES),
    ("a.ndjson.gz", gzip.compress(JSON_LINES.encode())),
    ("a.jsonl", JSON_LINES.replace("null", "NaN")),
    ("a.jsonl", "\n" + JSON_LINES.replace("\n", "\r\n")),
]


@pytest.mark.parametrize(("name", "content"), FORMS, ids=range(len(FORMS)))
def test_every_form_reads_the_same(name: str, content: str | bytes, tmp_path: Path) -> None:
    found = read_predictions(write(tmp_path, name, content), "regression")
    assert found.material_ids.to_pylist() == ["mp-1", "mp-2", "mp-3"]
    np.testing.assert_array_equal(found.answers, [1.5, np.nan, 2.5])
    assert found.targets is not None and found.targets.tolist() == [1.0, 2.0, 3.0]
    assert not found.invalid.any()


IDS = ["007", "1e5", "2024-01-02", "12345678901234567890", "true", "False", "nan", "0x10", "1.50", "NaN", "null", " a"]


@pytest.mark.parametrize("form", ["csv", "quoted", "jsonl", "parquet", "large", "view", "dictionary", "binary"])
def test_an_id_is_text_whatever_it_looks_like(form: str, tmp_path: Path) -> None:
    numbers = list(range(len(IDS)))
    if form in ("csv", "quoted"):
        buffer = io.StringIO()
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if form == "quoted" else csv.QUOTE_MINIMAL)
        writer.writerows([["material_id", "target", "prediction"], *zip(IDS, numbers, numbers, strict=True)])
        path = write(tmp_path, "a.csv", buffer.getvalue())
    elif form == "jsonl":
        rows = [{"material_id": one, "target": i, "prediction": i} for i, one in enumerate(IDS)]
        path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    else:
        plain = pa.array(IDS)
        kinds = {"large": pa.large_string(), "view": pa.string_view(), "binary": pa.binary()}
        column = plain.dictionary_encode() if form == "dictionary" else plain.cast(kinds.get(form, pa.string()))
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"material_id": column, "target": numbers, "prediction": numbers}), path)
    assert read_predictions(path, "regression").material_ids.to_pylist() == IDS


def test_line_separators_inside_json_are_text(tmp_path: Path) -> None:
    line = json.dumps({"material_id": "a\u2028b\x85", "target": 1, "prediction": 1}, ensure_ascii=False)
    found = read_predictions(write(tmp_path, "a.jsonl", line), "regression")
    assert found.material_ids.to_pylist() == ["a\u2028b\x85"]


def test_whole_numbers_are_ids_in_typed_forms(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": [7, 8], "target": [1, 2], "prediction": [1, 2]}), tmp_path / "a.parquet")
    assert read_predictions(tmp_path / "a.parquet", "regression").material_ids.to_pylist() == ["7", "8"]
    line = '{"material_id": 12345678901234567890, "target": 1, "prediction": 1}\n'
    found = read_predictions(write(tmp_path, "a.jsonl", line), "regression")
    assert found.material_ids.to_pylist() == ["12345678901234567890"]


def test_a_folder_of_parquet_is_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    for number, prediction in enumerate((pa.array([1.5, None]), pa.array([2], pa.int64()))):
        columns = {"material_id": [f"mp-{number}{i}" for i in range(len(prediction))], "prediction": prediction}
        pq.write_table(pa.table(columns | {"target": [1.0] * len(prediction)}), folder / f"part-{number}.parquet")
    write(folder, "_SUCCESS", "")
    write(folder, ".part-2.parquet.crc", "x")
    found = read_predictions(folder, "regression")
    assert found.material_ids.to_pylist() == ["mp-00", "mp-01", "mp-10"]
    np.testing.assert_array_equal(found.answers, [1.5, np.nan, 2.0])


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (pa.array([1.0, float("nan"), None]), [1.0, np.nan, np.nan]),
        (pa.array([1, 2, None]), [1.0, 2.0, np.nan]),
        (pa.array([1.5, 2.5, None], pa.float32()), [1.5, 2.5, np.nan]),
        (pa.array([None, None, None], pa.null()), [np.nan] * 3),
        (pa.array([1.5, 2.5, 1.5]).dictionary_encode(), [1.5, 2.5, 1.5]),
        (pa.array([1, 2, None]).cast(pa.decimal128(30, 2)), [1.0, 2.0, np.nan]),
    ],
)
def test_numbers_of_parquet(prediction: pa.Array, expected: list[float], tmp_path: Path) -> None:
    columns = {"material_id": ["a", "b", "c"], "target": [1.0, 2.0, 3.0], "prediction": prediction}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    np.testing.assert_array_equal(read_predictions(tmp_path / "a.parquet", "regression").answers, expected)


def test_words_for_classes(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "material_id,target,prediction\na,True,true\nb,False,\nc,False,false\n")
    found = read_predictions(path, "classification")
    np.testing.assert_array_equal(found.answers, [1.0, np.nan, 0.0])
    assert found.targets is not None and found.targets.tolist() == [1.0, 0.0, 0.0]
    path = write(tmp_path, "b.csv", "material_id,target,prediction\na,1,true\nb,0,\nc,0,false\n")
    with pytest.raises(DataError, match=r"the column holds text in 2 rows \(first: row 1, 'true'\)"):
        read_predictions(path, "regression")


FAULTS: list[tuple[Any, ...]] = [
    ("a.xlsx", b"PK\x03\x04" + bytes(50), r"a\.xlsx: a spreadsheet; save it as CSV\. Accepted: \.parquet"),
    ("a.npy", b"\x93NUMPY", r"its name ends in no known form\. Accepted: \.parquet"),
    ("a.json", "[]", r"its name ends in no known form"),
    ("a.csv", "", r"a\.csv: no rows"),
    ("a.csv", "material_id,target,prediction\n", r"a\.csv: no rows"),
    ("a.csv.gz", gzip.compress(PLAIN.encode())[:-12], r"a\.csv\.gz: the gzip data is cut short"),
    ("a.csv.gz", PLAIN, r"a\.csv\.gz: no gzip data"),
    ("a.csv.zip", zipped(**{"a.csv": PLAIN, "b.csv": PLAIN}), r"a\.csv\.zip: 2 files in it, one is expected"),
    ("a.csv.zip", zipped(**{"a.csv": PLAIN})[:-30], r"a\.csv\.zip: the zip archive cannot be read"),
    ("a.csv", PLAIN.encode().replace(b"mp-2", b"mp-\xe5"), r"line 3 is no UTF-8 text"),
    ("a.csv", PLAIN.encode("utf-16-le"), r"line 1 holds a NUL character"),
    ("a.csv", PLAIN.replace("mp-2,2.0,", "mp-2,2.0"), r"row 2 has 2 fields where the header has 3"),
    ("a.csv", PLAIN.replace("mp-2", '"mp-2'), r"row 2: .*a quotation mark is not closed"),
    ("a.csv", PLAIN.replace("mp-2", '"mp"-2'), r"row 2: .*a quotation mark"),
    ("a.csv", PLAIN.replace("target", "prediction"), r"column 'prediction' stands 2 times"),
    ("a.csv", PLAIN.replace("prediction", "pred"), r"no column 'prediction'; found .*\. Is it 'pred'\? Rename it"),
    ("a.csv", PLAIN.replace("prediction", " prediction"), r"Is it ' prediction'\? Rename it to 'prediction'"),
    ("a.csv", PLAIN.replace("material_id", "MATERIAL_ID"), r"Is it 'MATERIAL_ID'\? Rename it to 'material_id'"),
    ("a.csv", PLAIN.replace("material_id", "jid"), r"Is it 'jid'\?"),
    ("a.csv", PLAIN.replace("prediction", "predicton"), r"Is it 'predicton'\?"),
    ("a.csv", PLAIN.replace("target", "y_true"), r"no column 'target'; .*Is it 'y_true'\?"),
    ("a.csv", PLAIN.replace("2.0", ""), r"column 'target': 1 empty values, the first in row 2"),
    ("a.csv", PLAIN.replace("2.0", "nan"), r"column 'target': 1 empty values, the first in row 2"),
    ("a.csv", PLAIN.replace("2.5", "inf"), r"column 'prediction': 1 NaN or infinite values, the first in row 3"),
    ("a.csv", PLAIN.replace("2.5", "1e999"), r"column 'prediction': 1 NaN or infinite values, the first in row 3"),
    ("a.csv", PLAIN.replace("2.5", "0x10"), r"numbers are needed.*in 1 rows \(first: row 3, '0x10'\)"),
    ("a.csv", PLAIN.replace("2.5", "1_000"), r"\(first: row 3, '1_000'\)"),
    ("a.csv", PLAIN.replace("2.5", "2.5 eV"), r"\(first: row 3, '2\.5 eV'\)"),
    ("a.csv", PLAIN.replace("2.5", "50%"), r"\(first: row 3, '50%'\)"),
    ("a.csv", PLAIN.replace("2.5", '"2,5"'), r"1 numbers with a decimal comma, the first in row 3 \('2,5'\)"),
    ("a.csv", PLAIN.replace(",", ";").replace("2.5", "2,5"), r"1 numbers with a decimal comma, the first in row 3"),
    ("a.csv", PLAIN.replace(",", ";").replace("2.5", "1.234,5"), r"\(first: row 3, '1\.234,5'\)"),
    ("a.csv", PLAIN.replace("mp-3", "mp-1"), r"1 ids occur more than once \(first: mp-1, 2 times, rows 1 and 3\)"),
    ("a.csv", PLAIN.replace("mp-2", ""), r"column 'material_id': 1 empty ids, the first in row 2"),
    ("a.jsonl", JSON_LINES.replace('{"prediction"', '["prediction"'), r"row 3"),
    ("a.jsonl", JSON_LINES + "[1]\n", r"row 4 is no JSON object"),
    (
        "a.jsonl",
        JSON_LINES.replace('"mp-1", ', '"mp-1", "material_id": "x", '),
        r"row 1: 'material_id' stands twice",
    ),
    ("a.jsonl", JSON_LINES.replace('"mp-1"', "1.5"), r"row 1: the id 1\.5 is a number with a fraction"),
    ("a.jsonl", JSON_LINES.replace("1.5", "[1.5]"), r"row 1: column 'prediction' holds a list"),
    ("a.jsonl", JSON_LINES.replace("1.5", "Infinity"), r"column 'prediction': 1 NaN or infinite values.*row 1"),
]


@pytest.mark.parametrize(("name", "content", "message"), FAULTS, ids=range(len(FAULTS)))
def test_what_is_wrong_is_named(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_predictions(write(tmp_path, name, content), "regression")
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"material_id": [1.0, 2.0]}, "ids must be text, not double; write the column as text"),
        ({"material_id": [True, False]}, "ids must be text, not bool"),
        ({"material_id": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]}, "ids must be text, not date32"),
        ({"parse_status": [1.5, 2.5]}, "column 'parse_status': text is needed, not double"),
        ({"parse_status": [["ok"], ["ok"]]}, "column 'parse_status': text is needed, not list"),
        ({"prediction": [[1.0], [2.0]]}, "column 'prediction': numbers are needed, the column holds list"),
        ({"prediction": ["1", "x"]}, r"text in 1 rows \(first: row 2, 'x'\)"),
    ],
)
def test_types_of_parquet_that_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    columns: dict[str, Any] = {"material_id": ["a", "b"], "target": [1.0, 2.0], "prediction": [1.0, 2.0]}
    pq.write_table(pa.table(columns | change), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        read_predictions(tmp_path / "a.parquet", "regression")


def test_a_column_twice_and_a_status_of_another_text_type(tmp_path: Path) -> None:
    twice = pa.table([pa.array(["a"]), pa.array([1.0]), pa.array([1.0])], names=["material_id", "target", "target"])
    pq.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="column 'target' stands 2 times"):
        read_predictions(tmp_path / "a.parquet", "regression")
    columns = {"material_id": ["a", "b"], "target": [1.0, 2.0], "prediction": pa.array([None, None], pa.float64())}
    status = pa.array(["missing", "unreadable"])
    for one in (status.dictionary_encode(), status.cast(pa.string_view()), status.cast(pa.large_string())):
        pq.write_table(pa.table(columns | {"parse_status": one}), tmp_path / "b.parquet")
        assert read_predictions(tmp_path / "b.parquet", "regression").invalid.tolist() == [False, True]


def test_folders_without_parquet_and_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a folder without Parquet files\. Accepted"):
        read_predictions(tmp_path, "regression")
    with pytest.raises(DataError, match="no such file"):
        read_predictions(tmp_path / "none.csv", "regression")


@pytest.mark.parametrize("columns", [("prediction",), ("prediction", "score")])
def test_answers_of_0_and_1_only_are_hard_labels(columns: tuple[str, ...], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 40)
    answers = np.where(random.random(40) < 0.8, labels, 1 - labels)
    rows = [
        f"id{i},{label},{','.join([str(answer)] * len(columns))}"
        for i, (label, answer) in enumerate(zip(labels, answers, strict=True))
    ]
    path = write(tmp_path, "a.csv", "\n".join([",".join(("material_id", "target", *columns)), *rows]))
    assert kind_of_scores(read_predictions(path, "classification").answers) == "hard_label"
    report = score_file(path, kind="classification").report
    assert report.kind == "classification" and report.score_kind == "hard_label"


CELL = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["", "NaN", "None", "1,5", "1e400", "0x1F", "true", "inf", '"', "\r", "\n", ";", "١٢", "²"]),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=6),
    form=st.sampled_from(["csv", "tsv", "bare", "jsonl", "utf-16"]),
    kind=st.sampled_from(["regression", "classification"]),
    cut=st.integers(0, 3),
)
@example(rows=[("\n", "1", "1"), ("\n", "1", "1")], form="csv", kind="regression", cut=0)
def test_any_file_is_read_right_or_refused_in_one_line(
    rows: list[tuple[str, str, str]], form: str, kind: str, cut: int, tmp_path: Path
) -> None:
    names = ["material_id", "target", "prediction"]
    if form == "jsonl":
        content = "".join(json.dumps(dict(zip(names, one, strict=True))) + "\n" for one in rows).encode()
    elif form == "bare":
        content = "\n".join(",".join(one) for one in [names, *rows]).encode()
    else:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter="\t" if form == "tsv" else ",", quoting=csv.QUOTE_ALL).writerows([names, *rows])
        content = buffer.getvalue().encode("utf-16" if form == "utf-16" else "utf-8")
    path = write(tmp_path, "a.jsonl" if form == "jsonl" else "a.csv", content[: len(content) - cut])
    try:
        found = read_predictions(path, kind)
    except LLM4MatError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return
    assert found.targets is not None and np.isfinite(found.targets).all() and not np.isinf(found.answers).any()
    if form == "bare" or cut:
        return
    assert found.material_ids.to_pylist() == [one[0] for one in rows]
    for (_, target, prediction), number, answer in zip(rows, found.targets, found.answers, strict=True):
        for text, value in ((target, number), (prediction, answer)):
            if np.isnan(value):
                assert text.strip().casefold() in ("", "nan", "none", "null", "na", "n/a", "<na>", "-nan")
            elif text.strip().casefold() in ("true", "false"):
                assert kind == "classification" and value == (text.strip().casefold() == "true")
            else:
                assert float(text.replace(",", ".") if form == "tsv" else text) == value
