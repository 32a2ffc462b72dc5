"""Probabilities of classes from the alternatives of tokens."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4mat_bench import get_task
from llm4mat_bench.prompting.class_scores import positive_probability
from llm4mat_bench.prompting.engines.interface import TokenChoice
from llm4mat_bench.prompting.parser import parse_answer


def probability(tokens: list[str], at: int, others: dict[str, float], task: str = "sample/is_stable") -> float | None:
    """Probability where the token ``at`` has these alternatives (as probabilities)."""
    choices = [
        TokenChoice(
            token=token,
            logprob=math.log(others.get(token, 0.9)),
            others={name: math.log(share) for name, share in others.items()} if place == at else {},
        )
        for place, token in enumerate(tokens)
    ]
    text = "".join(tokens)
    parsed = parse_answer(text, task)
    assert parsed.value is not None
    return positive_probability(
        choices, text.strip(), parse_answer(text.strip(), task).span, bool(parsed.value), get_task(task)
    )


@pytest.mark.parametrize(
    ("tokens", "at", "others", "expected"),
    [
        (['{"is_stable": "', "True", '"}'], 1, {"True": 0.6, "False": 0.2, "I": 0.2}, 0.75),
        (['{"is_stable":', ' "True', '"}'], 1, {' "True': 0.6, ' "False': 0.2}, 0.75),
        (['{"is_stable": "', "Fal", "se", '"}'], 1, {"Fal": 0.5, "F": 0.1, "True": 0.2, "true": 0.2}, 0.4),
        (['{"is_stable": ', "false", "}"], 1, {"false": 0.9, "true": 0.1}, 0.1),
        (["Yes", "."], 0, {"Yes": 0.7, " yes": 0.1, "No": 0.2}, 0.8),
        ([" Yes"], 0, {" Yes": 0.75, " No": 0.25}, 0.75),
        (["Yes"], 0, {"Yes": 0.98, "Well": 0.02}, 0.98),  # "no" is at most as likely as the least of those listed
        (["The answer is ", "True"], 0, {"The answer is ": 0.9}, None),  # no alternatives at that token
        (["It is ", "stable", "."], 1, {"stable": 0.6, "un": 0.2, "metastable": 0.1, "a": 0.1}, 2 / 3),
        (['{"is_stable": ', "0", "}"], 1, {"0": 0.75, "1": 0.25}, 0.25),
        (["un", "stable"], 0, {"un": 0.6, "stable": 0.2, "I": 0.2}, 0.25),
        (["It is not ", "stable", "."], 1, {"stable": 0.9, "metastable": 0.1}, None),  # the fork was at "not"
    ],
)
def test_the_share_of_the_positive_class(
    tokens: list[str], at: int, others: dict[str, float], expected: float | None
) -> None:
    found = probability(tokens, at, others)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_the_classes_own_words() -> None:
    others = {"Ind": 0.6, "Direct": 0.2, "D": 0.2}
    tokens = ['{"Direct_or_indirect": "', "Ind", "irect", '"}']
    assert probability(tokens, 1, others, "snumat/Direct_or_indirect") == pytest.approx(0.4)


@given(
    text=st.text(max_size=40),
    tokens=st.lists(st.tuples(st.text(max_size=6), st.floats(-1e4, 0)), max_size=8),
    start=st.integers(0, 50),
    value=st.booleans(),
)
def test_anything_gives_a_probability_or_none(text: str, tokens: Any, start: int, value: bool) -> None:
    choices = [TokenChoice(token=token, logprob=logprob, others=dict(tokens)) for token, logprob in tokens]
    found = positive_probability(choices, text, (start, start + 1), value, get_task("sample/is_stable"))
    assert found is None or 0 <= found <= 1
