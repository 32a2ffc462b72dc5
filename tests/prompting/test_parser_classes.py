"""Classes in free text: every word of a class, said and denied in many ways."""

from itertools import product

import pytest

from llm4mat_bench.prompting.parser import parse_answer

SAID = [
    "{}",
    "{}.",
    "The answer is {}.",
    "Answer: {}",
    "It is {}.",
    "The material is {}.",
    "I predict that this compound is {}, given its composition.",
    "Fe2O3 should be {} under these conditions.",
    "**{}**",
    "Based on the 5 atoms in the cell (P6_3/mmc), it is most likely {}.",
    "It appears to be {}",
    "It is expected to be thermodynamically or otherwise {}.",
]
DENIED = [
    "not {}",
    "It is not {}.",
    "It isn't {}.",
    "It is unlikely to be {}.",
    "It is not likely to be {}.",
    "It is probably not {}",
    "I don't think that it is {}.",
    "It cannot be {}.",
    "It is far from {}.",
    "The material is, in my opinion, not {}.",
    "It is hardly {}",
    "It can't be called {}.",
    "This is certainly not a {} one.",
]
TWICE = ["It is not unlikely to be {}.", "It isn't not {}."]
WORDS = {
    "mp/is_stable": {"stable": True, "unstable": False, "metastable": False},
    "mp/is_gap_direct": {"direct": True, "indirect": False},
    "snumat/Direct_or_indirect": {"direct": True, "indirect": False, "Direct": True, "Indirect": False},
}
CASES = [(task, word, value) for task, words in WORDS.items() for word, value in words.items()]


@pytest.mark.parametrize(("task", "word", "value"), CASES)
def test_what_is_said(task: str, word: str, value: bool) -> None:
    for form in SAID + TWICE:
        assert parse_answer(form.format(word), task).value is value, form


@pytest.mark.parametrize(("task", "word", "value"), CASES)
def test_what_is_denied(task: str, word: str, value: bool) -> None:
    for form in DENIED:
        assert parse_answer(form.format(word), task).value is not value, form
        assert parse_answer(form.format(word), task).value is not None, form


@pytest.mark.parametrize("task", [*WORDS, "snumat/SOC", "sample/is_stable"])
def test_booleans(task: str) -> None:
    name = task.partition("/")[2]
    forms = ["{}", "{}.", "{}!", "Answer: {}", "**{}**", "{{{}}}", f"{name}: {{}}", f"{name} = {{}}", f'"{name}": {{}}']
    forms += [f"{{{{{name}: {{}}}}}}", f'{{{{"{name}": "{{}}"}}}}', f"The value of {name} is {{}}."]
    for form, (word, value) in product(forms, [("True", True), ("yes", True), ("FALSE", False), ("No", False)]):
        assert parse_answer(form.format(word), task).value is value, form.format(word)


@pytest.mark.parametrize(
    "text",
    [
        "stable or unstable",
        "It may be direct or indirect.",
        "Whether it is stable is a good question.",
        "Is it stable?",
        "true or false?",
        "no idea",
        "There is no information.",
        "There is direct evidence for neither.",
    ],
)
@pytest.mark.parametrize("task", ["mp/is_stable", "mp/is_gap_direct"])
def test_what_says_neither(text: str, task: str) -> None:
    assert parse_answer(text, task).value is None
