"""Shots: seeded, the same whatever the order, from rows with the property, and what each rule promises."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.prompting.shots import Example, ShotSettings, choose_shots

ROWS = [Example(f"m{n:03}", f"text {n}", float(n) if n % 3 else None) for n in range(120)]
WITH_TARGET = [row for row in ROWS if row.target is not None]
QUESTION = Example("q", "text", None)


def ids(shots: object) -> list[str]:
    return [shot.material_id for shot in shots]  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", ["fixed", "random", "stratified"])
def test_a_seed_decides_and_the_order_of_rows_does_not(rule: str) -> None:
    shuffled = ROWS.copy()
    random.Random(1).shuffle(shuffled)
    chosen = {}
    for seed in (0, 1):
        setting = ShotSettings(rule=rule, count=5, seed=seed)  # type: ignore[arg-type]
        chosen[seed] = ids(choose_shots(ROWS, setting).for_question(QUESTION))
        assert chosen[seed] == ids(choose_shots(shuffled, setting).for_question(QUESTION))
        assert len(set(chosen[seed])) == 5
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize("rule", ["fixed", "random", "stratified", "nearest", "fixed_published"])
def test_only_rows_with_this_property_and_a_text(rule: str) -> None:
    rows = [*ROWS, Example("none", None, 1.0), Example("empty", "", 2.0), Example("nan", "text", float("nan"))]
    shots = choose_shots(
        rows,
        ShotSettings(rule=rule, count=60),  # type: ignore[arg-type]
        formulas=[f"Na{1 + n}Cl" for n in range(len(rows))],
        complete={row.material_id for row in rows},
    )
    chosen = shots.for_question(QUESTION, "NaCl")
    assert len(chosen) == 60
    assert set(ids(chosen)) <= set(ids(WITH_TARGET))
    assert shots.record["candidates"] == len(WITH_TARGET)
    assert shots.record["training_rows"] == len(rows)


def test_plain_tuples_do() -> None:
    shots = choose_shots([("a", "x", 1.0), ("b", "y", None)], ShotSettings(count=1))
    assert shots.for_question(QUESTION) == [Example("a", "x", 1.0)]


def test_fixed_is_the_same_for_all_questions_and_is_recorded() -> None:
    shots = choose_shots(ROWS, ShotSettings(rule="fixed", count=3, seed=7))
    assert shots.for_question(QUESTION) == shots.for_question(Example("other", "t", None))
    assert shots.record == {
        "rule": "fixed",
        "count": 3,
        "seed": 7,
        "candidates": 80,
        "training_rows": 120,
        "material_ids": ids(shots.for_question(QUESTION)),
    }


def test_random_differs_by_question_and_is_spread() -> None:
    shots = choose_shots(ROWS, ShotSettings(rule="random", count=3))
    drawn = [ids(shots.for_question(Example(f"q{n}", "t", None))) for n in range(300)]
    assert drawn[0] != drawn[1]
    assert drawn[0] == ids(shots.for_question(Example("q0", "other text", 1.0)))
    seen = {one for each in drawn for one in each}
    assert len(seen) == len(WITH_TARGET)
    assert shots.same is None and "material_ids" not in shots.record


def test_stratified_covers_the_range() -> None:
    shots = choose_shots(ROWS, ShotSettings(rule="stratified", count=4)).for_question(QUESTION)
    places = sorted(WITH_TARGET.index(shot) for shot in shots)
    assert [place // 20 for place in places] == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_stratified_takes_both_classes(count: int) -> None:
    rows = [Example(f"m{n}", "t", n % 10 == 0) for n in range(200)]
    shots = choose_shots(rows, ShotSettings(rule="stratified", count=count)).for_question(QUESTION)
    positive = sum(bool(shot.target) for shot in shots)
    assert len(shots) == count and abs(2 * positive - count) <= 1
    # a seed that shows them in an order of their own
    orders = {
        tuple(
            bool(one.target) for one in choose_shots(rows, ShotSettings(rule="stratified", count=4, seed=s)).same or ()
        )
        for s in range(20)
    }
    assert len(orders) > 2


def test_stratified_with_a_rare_class() -> None:
    rows = [Example(f"m{n}", "t", n == 0) for n in range(50)]
    assert len(choose_shots(rows, ShotSettings(rule="stratified", count=6)).for_question(QUESTION)) == 6


def test_nearest_by_composition() -> None:
    formulas = ["NaCl", "Na2Cl2", "KCl", "NaBr", "Fe2O3", "Na3Cl2", None]
    rows = [Example(f"m{n}", "t", 1.0) for n in range(7)]
    shots = choose_shots(rows, ShotSettings(rule="nearest", count=4), formulas=formulas)
    # the nearest stands last; equal ones by id; KCl and NaBr are as far
    assert ids(shots.for_question(QUESTION, "NaCl")) == ["m2", "m5", "m1", "m0"]
    assert ids(shots.for_question(QUESTION, "Fe3O4"))[-1] == "m4"
    with pytest.raises(DataError, match="q: no formula"):
        shots.for_question(QUESTION)
    with pytest.raises(UsageError, match="needs the formulas"):
        choose_shots(rows, ShotSettings(rule="nearest", count=1))


def test_fixed_published_takes_the_first_rows_that_have_everything() -> None:
    complete = {"m002", "m003", "m005", "m010", "m011", "m100"}
    shots = choose_shots(ROWS, ShotSettings(rule="fixed_published", count=3), complete=complete)
    assert ids(shots.for_question(QUESTION)) == ["m002", "m005", "m010"]
    with pytest.raises(DataError, match="only 5 training rows have all properties"):
        choose_shots(ROWS, ShotSettings(rule="fixed_published", count=6), complete=complete)
    with pytest.raises(UsageError, match="which training rows have all properties"):
        choose_shots(ROWS, ShotSettings(rule="fixed_published", count=1))


def test_too_few_rows() -> None:
    with pytest.raises(DataError, match="100 shots asked for, but only 80 of 120 training rows"):
        choose_shots(ROWS, ShotSettings(count=100))


def test_no_shots() -> None:
    for rule in ("fixed", "random", "stratified"):
        assert list(choose_shots(ROWS, ShotSettings(rule=rule, count=0)).for_question(QUESTION)) == []  # type: ignore[arg-type]


@given(
    targets=st.lists(st.one_of(st.none(), st.floats(), st.booleans()), max_size=30),
    count=st.integers(0, 6),
    rule=st.sampled_from(["fixed", "random", "stratified"]),
)
@settings(max_examples=150, deadline=None)
def test_any_targets(targets: list[float | bool | None], count: int, rule: str) -> None:
    rows = [Example(f"m{n}", "t", target) for n, target in enumerate(targets)]
    try:
        chosen = choose_shots(rows, ShotSettings(rule=rule, count=count)).for_question(QUESTION)  # type: ignore[arg-type]
    except DataError:
        usable = [t for t in targets if t is not None and abs(t) < float("inf")]
        assert len(usable) < count
    else:
        assert len(set(ids(chosen))) == len(chosen) == count
