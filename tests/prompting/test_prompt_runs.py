"""Runs that ask a model: kept, resumed, stopped early, recorded and verified."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from forgery import forge_record
from openai_double import Fault, OpenAIDouble, question_of

from llm4mat_bench import get_task
from llm4mat_bench.dataset_builder.dataset_folder import load_task
from llm4mat_bench.errors import DataError, LLM4MatError, UsageError
from llm4mat_bench.metrics.results.record import shortfalls
from llm4mat_bench.metrics.results.verify import verify_results, verify_run
from llm4mat_bench.prompting.engines.interface import EngineError, ServerGoneError
from llm4mat_bench.prompting.questions import Questions
from llm4mat_bench.prompting.store import AnswerStore
from llm4mat_bench.prompting.tokens import WordCounter
from llm4mat_bench.prompting.watch import Prices, StoppedError

TEST_ROWS = 115


def table(folder: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = pq.read_table(folder / "predictions.parquet").to_pydict()
    return found


def test_a_run_is_recorded_and_sound(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    run = ask(shots=3)
    assert [one.faults for one in verify_results(tmp_path / "here")] == [()]
    columns = table(run.folder)
    values = [json.loads(text)["band_gap"] for text in columns["raw_output"]]
    assert columns["prediction"] == values
    assert set(columns["parse_status"]) == {"json"}
    assert all(len(one) == 64 for one in columns["prompt_sha256"])
    assert columns["material_id"] == load_task("sample/band_gap", "composition")["test"]["material_id"]
    assert sum(columns["completion_tokens"]) == 5 * TEST_ROWS
    record = run.record
    assert record.protocol.kind == "prompt"
    assert (record.protocol.shots, record.protocol.template_id, record.model.kind) == (3, "json", "prompted")
    assert len(record.fitted["shots"]["material_ids"]) == 3  # type: ignore[index,call-overload,arg-type]
    assert max(server.asked.values()) == 1


def test_the_same_call_finds_the_run_and_another_one_the_answers(ask: Any, server: OpenAIDouble) -> None:
    first = ask()
    assert ask().already_there
    asked = len(server.bodies)
    again = ask(overwrite=True)
    assert not again.already_there and again.summary["asked_now"] == 0
    limited = ask(limit=20)
    assert limited.summary["asked_now"] == 0
    assert len(server.bodies) == asked
    assert table(again.folder) == table(first.folder)
    assert table(limited.folder)["parse_status"][20:] == ["missing"] * (TEST_ROWS - 20)
    assert limited.record.counts.n_invalid == 0


def test_a_limit_that_was_struck_out_is_seen(ask: Any) -> None:
    """The statuses count the questions that were asked."""
    folder = ask(limit=20).folder
    forge_record(folder, lambda record: record["protocol"].pop("limit"))
    faults = verify_run(folder).faults
    assert any("protocol.limit is not set, but fitted.parse_status counts 20 questions" in fault for fault in faults)
    forge_record(folder, lambda record: record["fitted"].pop("parse_status"))
    found = verify_run(folder)
    assert not found.faults and found.record is not None
    assert shortfalls(found.record) == (f"no answer for {TEST_ROWS - 20} of {TEST_ROWS} test rows",)


@pytest.mark.parametrize(
    ("part", "name", "value", "said"),
    [
        ("fitted", "unanswered", 10**6, "fitted.unanswered 1000000: no number of questions to"),
        ("fitted", "rows_without_text", -1, "fitted.rows_without_text -1: no number"),
        ("fitted", "parse_status", {"ok": True}, "fitted.parse_status.ok True: no number"),
        ("settings", "samples", -1, "protocol.settings.samples -1: no number of answers"),
        ("settings", "samples", "1", "protocol.settings.samples '1': no number of answers"),
    ],
)
def test_counts_of_questions_that_cannot_be_are_seen(ask: Any, part: str, name: str, value: object, said: str) -> None:
    folder = ask(limit=20).folder

    def change(record: dict[str, Any]) -> None:
        record["protocol"].pop("limit")
        (record["fitted"] if part == "fitted" else record["protocol"]["settings"])[name] = value

    forge_record(folder, change)
    faults = verify_run(folder).faults
    assert any(said in fault for fault in faults), faults


def test_crystals_without_a_text_make_no_limited_run(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Questions.__iter__
    monkeypatch.setattr(Questions, "__iter__", lambda own: (pair for pair in whole(own) if pair[0] % 2))
    run = ask()
    assert run.record.fitted["rows_without_text"] == TEST_ROWS - TEST_ROWS // 2
    assert not verify_run(run.folder).faults
    forge_record(run.folder, lambda record: record["fitted"].update(rows_without_text=3))
    assert any("it is a limited run" in fault for fault in verify_run(run.folder).faults)


def test_stored_answers_are_read_again_without_a_server(ask: Any, server: OpenAIDouble) -> None:
    ask()
    server.stop()
    assert ask(overwrite=True).record.counts.coverage == 1
    server.revive()


def test_two_runs_with_one_seed_are_equal(ask: Any, server: OpenAIDouble) -> None:
    settings = {"shots": 2, "shot_rule": "random", "samples": 3, "temperature": 0.7, "seed": 4}
    first, second = ask(where="one", **settings), ask(where="two", concurrency=3, **settings)
    assert (first.folder / "predictions.parquet").read_bytes() == (second.folder / "predictions.parquet").read_bytes()
    assert first.record.config_sha256 == second.record.config_sha256
    other = ask(where="two", **settings | {"seed": 5})
    assert table(other.folder)["prediction"] != table(first.folder)["prediction"]


def test_samples_the_median_answers_and_the_spread_is_kept(ask: Any, server: OpenAIDouble) -> None:
    run = ask(samples=3, temperature=1.0, limit=10)
    columns = table(run.folder)
    for row in range(10):
        values = [json.loads(text)["band_gap"] for text in columns["raw_output"][row]]
        assert len(set(values)) == 3
        assert columns["prediction"][row] == sorted(values)[1]
        assert columns["spread"][row] == pytest.approx(np.std(values, ddof=1))
    pairs = zip(columns["prediction"][:10], columns["target"][:10], columns["spread"][:10], strict=True)
    near = sum(abs(answer - target) <= 2 * spread for answer, target, spread in pairs)
    said = run.record.fitted["spread"]
    assert isinstance(said, dict) and (said["rows"], said["within_two"]) == (10, near / 10)
    with pytest.raises(UsageError, match="--temperature"):
        ask(samples=3)


def test_the_shuffled_control_shows_each_question_another_text(ask: Any, server: OpenAIDouble) -> None:
    own = table(ask().folder)
    shuffled = ask(control="shuffled")
    columns = table(shuffled.folder)
    assert columns["material_id"] == own["material_id"]
    assert sorted(columns["prompt_sha256"]) == sorted(own["prompt_sha256"])
    texts = load_task("sample/band_gap", "composition")["test"]["text"]
    for a, b, text in zip(columns["prompt_sha256"], own["prompt_sha256"], texts, strict=True):
        assert a != b or texts.count(text) > 1
    assert shuffled.summary["asked_now"] == 0  # the same questions, of other rows
    assert not shuffled.record.full


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("half"), Fault("garbage"), Fault("empty")], ids=str)
def test_faults_on_the_way_change_no_answer(ask: Any, server: OpenAIDouble, fault: Fault) -> None:
    sound = ask(where="sound")
    server.behave = lambda number, _body: fault if number % 7 == 0 else None
    assert table(ask(where="faulty", tries=8).folder) == table(sound.folder)


def test_a_question_that_gets_no_answer_is_told_and_asked_again(ask: Any, server: OpenAIDouble) -> None:
    poisoned: list[str] = []

    def behave(number: int, body: dict[str, Any]) -> Fault | None:
        if number == 30:
            poisoned.append(question_of(body))
        return Fault("status", 500) if question_of(body) in poisoned else None

    server.behave = behave
    # one question, which two of the 115 rows ask where they have the same formula
    with pytest.raises(LLM4MatError, match=r"[12] of 115 questions got no answer.*HTTP 500.*the same command asks"):
        ask()
    server.behave = lambda _number, _body: None
    before = len(server.bodies)
    assert ask().record.counts.coverage == 1
    assert len(server.bodies) == before + 1


def test_a_server_that_dies_loses_nothing(ask: Any, server: OpenAIDouble) -> None:
    sound = ask(where="sound")
    server.asked.clear()
    server.bodies.clear()
    server.behave = lambda number, _body: Fault("die") if number == 40 else None
    with pytest.raises(ServerGoneError, match="the server"):
        ask(concurrency=4)
    server.behave = lambda _number, _body: None
    server.revive()
    run = ask(concurrency=4)
    assert run.record.provenance.resumed
    again = [count for count in server.asked.values() if count > 1]
    assert len(again) <= 8  # those in flight as it died
    assert run.summary["asked_now"] < TEST_ROWS
    assert table(run.folder) == table(sound.folder)
    assert run.record.metrics == sound.record.metrics


def test_a_server_that_only_fails_stops_the_run(ask: Any, server: OpenAIDouble) -> None:
    server.behave = lambda _number, _body: Fault("status", 502)
    with pytest.raises(ServerGoneError, match="5 questions one after the other"):
        ask(concurrency=2)
    assert len(server.bodies) <= 3 * 7


def test_the_first_answers_all_invalid_stop_the_run(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: "I am only a poem."
    with pytest.raises(StoppedError, match=r"first 50 answers are all invalid \(50 no_number; .*only a poem"):
        ask(concurrency=4)
    asked = len(server.bodies)
    assert 50 <= asked <= 54
    with pytest.raises(StoppedError):
        ask(concurrency=4)
    assert len(server.bodies) == asked  # what is known is not paid again
    from llm4mat_bench.prompting.run import Spending

    run = ask(spending=Spending(keep_going=True))
    assert run.record.counts.n_invalid == TEST_ROWS
    assert run.record.metrics.published.kind == "refused"  # "Inval." in the published tables


def test_a_server_that_ignores_the_schema_stops_the_run(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: "The band gap is 1.5 eV."
    with pytest.raises(StoppedError, match="do not obey the JSON schema"):
        ask(structured=True, concurrency=2)
    assert len(server.bodies) <= 12
    schema = server.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["band_gap"]


def test_structured_answers_that_obey(ask: Any, server: OpenAIDouble) -> None:
    run = ask(structured=True)
    assert run.record.fitted["obey_schema"] == TEST_ROWS


def test_no_more_is_spent_than_allowed(ask: Any, server: OpenAIDouble) -> None:
    from llm4mat_bench.prompting.run import Spending

    prices = Prices(prompt=1.0, completion=1e6 / 5)  # an answer costs one and a little
    with pytest.raises(StoppedError, match="--max-cost 10"):
        ask(concurrency=4, max_tokens=5, spending=Spending(prices=prices, max_cost=10.0))
    assert 6 <= len(server.bodies) <= 9
    with pytest.raises(UsageError, match="--price-in"):
        ask(spending=Spending(max_cost=1.0))


def test_class_probabilities_make_the_score(ask: Any, server: OpenAIDouble) -> None:
    def certain(body: dict[str, Any]) -> dict[str, Any]:
        share = 0.05 + 0.9 * (hash_of(body) % 1000) / 1000
        word = "True" if share > 0.5 else "False"
        top = {"True": np.log(0.8 * share), "False": np.log(0.8 * (1 - share)), "Fal": np.log(0.1), "?": np.log(0.1)}
        tokens = ['{"', "is_stable", '":', ' "', word, '"}']
        shown = [
            {
                "token": one,
                "logprob": float(top[word]) if one == word else -0.1,
                "top_logprobs": [{"token": name, "logprob": float(value)} for name, value in top.items()],
            }
            for one in tokens
        ]
        text = "".join(tokens)
        return {"message": {"content": text}, "logprobs": {"content": shown}}

    server.say = certain
    run = ask("sample/is_stable")
    columns = table(run.folder)
    assert run.record.metrics.kind == "classification"
    assert run.record.metrics.score_kind == "probability"
    assert len(set(columns["score"])) > 50
    for text, score in zip(columns["raw_output"], columns["score"], strict=True):
        # "Fal" can only become False
        assert (json.loads(text)["is_stable"] == "True") == (score > 0.5) or 0.44 < score <= 0.5
    assert server.bodies[0]["logprobs"] is True
    assert run.record.fitted["class_logprobs"] == "as served"

    def mostly_certain(body: dict[str, Any]) -> dict[str, Any] | str:
        return '{"is_stable": "True"}' if hash_of(body) % 20 == 0 else certain(body)

    server.say = mostly_certain
    mostly = ask("sample/is_stable", where="mostly").record
    assert mostly.metrics.kind == "classification" and mostly.metrics.score_kind == "probability"
    assert 0 < mostly.fitted["class_labels"] < 0.1 * 388  # type: ignore[operator]
    server.say = certain

    plain = ask("sample/is_stable", logprobs=False, where="plain")
    assert "logprobs" not in server.bodies[-1]
    assert plain.record.metrics.kind == "classification"


def test_labels_without_probabilities(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda body: json.dumps({"is_stable": "True" if hash_of(body) % 2 else "False"})
    run = ask("sample/is_stable")
    assert run.record.metrics.score_kind == "hard_label"
    assert set(table(run.folder)["score"]) == {0.0, 1.0}


def hash_of(body: dict[str, Any]) -> int:
    import zlib

    return zlib.crc32(question_of(body).encode())


def test_thinking_is_counted_and_not_parsed(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: {"message": {"content": "1.25", "reasoning": "3.5 or so?"}}
    run = ask(limit=10)
    assert set(table(run.folder)["prediction"][:10]) == {1.25}
    assert run.record.fitted["answers_with_thinking"] == 10
    assert run.record.fitted["reasoning_tokens"] is None, "the server does not count it, and nothing here could"
    counted = ask(limit=10, where="counted", counter=WordCounter())
    assert counted.record.fitted["reasoning_tokens"] == 30


def test_thinking_within_the_text_is_counted_and_kept_where_it_came(ask: Any, server: OpenAIDouble) -> None:
    server.say = lambda _body: "<think>3.5 or so it seems</think>1.25"
    run = ask(limit=10, counter=WordCounter())
    columns = table(run.folder)
    assert set(columns["prediction"][:10]) == {1.25}
    assert set(columns["raw_output"][:10]) == {"<think>3.5 or so it seems</think>1.25"}
    assert run.record.fitted["reasoning_tokens"] == 50 and run.record.fitted["answers_with_thinking"] == 10


def test_the_other_name_of_the_longest_answer_among_many(ask: Any, server: OpenAIDouble) -> None:
    refused = {"error": {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}}
    server.behave = lambda _number, body: Fault("body", (400, refused)) if "max_tokens" in body else None
    assert ask(concurrency=8, limit=40).record.counts.n_scored == 40


def test_a_full_disk_is_told_and_nothing_is_doubled(ask: Any, server: OpenAIDouble, monkeypatch: Any) -> None:
    put = AnswerStore.put
    kept: list[str] = []

    def full(self: AnswerStore, key: str, answer: Any) -> None:
        if len(kept) == 20:
            raise DataError("answers.sqlite: No space left on device")
        put(self, key, answer)
        kept.append(key)

    monkeypatch.setattr(AnswerStore, "put", full)
    with pytest.raises(DataError, match="No space left"):
        ask(concurrency=4)
    monkeypatch.undo()
    assert ask(concurrency=4).summary["asked_now"] == len({*server.asked}) - 20
    assert sum(count > 1 for count in server.asked.values()) <= 4


def test_a_model_that_is_not_there(ask: Any, server: OpenAIDouble) -> None:
    server.models = [{"id": "other"}]
    with pytest.raises(EngineError, match="unknown model 'tiny'"):
        ask()


@pytest.mark.parametrize("rule", ["fixed", "random", "nearest", "stratified", "fixed_published"])
def test_every_rule_of_shots(ask: Any, server: OpenAIDouble, rule: str) -> None:
    ask(shots=4, shot_rule=rule, limit=12)
    assert all(len(body["messages"]) == 10 for body in server.bodies)
    prefixes = {json.dumps(body["messages"][:-1]) for body in server.bodies}
    assert (len(prefixes) == 1) == (rule not in ("random", "nearest"))


def published(folder: Path, targets: list[float]) -> Path:
    """A prompts file as the published ones are."""
    path = folder / "mp_inference_prompts_data.csv"
    texts = load_task("sample/band_gap", "composition")["test"]["text"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["band_gap_formula_zero_shot", "band_gap_formula_few_shot", "band_gap"])
        for text, target in zip(texts, targets, strict=True):
            said = f'<s>[INST] <<SYS>>\nAnswer {{"band_gap": value}}.\n<</SYS>>\n\nformula: {text} [/INST]'
            writer.writerow([said, said.replace("formula:", "few:"), repr(target)])
    return path


def test_published_prompts_are_asked_as_they_are(ask: Any, server: OpenAIDouble, tmp_path: Path, call: Any) -> None:
    targets = load_task("sample/band_gap", "composition")["test"]["target"]
    path = published(tmp_path, targets)
    shown = json.loads(call("prompt", "tiny", "sample/band_gap", "--prompts", path, "--dry-run", "--json").out)
    assert shown["runs"][0]["questions"] == TEST_ROWS and shown["messages"][-1]["role"] == "user"
    run = ask(prompts=path)
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": 'Answer {"band_gap": value}.'}
    assert {body["messages"][1]["content"].split(":")[0] for body in server.bodies} == {"formula"}
    assert run.record.counts.coverage == 1
    assert run.record.protocol.kind == "prompt" and run.record.protocol.template_id == "published_file"
    assert [one.faults for one in verify_results(tmp_path / "here")] == [()]
    assert ask(prompts=path, limit=5).summary["asked_now"] == 0
    few = ask(prompts=path, shots=5, limit=5)
    assert server.bodies[-1]["messages"][1]["content"].startswith("few:")
    assert few.record.config_sha256 != run.record.config_sha256
    for wrong in ({"shots": 3}, {"control": "shuffled"}, {"template": "words"}):
        with pytest.raises(UsageError, match="--prompts"):
            ask(prompts=path, **wrong)


@pytest.mark.parametrize("change", ["another order", "a row missing"])
def test_prompts_of_another_split_are_refused_before_anything_is_asked(
    ask: Any, server: OpenAIDouble, tmp_path: Path, change: str
) -> None:
    targets = load_task("sample/band_gap", "composition")["test"]["target"]
    path = published(tmp_path, targets[::-1] if change == "another order" else targets)
    if change == "a row missing":
        path.write_text("\n".join(path.read_text().rstrip().split("\n")[:-4]) + "\n")
    with pytest.raises(DataError, match=str(path)):
        ask(prompts=path)
    assert not server.bodies


COMMAND = [sys.executable, "-m", "llm4mat_bench.cli", "prompt", "tiny", "sample/band_gap", "--json"]


def start(server: OpenAIDouble, results: Path, *more: str) -> "subprocess.Popen[str]":
    call = [*COMMAND, "--base-url", server.url, "--out", str(results), "--concurrency", "4", *more]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


def stored(path: Path) -> set[str]:
    with AnswerStore(path) as store:
        return {key for key, _ in store.answers()}


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost_or_asked_twice(
    server: OpenAIDouble, ask: Any, tmp_path: Path
) -> None:
    sound = ask(where="sound")
    server.asked.clear()
    server.bodies.clear()
    server.delay = 0.02
    results = tmp_path / "killed"
    moments = random.Random(7)
    kept: set[str] = set()
    kills = 0
    for _ in range(3):
        goal = len(server.bodies) + moments.randrange(1, 35)
        process = start(server, results)
        while len(server.bodies) < goal and process.poll() is None:
            time.sleep(0.002)
        time.sleep(moments.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if (results / "answers.sqlite").exists():
            now = stored(results / "answers.sqlite")
            assert kept <= now
            kept = now
    assert kills == 3 and len(kept) > 3
    process = start(server, results)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    said = json.loads(out)
    assert said["provenance"]["resumed"]
    assert table(Path(said["folder"])) == table(sound.folder)
    assert sum(count - 1 for count in server.asked.values()) <= 4 * kills
    assert [one.faults for one in verify_results(results)] == [()]


@pytest.mark.slow
def test_two_processes_on_one_store_pay_no_question_twice(server: OpenAIDouble, tmp_path: Path) -> None:
    server.delay = 0.03
    store = str(tmp_path / "answers.sqlite")
    both = [start(server, tmp_path / name, "--store", store) for name in ("one", "two")]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert max(server.asked.values()) == 1
    one, two = (next((tmp_path / name).rglob("predictions.parquet")) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_command_says_faults_in_one_line(call: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    there = ["--base-url", server.url, "--out", tmp_path]
    refused = {
        "unknown task": ["tiny", "sample/band_gapp", *there],
        "unknown model": ["tinny", "sample/band_gap", *there],
        "unknown template": ["tiny", "sample/band_gap", "--template", "nope", *there],
        "shot-rule": ["tiny", "sample/band_gap", "--shot-rule", "best", *there],
        "--base-url": ["tiny", "sample/band_gap", "--out", tmp_path],
        "--engine": ["tiny", "sample/band_gap", "--engine", "vllm", *there],
        "--control": ["tiny", "sample/band_gap", "--control", "half", *there],
        "--body": ["tiny", "sample/band_gap", "--body", "top_k=[", *there],
        "--tokenizer": ["tiny", "sample/band_gap", "--context", "100", *there],
        "config.json": [tmp_path, "sample/band_gap", "--engine", "hf", "--out", tmp_path],
    }
    for said, arguments in refused.items():
        found = call("prompt", *arguments)
        assert found.status in (1, 2), said
        assert said in found.err and len(found.err.strip().splitlines()) == 1, found.err
    assert not server.bodies


def test_a_store_that_is_none(call: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear all")
    found = call("prompt", "tiny", "sample/band_gap", "--base-url", server.url, "--store", other, "--out", tmp_path)
    assert found.status == 1 and str(other) in found.err and "--store" in found.err
    assert other.read_text() == "Dear all"


def test_a_dry_run_asks_nothing(call: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    arguments = ["--shots", "2", "--dry-run", "--price-out", "10", "--base-url", server.url, "--out", tmp_path]
    found = call("prompt", "tiny", "sample/band_gap", *arguments)
    assert found.status == 0
    assert "--- assistant" in found.out and "115 questions" in found.out
    assert not server.bodies and not list(tmp_path.iterdir())
    shown = json.loads(call("prompt", "tiny", "sample/band_gap", *arguments, "--json").out)
    assert shown["runs"][0]["cost"] == pytest.approx(115 * 256 * 10 / 1e6)
    assert len(shown["messages"]) == 6
    cheap = call("prompt", "tiny", "sample/band_gap", *arguments, "--price-out", "0.001", "--limit", "2").out
    assert "at most 5.1e-07 to pay" in " ".join(cheap.split())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--samples", "5"], "--samples: at temperature 0"),
        (["--structured", "--engine", "hf"], "--structured: the engine hf"),
        (["--max-cost", "5"], "--price-in"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(wrong: list[str], says: str, call: Any, tmp_path: Path) -> None:
    found = call("prompt", "tiny", "sample/band_gap", "--dry-run", "--out", tmp_path, *wrong)
    assert found.status == 2 and says in found.err


def test_many_runs_go_on_past_a_failure(call: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    server.say = lambda body: "no idea" if "stable" in body["messages"][0]["content"] else "1.5"
    found = call(
        "prompt", "tiny", "sample/is_stable", "sample/band_gap", "--base-url", server.url, "--out", tmp_path, "--json"
    )
    assert found.status == 1
    said = json.loads(found.out)
    assert [one["task"] for one in said["runs"]] == ["sample/band_gap"]
    assert [one["task"] for one in said["failed"]] == ["sample/is_stable"]
    assert call("verify", tmp_path).status == 0


def test_claims_end_with_their_process(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    key = "ab" * 32
    code = (
        "import sys; from pathlib import Path; from llm4mat_bench.prompting.store import AnswerStore\n"
        f"s = AnswerStore(Path({str(path)!r})); print(s.claim({key!r}), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    with AnswerStore(path) as store:
        assert not store.claim(key)
        assert store.claim("cd" * 32)
        process.kill()
        process.wait()
        assert store.claim(key)


def test_equal_questions_of_many_rows_are_asked_once(ask: Any, server: OpenAIDouble) -> None:
    server.delay = 0.01
    run = ask(concurrency=32)
    prompts = Counter(table(run.folder)["prompt_sha256"])
    assert len(server.bodies) == len(prompts)
    assert threading.active_count() < 60


def test_the_sample_has_the_rows_that_these_tests_count() -> None:
    assert len(load_task(get_task("sample/band_gap"), "composition")["test"]) == TEST_ROWS


def test_tokens_and_money_are_told_while_it_runs(ask: Any) -> None:
    from llm4mat_bench.prompting.run import Spending

    told: dict[str, list[tuple[int, int]]] = {}
    spending = Spending(Prices(prompt=1000.0, completion=0.0))
    run = ask(
        limit=12,
        concurrency=1,
        spending=spending,
        progress=lambda step, done, total: told.setdefault(step, []).append((done, total)),
    )
    tokens, cost = told["tokens"], told["cost, in thousandths"]
    used = run.summary["prompt_tokens_now"] + run.summary["completion_tokens_now"]
    assert [done for done, _ in tokens] == sorted(done for done, _ in tokens) and tokens[-1][0] == used
    assert all(done < total for done, total in tokens[:-1]), "a bar that is full goes away"
    assert 0.5 * used < tokens[0][1] < 2 * used
    assert cost[-1][0] == round(run.summary["cost_now"] * 1000) and len(cost) == len(tokens)
