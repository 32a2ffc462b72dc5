"""Anyone's predictions become a record that verifies; what is wrong with them is said with file, row and remedy."""

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgery import change_record, forge_record, forge_scores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm4mat_bench import get_task
from llm4mat_bench.errors import LLM4MatError, UsageError
from llm4mat_bench.metrics.leaderboard.entries import entries_of, sound_runs
from llm4mat_bench.metrics.results.record import read_record
from llm4mat_bench.metrics.results.submission import Author, Submission, submit
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import verify_results, verify_run

GAP, STABLE = get_task("sample/band_gap"), get_task("sample/is_stable")
AUTHOR = Author(model_id="their/model", model_url="https://example.org/model")
IDS = read_truth(GAP).test_ids.to_pylist()
GAPS = read_truth(GAP).test_targets
STABLE_IDS = read_truth(STABLE).test_ids.to_pylist()
LABELS = read_truth(STABLE).test_targets


def write(path: Path, rows: Iterable[tuple[Any, ...]], names: tuple[str, ...] = ("material_id", "prediction")) -> Path:
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([names, *rows])
    return path


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    """Answers to all test rows but ten, in no order."""
    rows = [(one, value + 0.1) for one, value in zip(IDS, GAPS, strict=True)]
    return write(tmp_path / "gaps.csv", reversed(rows[10:]))


def made(path: Path, results: Path, author: Author = AUTHOR, **more: Any) -> Submission:
    return submit(path, GAP, "composition", author, results, **more)


def test_a_submission_verifies_and_its_missing_rows_are_counted(gaps: Path, tmp_path: Path) -> None:
    submission = made(gaps, tmp_path / "results")
    record = submission.record
    assert submission.n_absent == record.counts.n_missing == 10
    assert record.counts.n_total == len(IDS)
    assert record.protocol.kind == "submission" and record.protocol.model_url == AUTHOR.model_url
    assert record.model.kind == "other" and record.model.pretraining_overlap == "unknown"
    (found,) = verify_results(tmp_path / "results")
    assert not found.faults and found.data_checked
    table = pq.read_table(submission.folder / "predictions.parquet")
    answered = dict(zip(table["material_id"].to_pylist(), table["prediction"].to_pylist(), strict=True))
    assert answered[IDS[0]] is None
    assert answered[IDS[20]] == GAPS[20] + 0.1


def test_the_same_answers_in_another_file_are_the_same_run(gaps: Path, tmp_path: Path) -> None:
    first = made(gaps, tmp_path / "results")
    rows = [(one, value + 0.1) for one, value in zip(IDS, GAPS, strict=True)][10:]
    table = pa.table({"material_id": [row[0] for row in rows], "prediction": [row[1] for row in rows]})
    pq.write_table(table, tmp_path / "gaps.parquet")
    again = made(tmp_path / "gaps.parquet", tmp_path / "results")
    assert again.already_there and again.folder == first.folder
    other = made(write(tmp_path / "other.csv", [(one, 1.0) for one in IDS]), tmp_path / "results")
    assert other.folder != first.folder


FILES: list[tuple[list[tuple[Any, ...]], str]] = [
    ([*((one, 1.0) for one in IDS), ("mp-none", 1.0)], r"1 ids are not in the test split .*'mp-none' in row 116"),
    ([("a", 1.0), ("b", 2.0)], "None of its ids is; the split has ids like 'mp-"),
    ([(IDS[0], 1.0), (IDS[1], 1.0), (IDS[0], 2.0)], r"1 ids occur more than once .*2 times, rows 1 and 3"),
    ([(IDS[0], 1.0), ("", 2.0)], "1 empty ids, the first in row 2"),
    ([(IDS[0], "about 2 eV")], "numbers are needed, the column holds text in 1 rows"),
    ([(IDS[0], "2.1 eV")], "without a unit; leave"),
    ([(IDS[0], "45 %")], "write numbers alone"),
    ([(IDS[0], "−1.2")], "with a plain minus sign"),
    ([(f" {IDS[0]}", "1")], f"the test split '{IDS[0]}': write ids letter by letter"),
    ([(IDS[0].upper(), "1")], f"the test split '{IDS[0]}': write ids letter by letter"),
    ([(IDS[0], "inf")], "infinite"),
    ([(one, "") for one in IDS], "no row has an answer"),
    ([(one[3:], 1.0) for one in IDS], "None of its ids is; the split has ids like 'mp-"),
    ([], "no rows"),
]


