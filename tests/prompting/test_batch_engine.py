"""Batch files: questions go out, answers come back, in two calls of the same command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm4mat_bench import get_task
from llm4mat_bench.errors import DataError, LLM4MatError, UsageError
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.prompting.engines import batch_files
from llm4mat_bench.prompting.engines.batch_files import BatchFiles
from llm4mat_bench.prompting.engines.interface import PostponedError
from llm4mat_bench.prompting.run import PromptRun, prompt_task
from llm4mat_bench.prompting.store import AnswerStore

Change = Callable[[int, dict[str, Any]], list[dict[str, Any]]]


def ask(folder: Path, *, again: bool = False, limit: int = 12, task: str = "sample/band_gap") -> tuple[PromptRun, str]:
    """One call of the command."""
    engine = BatchFiles("tiny", folder / "batch", again=again)
    try:
        with AnswerStore(folder / "answers.sqlite") as store:
            run = prompt_task(engine, get_task(task), "composition", folder, store, limit=limit)
    finally:
        said = engine.finish()
    return run, said or ""


def postponed(folder: Path, **options: Any) -> str:
    """A call that leaves questions in a file; what it says at its end."""
    engine = BatchFiles("tiny", folder / "batch", again=options.pop("again", False))
    with AnswerStore(folder / "answers.sqlite") as store, pytest.raises(PostponedError):
        prompt_task(
            engine, get_task(options.pop("task", "sample/band_gap")), "composition", folder, store, limit=12, **options
        )
    said = engine.finish()
    assert said is not None
    return said


def answer(requests: Path, change: Change = lambda _number, line: [line]) -> Path:
    """Answer a file as `vllm run-batch` does; NOT a model: each answer is its line's number."""
    answers = requests.with_name(requests.name.replace("requests", "answers"))
    with answers.open("w") as file:
        for number, text in enumerate(requests.read_text().splitlines()):
            line = json.loads(text)
            choice = {"message": {"content": json.dumps({"band_gap": number / 10})}, "finish_reason": "stop"}
            body = {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 4}, "model": "tiny"}
            response = {"status_code": 200, "request_id": "r", "body": body}
            for one in change(number, {"id": "i", "custom_id": line["custom_id"], "response": response, "error": None}):
                file.write(json.dumps(one) + "\n")
    return answers


def test_one_call_writes_the_questions_and_the_next_reads_the_answers(tmp_path: Path) -> None:
    said = postponed(tmp_path)
    requests = tmp_path / "batch" / "requests-0001.jsonl"
    assert f"vllm run-batch --model tiny -i {requests}" in said and "answers-0001.jsonl" in said
    lines = [json.loads(line) for line in requests.read_text().splitlines()]
    assert len(lines) == 12 and {line["url"] for line in lines} == {"/v1/chat/completions"}
    assert {line["method"] for line in lines} == {"POST"} and lines[0]["body"]["model"] == "tiny"
    assert lines[0]["body"]["messages"][-1]["role"] == "user" and lines[0]["body"]["max_tokens"] == 256
    answer(requests)
    run, said = ask(tmp_path)
    assert said == "" and run.record.fitted["parse_status"] == {"json": 12}
    assert run.summary["prompt_tokens_now"] == 108
    assert [one.faults for one in verify_results(tmp_path)] == [()]
    assert len(list((tmp_path / "batch").glob("requests-*"))) == 1


def test_what_waits_is_not_written_twice(tmp_path: Path) -> None:
    postponed(tmp_path)
    requests = tmp_path / "batch" / "requests-0001.jsonl"
    before = requests.read_bytes()
    said = postponed(tmp_path)
    assert "nothing new was written" in said and requests.read_bytes() == before
    assert [path.name for path in (tmp_path / "batch").glob("requests-*")] == ["requests-0001.jsonl"]


def test_failed_and_left_out_questions_are_told_and_asked_again_only_on_demand(tmp_path: Path) -> None:
    postponed(tmp_path)
    requests = tmp_path / "batch" / "requests-0001.jsonl"

    def change(number: int, line: dict[str, Any]) -> list[dict[str, Any]]:
        if number == 3:
            return []
        if number == 5:
            return [line | {"response": {"status_code": 500, "body": None}, "error": {"message": "too long"}}]
        if number == 7:
            line["response"]["body"]["choices"] = []
        return [line]

    answer(requests, change)
    with pytest.raises(LLM4MatError, match=r"3 of 12 questions got no answer .*--again") as caught:
        ask(tmp_path)
    assert not isinstance(caught.value, PostponedError)
    said = postponed(tmp_path, again=True)
    second = tmp_path / "batch" / "requests-0002.jsonl"
    assert len(second.read_text().splitlines()) == 3 and "3 questions wait" in said
    answer(second)
    run, _ = ask(tmp_path)
    assert run.record.fitted["parse_status"] == {"json": 12}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _number, line: [line | {"custom_id": "ab" * 32}], r"line 1: custom_id 'abab.*another batch's answers"),
        (lambda _number, line: [line, line], r"line 2: custom_id .* is answered a second time .*line 1 was the first"),
        (lambda _number, _line: [{"id": "i"}], r"line 1: no custom_id"),
    ],
)
def test_answers_of_another_batch_or_doubled_are_refused(tmp_path: Path, change: Change, message: str) -> None:
    postponed(tmp_path)
    answer(tmp_path / "batch" / "requests-0001.jsonl", change)
    with pytest.raises(DataError, match=message):
        BatchFiles("tiny", tmp_path / "batch")


def test_a_file_that_breaks_off_is_told(tmp_path: Path) -> None:
    postponed(tmp_path)
    answers = answer(tmp_path / "batch" / "requests-0001.jsonl")
    answers.write_bytes(answers.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"answers-0001.jsonl, line 12: no JSON .* whole"):
        BatchFiles("tiny", tmp_path / "batch")
    answers.write_bytes(b"[1]\n")
    with pytest.raises(DataError, match="line 1: no JSON object"):
        BatchFiles("tiny", tmp_path / "batch")


def test_large_batches_go_into_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_files, "LINES_OF_A_FILE", 5)
    said = postponed(tmp_path)
    names = sorted(path.name for path in (tmp_path / "batch").glob("requests-*"))
    assert names == ["requests-0001.jsonl", "requests-0002.jsonl", "requests-0003.jsonl"]
    assert all(name in said for name in names)
    for name in names[:2]:
        answer(tmp_path / "batch" / name)
    assert "2 questions wait" in postponed(tmp_path)
    answer(tmp_path / "batch" / names[2])
    run, _ = ask(tmp_path)
    assert run.record.fitted["parse_status"] == {"json": 12}


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first = BatchFiles("tiny", tmp_path)
    with pytest.raises(UsageError, match="another process works on these batch files"):
        BatchFiles("tiny", tmp_path)
    first.finish()
    assert BatchFiles("tiny", tmp_path).finish() is None


def test_the_command_stops_without_an_error_and_goes_on(call: Callable[..., Any], tmp_path: Path) -> None:
    command = ("prompt", "tiny", "sample/band_gap", "--engine", "batch", "--limit", "11", "--out", tmp_path)
    first = call(*command)
    assert first.status == 0 and "11 questions wait for their answers" in first.err
    answer(tmp_path / "batch" / "requests-0001.jsonl")
    second = call(*command, "--json")
    assert second.status == 0 and json.loads(second.out)["call"]["answers"] == 11
    refused = call(*command, "--engine-option", "dtype=1")
    assert refused.status != 0 and "--engine-option" in refused.err
