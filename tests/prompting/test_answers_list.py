"""The list of answers with known values, written by hand."""

from pathlib import Path

import pytest
import yaml

from llm4mat_bench.prompting.parser import parse_answer

LIST = Path(__file__).resolve().parents[1] / "data" / "answers.yaml"
CASES = [
    (group["task"], *row) for group in yaml.safe_load(LIST.read_text(encoding="utf-8")) for row in group["answers"]
]


def test_the_list_is_long_and_of_many_properties() -> None:
    assert len(CASES) > 400
    assert len({task for task, *_ in CASES}) > 25


@pytest.mark.parametrize(("task", "value", "status", "text"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_answer_is_read_as_a_person_reads_it(task: str, value: float | bool | None, status: str, text: str) -> None:
    found = parse_answer(text, task)
    assert (found.status, type(found.value)) == (status, type(value)), found
    if isinstance(value, float):
        assert found.value == pytest.approx(value, rel=1e-6, abs=1e-12)
    else:
        assert found.value == value