@pytest.mark.parametrize(("rows", "said"), FILES)
def test_a_file_at_fault_is_refused(tmp_path: Path, rows: list[tuple[Any, ...]], said: str) -> None:
    path = write(tmp_path / "wrong.csv", rows)
    with pytest.raises(LLM4MatError, match=said) as refused:
        made(path, tmp_path / "results")
    assert "wrong.csv" in str(refused.value)
    assert not list((tmp_path).glob("results/**/result.json"))


def test_targets_in_the_file_are_compared_with_the_data(tmp_path: Path) -> None:
    rows = [(one, 1.0, value) for one, value in zip(IDS, GAPS, strict=True)]
    names = ("material_id", "prediction", "target")
    assert made(write(tmp_path / "true.csv", rows[:50], names), tmp_path / "results").n_absent == len(IDS) - 50
    rows[7] = (IDS[7], 1.0, GAPS[7] + 1)
    with pytest.raises(LLM4MatError, match="column 'target': 1 values differ from the data"):
        made(write(tmp_path / "false.csv", rows, names), tmp_path / "results")


@pytest.mark.parametrize(
    ("author", "said"),
    [
        (Author("m", "http://example.org"), "--model-url: an address that begins with https://"),
        (Author("m", "https://a b"), "--model-url"),
        (Author("m", "javascript:alert(1)"), "--model-url"),
        (Author("m", 'https://example.org/"onclick="x'), "--model-url"),
        (Author("", "https://example.org"), "--model-id"),
        (Author("m" * 201, "https://example.org"), "--model-id"),
        (Author("m", "https://example.org", limit=5), "--limit 5, but .* answers 105 rows"),
    ],
)
def test_what_no_record_may_hold_is_a_usage_error(gaps: Path, tmp_path: Path, author: Author, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        made(gaps, tmp_path / "results", author)


def test_copies_are_no_seeds(gaps: Path, tmp_path: Path) -> None:
    made(gaps, tmp_path / "results")
    second = Author(AUTHOR.model_id, AUTHOR.model_url, seed=1)
    with pytest.raises(UsageError, match="these are the very answers of seed 0"):
        made(gaps, tmp_path / "results", second)


def test_trials_and_controls_are_not_ranked(gaps: Path, tmp_path: Path) -> None:
    trial = Author(AUTHOR.model_id, AUTHOR.model_url, limit=105)
    control = Author(AUTHOR.model_id, AUTHOR.model_url, shuffled=True)
    assert not made(gaps, tmp_path / "results", trial).record.full
    assert not made(gaps, tmp_path / "results", control).record.full
    assert made(gaps, tmp_path / "results").record.full


def scores(tmp_path: Path, values: Iterable[object], name: str = "prediction") -> Path:
    return write(tmp_path / "scores.csv", zip(IDS_STABLE, values, strict=True), ("material_id", name))


IDS_STABLE = read_truth(STABLE).test_ids.to_pylist()
NOISE = np.random.default_rng(0).normal(size=len(LABELS))


def test_probabilities_logits_and_hard_labels(tmp_path: Path) -> None:
    def run(values: Iterable[object], name: str = "prediction", **more: Any) -> str:
        path = scores(tmp_path, values, name)
        metrics = submit(path, STABLE, "cif", AUTHOR, tmp_path / "results", **more).record.metrics
        assert metrics.kind == "classification"
        return metrics.score_kind

    probabilities = np.clip(0.4 + 0.2 * LABELS + 0.1 * NOISE, 0.01, 0.99)
    assert run(probabilities) == "probability"
    assert run(probabilities, "score") == "probability"
    assert run(NOISE + LABELS, score_kind="logit") == "logit"
    assert run(LABELS.astype(int)) == "hard_label"
    assert run(["True" if one else "False" for one in LABELS], score_kind="probability") == "hard_label"
    with pytest.raises(LLM4MatError, match="no probabilities; give --score-kind logit"):
        run(NOISE + LABELS)
    with pytest.raises(LLM4MatError, match="other than 0 and 1"):
        run(probabilities, score_kind="hard_label")
    with pytest.raises(LLM4MatError, match=r"only 0\.1 and 0\.9, which are hard labels"):
        run(0.1 + 0.8 * LABELS)
    assert all(not one.faults for one in verify_results(tmp_path / "results"))
    with pytest.raises(UsageError, match="is a regression"):
        made(scores(tmp_path, probabilities), tmp_path / "results", score_kind="logit")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    rows = [(one, value + 0.1) for one, value in zip(IDS, GAPS, strict=True)]
    return made(write(folder / "gaps.csv", rows), folder / "results").folder


def change_answers(folder: Path) -> None:
    path = folder / "predictions.parquet"
    table = pq.read_table(path)
    better = pa.array(table["target"].to_numpy())
    pq.write_table(table.set_column(table.column_names.index("prediction"), "prediction", better), path)


TAMPERED: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "address",
        lambda run: change_record(run, lambda r: r["protocol"].update(model_url="https://x.org")),
        "record_sha",
    ),
    ("script", lambda run: forge_record(run, lambda r: r["protocol"].update(model_url="javascript:x")), "model_url"),
    ("seed", lambda run: change_record(run, lambda r: r["protocol"].update(seed=1)), "config_sha256"),
    ("hash", lambda run: forge_record(run, lambda r: r["protocol"].update(answers_sha256="0" * 64)), "other answers"),
    ("answers", change_answers, "SHA-256 or size differs"),
    ("answers anew", lambda run: (change_answers(run), forge_scores(run)), "holds other answers"),
    ("limit", lambda run: forge_record(run, lambda r: r["protocol"].update(limit=5)), "115 rows are answered"),
    ("extra key", lambda run: change_record(run, lambda r: r["protocol"].update(shots=1)), "shots is not known here"),
]


