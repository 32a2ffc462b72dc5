"""Every way of making a record lie that was thought of, and what of it is caught.

What cannot be caught: another set of answers with everything computed anew, and what a run claims of itself that
leaves no trace in its answers (its model's name, its settings) with every hash computed anew. Who edits and stops short
of that is caught by the record's own hash; what follows from data and predictions is caught in any case.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgery import change_record, forge_record, forge_scores
from toy_runs import toy_run

from llm4mat_bench.errors import LLM4MatError
from llm4mat_bench.metrics.leaderboard import write_leaderboard
from llm4mat_bench.metrics.results.record import read_record, shortfalls
from llm4mat_bench.metrics.results.verify import verify_results, verify_run

Record = dict[str, Any]
ZEROS = "0" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_run(tmp_path_factory.mktemp("made"))


def test_nothing_is_wrong_before(made: Path) -> None:
    assert not verify_run(made).faults


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def put(path: str, value: object) -> Callable[[Record], None]:
    """An edit that sets the value at a dotted path."""

    def change(record: Record) -> None:
        *above, last = path.split(".")
        for part in above:
            record = record[part]
        record[last] = value

    return change


EDITS = [
    ("run_id", "anything"),
    ("run_id", "x/../../../../y"),
    ("run_id", "x" * 3000),
    ("run_id", "a\u202eb"),
    ("run_id", ".hidden"),
    ("run_id", ""),
    ("config_sha256", ZEROS),
    ("config_sha256", "0"),
    ("record_sha256", ZEROS),
    ("schema_version", "2"),
    ("schema_version", 2.0),
    ("schema_version", None),
    ("task", "sample/is_stable"),
    ("task", "sample/bulk_modulus"),
    ("task", "SAMPLE/Band_Gap"),
    ("task", "nowhere/nothing"),
    ("unit", "meV"),
    ("modality", "cif"),
    ("modality", "smell"),
    ("data.dataset", "another"),
    ("data.revision", "abc"),
    ("data.version", 99),
    ("data.labels_sha256", ZEROS),
    ("data.texts_sha256", ZEROS),
    ("data.sha256", ZEROS),
    ("data.split", "train"),
    ("data.test_ids_sha256", ZEROS),
    ("data.n_train", 10**6),
    ("data.n_train", "855"),
    ("data.n_validation", 0),
    ("data.training_mean", 0.0),
    ("model.id", "gpt-17"),
    ("model.revision", "9"),
    ("model.kind", "finetuned"),
    ("model.parameters", 10**15),
    ("model.parameters", -1),
    ("model.parameters", 7.5),
    ("model.pretraining_overlap", "known"),
    ("protocol.kind", "prompt"),
    ("protocol.seed", 999),
    ("protocol.seed", "0"),
    ("protocol.seed", True),
    ("protocol.settings", {}),
    ("protocol.settings.depth", 4),
    ("protocol.settings.more", 1),
    ("protocol.preset", "published"),
    ("protocol.control", "shuffled"),
    ("protocol.limit", 5),
    ("protocol.train_rows", 5),
    ("protocol.train_rows", 10**6),
    ("fitted", {"trees": 5}),
    ("counts.n_scored", 1),
    ("counts.n_missing", 1),
    ("counts.n_invalid", 1),
    ("counts.coverage", 0.5),
    ("metrics.kind", "classification"),
    ("metrics.whole.mad_mae.value", 99.0),
    ("metrics.whole.mae.value", 0.001),
    ("metrics.whole.mad_mae.interval.low", 98.0),
    ("metrics.whole.mad_mae.interval.high", None),
    ("metrics.whole.mad_mae.interval", None),
    ("metrics.whole.mad_mae.interval.level", 0.5),
    ("metrics.whole.spearman.value", 1.0),
    ("metrics.published.mad_mae.value", 99.0),
    ("metrics.n_total", 12),
    ("metrics.coverage", 0.5),
    ("metrics.confidence", 0.5),
    ("metrics.n_resamples", 5),
    ("metrics.seed", 5),
    ("metrics.train_mean", 0.0),
    ("predictions.file", "../predictions.parquet"),
    ("predictions.file", "/etc/passwd"),
    ("predictions.file", "other.parquet"),
    ("predictions.file", "predictions.csv.gz"),
    ("predictions.sha256", ZEROS),
    ("predictions.size_bytes", 1),
    ("artifacts", {"../secret": ZEROS}),
    ("artifacts", {"result.json": ZEROS}),
    ("provenance.package_version", "9.9"),
    ("provenance.started_at", "tomorrow"),
    ("provenance.git_commit", "abc"),
    ("provenance.libraries.numpy", "1.0"),
    ("provenance.wall_seconds", 0.0),
    ("provenance.wall_seconds", -1.0),
    ("provenance.cores", 0),
    ("surprise", 1),
    ("data.surprise", 1),
    ("model.surprise", 1),
    ("protocol.surprise", 1),
    ("metrics.surprise", 1),
    ("metrics.whole.mae.surprise", 1),
    ("provenance.surprise", 1),
]


@pytest.mark.parametrize(("path", "value"), EDITS, ids=[f"{path}={str(value)[:20]}" for path, value in EDITS])
def test_an_edit_is_caught(run: Path, path: str, value: object) -> None:
    change_record(run, put(path, value))
    assert verify_run(run).faults


DERIVED = [
    ("data.labels_sha256", "made from other data than embedded sample"),
    ("data.version", "made from other data"),
    ("data.texts_sha256", "made from other texts than the composition of embedded sample"),
    ("modality", "made from other texts than the cif of embedded sample"),
    ("data.test_ids_sha256", "ids are not those in the record"),
    ("data.n_train", "data.n_train 1000000, embedded sample has"),
    ("data.n_validation", "data.n_validation 0, embedded sample has"),
    ("data.training_mean", "training mean 0.0, embedded sample says"),
    ("data.revision", "is not in it"),
    ("protocol.limit", "protocol.limit 5, but 115 rows are answered"),
    ("protocol.train_rows", "protocol.train_rows 1000000, the training split has 855"),
    ("provenance.started_at", "provenance.started_at tomorrow: no time of the form"),
    ("unit", "the catalogue says eV"),
    ("task", "test ids are missing"),
    ("counts.n_scored", "counts differ"),
    ("metrics.whole.mad_mae.value", "metrics.whole.mad_mae.value"),
    ("metrics.whole.mad_mae.interval.low", "metrics.whole.mad_mae.interval.low"),
    ("metrics.whole.mad_mae.interval", "metrics.whole.mad_mae.interval"),
    ("metrics.n_resamples", "metrics.n_resamples"),
    ("metrics.confidence", "metrics.confidence"),
    ("metrics.seed", "metrics.seed"),
    ("metrics.train_mean", "metrics.train_mean"),
    ("predictions.size_bytes", "SHA-256 or size differs"),
    ("predictions.sha256", "SHA-256 or size differs"),
]
LAST = {path: value for path, value in EDITS if not (path == "data.n_train" and isinstance(value, str))}
LAST["modality"] = "cif"
LAST["task"] = "sample/bulk_modulus"
LAST["metrics.whole.mad_mae.interval.high"] = 1.0


@pytest.mark.parametrize(("path", "fault"), DERIVED)
def test_what_follows_from_data_and_predictions_is_caught_with_every_hash_mended(
    run: Path, path: str, fault: str
) -> None:
    forge_record(run, put(path, LAST[path]))
    faults = verify_run(run).faults
    assert any(fault in line for line in faults), faults
    assert not any("record_sha256" in line or "config_sha256" in line for line in faults)


def test_no_run_is_of_tomorrow(run: Path) -> None:
    forge_record(run, put("provenance.started_at", "2999-01-01T00:00:00+00:00"))
    assert any("2999-01-01T00:00:00+00:00 lies in the future" in fault for fault in verify_run(run).faults)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("protocol.seed", 999),
        ("protocol.settings.depth", 4),
        ("protocol.control", "shuffled"),
        ("protocol.limit", 5),
        ("model.id", "gpt-17"),
        ("model.revision", "9"),
        ("modality", "cif"),
        ("data.texts_sha256", ZEROS),
        ("data.labels_sha256", ZEROS),
    ],
)
def test_the_run_id_is_derived_again(run: Path, path: str, value: object) -> None:
    change_record(run, put(path, value))
    faults = verify_run(run).faults
    assert any("config_sha256 is not that of" in fault for fault in faults)
    assert any("run_id" in fault and "give" in fault for fault in faults)


TEXTS = [
    (lambda text: text.replace('"seed":', '"seed": 5, "seed":', 1), "the key 'seed' stands more than once"),
    (lambda text: '{"task": "x",' + text.lstrip()[1:], "the key 'task' stands more than once"),
    (lambda text: text.replace('"wall_seconds":', '"wall_seconds": NaN, "was":', 1), "NaN is no number"),
    (lambda text: text.replace('"wall_seconds":', '"wall_seconds": 1e999, "was":', 1), "beyond the range of float64"),
    (lambda text: "\ufeff" + text, "not a record"),
    (lambda text: text + "{}", "not a record"),
    (lambda text: text[:-20], "not a record"),
    (lambda text: "", "not a record"),
    (lambda text: "[]", "an object is needed|JSON object is needed"),
    (lambda text: "[" * 100_000, "nested too deep|not a record"),
    (lambda text: text.replace('"toy"', '"\\ud800"', 1), "result.json"),
    (lambda text: text.replace('"seed": 0', f'"seed": {"9" * 5000}', 1), "not a record"),
    (lambda text: text.replace('"seed": 0', f'"seed": {"9" * 400}', 1), "protocol.training.seed"),
]


@pytest.mark.parametrize(("change", "fault"), TEXTS)
def test_a_text_that_is_no_record_is_one_line(run: Path, change: Callable[[str], str], fault: str) -> None:
    path = run / "result.json"
    path.write_text(change(path.read_text()), encoding="utf-8")
    (line,) = verify_run(run).faults
    assert re.search(fault, line), line
    assert "\n" not in line
    assert len(line) < 1100


def test_a_record_that_is_no_file_is_not_waited_for(run: Path) -> None:
    (run / "result.json").unlink()
    os.mkfifo(run / "result.json")
    assert "no such file" in verify_run(run).faults[0]
    (run / "result.json").unlink()
    (run / "result.json").mkdir()
    assert "no such file" in verify_run(run).faults[0]


def change_table(run: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = run / "predictions.parquet"
    pq.write_table(change(pq.read_table(path)), path)


TABLES = [
    (lambda t: t.slice(1), "1 of .* test ids are missing"),
    (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "1 ids occur more than once"),
    (lambda t: t.set_column(0, "material_id", [[f"x{i}" for i in range(len(t))]]), "ids are not in the test split"),
    (lambda t: t.set_column(1, "target", [t["target"].to_numpy() * (1 + 1e-7)]), "values differ from the data"),
    (lambda t: t.set_column(1, "target", [t["prediction"].to_numpy()]), "values differ from the data"),
    (lambda t: t.drop_columns(["target"]), "no column 'target'"),
    (lambda t: t.drop_columns(["prediction"]), "no column 'prediction'"),
]


@pytest.mark.parametrize(("change", "fault"), TABLES)
def test_tables_that_are_not_of_the_data_are_caught_with_everything_computed_anew(
    run: Path, change: Callable[[pa.Table], pa.Table], fault: str
) -> None:
    change_table(run, change)
    with contextlib.suppress(LLM4MatError):  # some not even a forger can score
        forge_scores(run)
    assert any(re.search(fault, line) for line in verify_run(run).faults)


@pytest.mark.parametrize("kept", [False, True], ids=["plain", "dictionary in the schema"])
def test_a_file_of_a_thousand_bytes_takes_no_gigabytes(kept: bool, run: Path) -> None:
    """One text of a dictionary, however long, is the id of every row."""
    n, text = 10_000, "x" * 3_000_000
    ids = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([text]))
    table = pa.table({"material_id": ids, "target": np.zeros(n), "prediction": np.zeros(n)})
    path = run / "predictions.parquet"
    pq.write_table(table, path, compression="zstd", store_schema=kept, dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 2000
    assert any("column 'material_id' holds a text of 3,000,000 bytes" in fault for fault in verify_run(run).faults)


def test_a_column_of_bulk_is_not_read(run: Path) -> None:
    change_table(
        run,
        lambda table: table.set_column(0, "material_id", [[f"{i}{'x' * 1_000_000}" for i in range(len(table))]]),
    )
    assert any("which are no ids or numbers; refused" in fault for fault in verify_run(run).faults)


def test_rows_in_another_order_are_the_same_run(run: Path) -> None:
    before = verify_run(run).report
    change_table(run, lambda table: table.take(np.random.default_rng(0).permutation(len(table))))
    forge_scores(run)
    found = verify_run(run)
    assert not found.faults
    assert found.report == before


def test_a_limit_that_is_struck_out_gains_nothing(run: Path) -> None:
    """Rows that were not asked are missing, whatever the record says of why; with most missing, it is not ranked."""
    honest = verify_run(run).report
    change_table(
        run,
        lambda table: table.set_column(
            table.column_names.index("prediction"),
            "prediction",
            [np.where(np.arange(len(table)) < 40, table["prediction"].to_numpy(), np.nan)],
        ),
    )
    forge_scores(run, put("protocol.limit", 40))
    assert read_record(run / "result.json").full is False
    forge_record(run, put("protocol.limit", None))
    found = verify_run(run)
    assert not found.faults and found.record is not None and found.report is not None and honest is not None
    assert shortfalls(found.record) == ("no answer for 75 of 115 test rows",)
    assert (found.record.counts.n_scored, found.report.coverage) == (40, pytest.approx(40 / 115))
    assert honest.kind == found.report.kind == "regression"
    missing = found.report.whole.mad_mae.value
    assert missing is not None and missing < 1.2, "mostly answers of the training mean"


def test_logits_are_no_probabilities(tmp_path: Path) -> None:
    folder = toy_run(tmp_path, "sample/is_stable")
    change_table(
        folder,
        lambda table: table.set_column(
            table.column_names.index("score"), "score", [5 * table["score"].to_numpy() - 2.5]
        ),
    )
    forge_record(folder, lambda record: None)
    assert any("not probabilities; score_kind='logit'?" in fault for fault in verify_run(folder).faults)


def test_hard_labels_are_no_probabilities(tmp_path: Path) -> None:
    folder = toy_run(tmp_path, "sample/is_stable")
    for low, high in ((0.0, 1.0), (0.1, 0.9)):
        change_table(
            folder,
            lambda table, low=low, high=high: table.set_column(  # type: ignore[misc]
                table.column_names.index("score"), "score", [np.where(table["score"].to_numpy() > 0.5, high, low)]
            ),
        )
        forge_scores(folder)
        forge_record(folder, put("metrics.score_kind", "probability"))
        faults = verify_run(folder).faults
        assert any(f"only {low:g} and {high:g} stand there, which are hard labels" in fault for fault in faults)


@pytest.mark.parametrize("others", [1, 2])
def test_a_few_other_values_make_no_probabilities_of_labels(tmp_path: Path, others: int) -> None:
    folder = toy_run(tmp_path, "sample/is_stable")

    def label(table: pa.Table) -> pa.Table:
        scores = np.where(table["score"].to_numpy() > 0.5, 1.0, 0.0)
        scores[:others] = 0.5
        return table.set_column(table.column_names.index("score"), "score", [scores])

    change_table(folder, label)
    forge_scores(folder)
    forge_record(folder, put("metrics.score_kind", "probability"))
    faults = verify_run(folder).faults
    assert any("only 0 and 1 stand there, which are hard labels" in fault for fault in faults) == (others == 1)


@pytest.mark.parametrize(
    ("place", "value"),
    [("fitted.prompt_tokens", 10**400), ("fitted.prompt_tokens", -5), ("provenance.wall_seconds", 1e300)],
)
def test_numbers_beyond_all_sense_do_not_stop_the_page(tmp_path: Path, place: str, value: float) -> None:
    for seed in (0, 1):
        forge_record(toy_run(tmp_path / "results", seed=seed), put(place, value))
    page = write_leaderboard(tmp_path / "results", tmp_path / "page")
    assert page.page.is_file()
    assert len(page.refused) == (2 if place == "provenance.wall_seconds" else 0)


INVENTED = pa.table(
    {
        "material_id": [f"invented-{i}" for i in range(12)],
        "target": np.arange(12.0),
        "prediction": np.arange(12.0) + 1e-3,
    }
)


@pytest.mark.parametrize("task", ["sample/band_gap", "mp/band_gap"])
def test_invented_rows_do_not_reach_the_ranking(run: Path, tmp_path: Path, task: str) -> None:
    """MAD:MAE 3000 on twelve rows of one's own, with everything computed anew."""
    from llm4mat_bench.dataset_builder.splits import ids_sha256

    pq.write_table(INVENTED, run / "predictions.parquet")

    def lie(record: Record) -> None:
        record["task"] = task
        record["data"] |= {
            "dataset": "my own data",
            "test_ids_sha256": ids_sha256(INVENTED["material_id"].to_pylist()),
            "labels_sha256": ZEROS,
            "training_mean": 5.5,
        }

    forge_scores(run, lie)
    (found,) = verify_results(tmp_path)
    board = write_leaderboard(tmp_path, tmp_path / "board")
    answer = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    page = (tmp_path / "board" / "index.html").read_text()
    if task.startswith("sample/"):
        assert any("test ids are missing" in fault for fault in found.faults)
        assert answer == []
        assert [one.folder for one in board.refused] == [run]
        assert "3000.000" not in page
    else:  # its truth is not at hand
        assert not found.faults
        assert not found.data_checked
        (source,) = answer
        assert source["entries"] == []
        (apart,) = source["apart"]
        assert not apart["data_checked"]
        assert apart["apart"] == ["data not compared"]
        assert board.n_apart == 1
        assert "not ranked because" in page