@pytest.mark.parametrize(("change", "fault"), [one[1:] for one in TAMPERED], ids=[one[0] for one in TAMPERED])
def test_a_tampered_submission_is_caught(
    sound: Path, tmp_path: Path, change: Callable[[Path], object], fault: str
) -> None:
    run = Path(shutil.copytree(sound, tmp_path / sound.name))
    assert not verify_run(run).faults
    try:
        change(run)
    except ValueError:  # the form itself refuses it: write it as it is
        change_record(run, lambda record: record["protocol"].update(model_url="javascript:x"))
    faults = verify_run(run).faults
    assert any(fault in line for line in faults), faults
    assert all(str(run) in line for line in faults)


def test_hard_labels_in_disguise_are_refused_by_verify(tmp_path: Path) -> None:
    """0.1 and 0.9 in place of 0 and 1, with everything computed anew."""
    path = scores(tmp_path, np.clip(0.4 + 0.2 * LABELS + 0.1 * NOISE, 0.01, 0.99))
    run = submit(path, STABLE, "cif", AUTHOR, tmp_path / "results").folder
    file = run / "predictions.parquet"
    table = pq.read_table(file)
    two = np.where(table["score"].to_numpy() > 0.5, 0.9, 0.1)
    pq.write_table(table.set_column(table.column_names.index("score"), "score", pa.array(two)), file)
    forge_scores(run)
    assert any(
        "which are hard labels; the record presents them as probability" in one for one in verify_run(run).faults
    )


def test_tasks_of_one_submission_are_one_row(tmp_path: Path) -> None:
    for name in ("sample/band_gap", "sample/formation_energy_per_atom"):
        truth = read_truth(get_task(name))
        rows = zip(truth.test_ids.to_pylist(), truth.test_targets + 0.1, strict=True)
        submit(write(tmp_path / "one.csv", rows), get_task(name), "cif", AUTHOR, tmp_path / "results")
    source = GAP.source
    (entry,) = entries_of(source, sound_runs(verify_results(tmp_path / "results"), source))
    assert len(entry.cells) == 2


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("material_id,prediction\n" + text).encode()))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        made(path, tmp_path / "results")
    except LLM4MatError as error:
        assert "any.csv" in str(error)


def test_the_command(gaps: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    words = ["submit", gaps, "-t", "sample/band_gap", "-m", "composition", "--model-id", "their/model"]
    words += ["--model-url", "https://example.org/model", "--set", "epochs=3", "--out", tmp_path / "results"]
    called = call(*words)
    assert called.status == 0, called.err
    assert "105 of 115 test materials answered (10 not in the file" in called.out
    value = json.loads(call(*words, "--json").out)
    assert value["already_there"] and value["n_absent"] == 10
    assert value["protocol"]["settings"] == {"epochs": "3"}
    assert read_record(Path(value["folder"]) / "result.json").run_id == value["run_id"]
    assert call("verify", tmp_path / "results").status == 0


def test_the_command_says_what_is_missing(gaps: Path, call: Callable[..., Any]) -> None:
    words = ["submit", gaps, "-t", "mp/band_gap", "-m", "cif", "--model-id", "m", "--model-url", "https://example.org"]
    called = call(*words)
    assert called.status == 2
    assert "the data of mp/band_gap is not in the package" in called.err
    assert "Traceback" not in called.err


@pytest.mark.parametrize(
    ("text", "task", "said"),
    [
        (f"{IDS[0]},1.5\n{IDS[1]},2\n", GAP.name, "is the header missing"),
        (
            f"My predictions\nmaterial_id,prediction\n{IDS[0]},1\n",
            GAP.name,
            "must name the columns, not 'My predictions'",
        ),
        (
            f"material_id,prediction\n{STABLE_IDS[0]},yes\n{STABLE_IDS[1]},no\n",
            "sample/is_stable",
            "write classes as 1",
        ),
        (
            f"material_id,prediction\n{STABLE_IDS[0]},1\n{STABLE_IDS[1]},2\n",
            "sample/is_stable",
            "only 1 and 2: if they are lab",
        ),
        (
            f"material_id,prediction,score\n{STABLE_IDS[0]},1,0.2\n{STABLE_IDS[1]},0,0.8\n{STABLE_IDS[2]},0,0.1\n",
            "sample/is_stable",
            r"says 1 in row 1, whose score is 0\.2, and 0 in row 2, whose score is 0\.8",
        ),
    ],
)
def test_what_a_newcomer_gets_wrong_is_told(text: str, task: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(LLM4MatError, match=said):
        submit(path, get_task(task), "cif", AUTHOR, tmp_path / "results")


def test_numbers_that_no_float_is_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": IDS[:1], "prediction": [2**60 + 1]}), tmp_path / "large.parquet")
    with pytest.raises(LLM4MatError, match=r"column 'prediction': .*write it as float64"):
        submit(tmp_path / "large.parquet", GAP, "cif", AUTHOR, tmp_path / "results")
    pq.write_table(pa.table({"material_id": IDS[:1], "prediction": [True]}), tmp_path / "true.parquet")
    with pytest.raises(LLM4MatError, match="numbers are needed, the column holds bool"):
        submit(tmp_path / "true.parquet", GAP, "cif", AUTHOR, tmp_path / "results")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model-id", " "), "--model-id: must be a name that can be seen"),
        (("--model-url", "https://me:secret@example.org/x"), "--model-url: an address that begins with https://"),
        (("--model-id", ""), "--model-id: must not be empty"),
        (("--parameters", "9" * 20), "--parameters: must be less than 9,223"),
        (("--seed", "9" * 20), "--seed: must be less than 9,223"),
        (("--set", "=5"), "--set =5: write NAME=VALUE"),
        (("--set", "a=1", "--set", "a=2"), "--set a=2: a is 1 before; give it once"),
        (("--set", "a=\udcff"), "--set a=\\udcff: bytes that are no UTF-8 text"),
        (("--revision", "abc"), "--revision abc: only a dataset repo on the Hub has revisions"),
    ],
)
def test_options_at_fault_are_told_in_plain_words(
    options: tuple[str, ...], said: str, gaps: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    words = ["--task", GAP.name, "--modality", "cif", "--model-id", "m", "--model-url", "https://example.org"]
    called = call("submit", gaps, *words, *options, "--out", tmp_path / "results")
    assert called.status == 2
    assert said in " ".join(called.err.split()), called.err
    assert "secret" not in called.err