def test_what_is_shown_was_computed_and_not_read(run: Path, tmp_path: Path) -> None:
    """Under another NumPy the ends of an interval may lie elsewhere by a little: shown are ours."""
    honest = verify_run(run).report
    assert honest is not None and honest.kind == "regression" and honest.whole.mad_mae.interval is not None

    def lie(record: Record) -> None:
        interval = record["metrics"]["whole"]["mad_mae"]["interval"]
        width = interval["high"] - interval["low"]
        interval["low"] += 0.19 * width
        interval["high"] += 0.19 * width
        record["metrics"]["published"] = record["metrics"]["whole"]
        record["provenance"]["libraries"]["numpy"] = "1.0"

    forge_record(run, lie)
    assert not verify_run(run).faults
    write_leaderboard(tmp_path, tmp_path / "board")
    (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    cell = source["entries"][0]["cells"]["sample/band_gap"]
    assert (cell["low"], cell["high"]) == (honest.whole.mad_mae.interval.low, honest.whole.mad_mae.interval.high)
    page = (tmp_path / "board" / "tasks" / "sample" / "band_gap.html").read_text()
    assert f"[{cell['low']:.3f}, {cell['high']:.3f}]" in page
    stated = json.loads((run / "result.json").read_text())["metrics"]["whole"]["mad_mae"]["interval"]
    assert f"[{stated['low']:.3f}, {stated['high']:.3f}]" not in page


def test_a_table_of_billions_of_rows_is_not_read(run: Path) -> None:
    """A dictionary and a run length stand for any number of rows in a few kilobytes."""
    rows = 100_000_000
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["x"]))
    table = pa.table({"material_id": ids})
    pq.write_table(table, run / "predictions.parquet")
    assert (run / "predictions.parquet").stat().st_size < 1_000_000
    forge_record(run, put("task", "mp/band_gap"))
    assert any("100,000,000 rows are no answers to mp/band_gap" in fault for fault in verify_run(run).faults)
