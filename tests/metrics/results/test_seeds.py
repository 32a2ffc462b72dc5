"""Two seeds that agree in all but noise are no two seeds; honest ones are."""

from pathlib import Path

import numpy as np
import pytest
from toy_runs import toy_answers, toy_run

from llm4mat_bench import get_task
from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.metrics.leaderboard.entries import Cell, entries_of, sound_runs
from llm4mat_bench.metrics.results.likeness import alike, places_of
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.metrics.scores import mad_mae

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.gamma(2.0, size=2000)
FIRST = TARGETS + RANDOM.normal(size=2000)
NOISES = RANDOM.normal(size=2000)


def same(first: np.ndarray, second: np.ndarray, targets: np.ndarray = TARGETS) -> bool:
    """Whether either is a copy of the other, which goes both ways."""
    one, other = places_of(first, targets), places_of(second, targets)
    if one is None or other is None:
        return False
    found, back = alike([one, other]), alike([other, one])
    assert found == back
    return found == [[], [0]]


def changed(rows: slice, values: float | np.ndarray) -> np.ndarray:
    copy = FIRST.copy()
    copy[rows] = values
    return copy


@pytest.mark.parametrize(
    "second",
    [
        FIRST,
        FIRST + 1e-13,
        FIRST + 0.3,
        FIRST * (1 + 1e-12),
        FIRST * 1.1 - 2,
        np.exp(FIRST / 3),
        FIRST + 1e-13 * NOISES,
        FIRST + 1e-4 * NOISES,
        FIRST + 0.03 * NOISES,  # 4 % of the mean error
        np.round(FIRST, 4),
        changed(slice(7, 8), 1e9),
        changed(slice(7, 8), np.nan),
        changed(slice(0, 150), FIRST[:150][::-1]),  # 7.5 % of the rows
        changed(slice(0, 50), np.nan),
    ],
    ids=range(14),
)
def test_copies_are_seen(second: np.ndarray) -> None:
    assert same(FIRST, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, FIRST + 0.3 * NOISES),
        (FIRST, TARGETS + NOISES),
        (TARGETS + 1e-3 * NOISES, TARGETS + 1e-3 * (FIRST - TARGETS)),  # two very good models
        (FIRST, np.zeros(2000)),  # one seed collapsed
        (np.zeros(2000), np.zeros(2000)),  # both did: nothing is said of places
        (np.round(FIRST, 0), np.round(FIRST + 0.2 * NOISES, 0)),  # answers in round numbers, many of them the same
        (FIRST, changed(slice(19, 2000), np.nan)),  # nineteen rows are too few
        (FIRST, -FIRST),
    ],
    ids=range(8),
)
def test_honest_seeds_are_two(first: np.ndarray, second: np.ndarray) -> None:
    assert not same(first, second)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e308 / 10, 1e-320])
def test_the_size_of_the_numbers_has_no_say(factor: float) -> None:
    first, targets = np.clip(FIRST, -9, 9) * factor, np.clip(TARGETS, -9, 9) * factor
    assert same(first, first, targets)
    assert not same(first, np.clip(FIRST + 0.5 * NOISES, -9, 9) * factor, targets)


@pytest.mark.parametrize("rows", [20, 115, 2048, 2049, 50_000])
def test_any_number_of_rows(rows: int) -> None:
    random = np.random.default_rng(rows)
    targets = random.normal(size=rows)
    first, other = targets + random.normal(size=(2, rows))
    assert same(first, first + 0.01 * other, targets)
    assert not same(first, other, targets)


def test_an_auc_sees_only_ranks() -> None:
    labels = (TARGETS > 1.5).astype(float)
    scores = 1 / (1 + np.exp(-FIRST))
    for copy in (scores, scores**2, FIRST, scores + 1e-13 * NOISES):
        assert same(scores, copy, labels)
    assert not same(scores, 1 / (1 + np.exp(-FIRST - NOISES)), labels)
    hard, other = (FIRST > 1).astype(float), (FIRST + 0.1 * NOISES > 1).astype(float)
    assert not same(hard, other, labels)


def cell_of(results: Path) -> Cell:
    source = get_source("sample")
    (entry,) = entries_of(source, sound_runs(verify_results(results), source))
    return entry.cells["sample/band_gap"]


def test_a_shifted_copy_is_no_second_seed(tmp_path: Path) -> None:
    answers = toy_answers()
    toy_run(tmp_path, seed=0, answers=answers)
    toy_run(tmp_path, seed=1, answers=answers + 1e-13)
    cell = cell_of(tmp_path)
    assert "±" not in cell.interval
    assert cell.note == "seed 1 with much the same answers as seed 0: counted once"


def test_a_copy_spares_no_honest_seed(tmp_path: Path) -> None:
    """Else a copy of the best seed would take the others out of the mean."""
    good, bad = toy_answers(), toy_answers(noise=2) * 1.5
    for seed, answers in enumerate([good, good * (1 + 1e-6), bad, good]):
        toy_run(tmp_path, seed=seed, answers=answers)
    cell = cell_of(tmp_path)
    targets = read_truth(get_task("sample/band_gap")).test_targets
    assert cell.value == pytest.approx((mad_mae(targets, good) + mad_mae(targets, bad)) / 2)
    assert "over 2 seeds" in cell.interval
    assert cell.note == "seeds 1, 3 with much the same answers as seed 0: counted once"


def test_no_copy_hides_behind_a_run_of_its_own_seed(tmp_path: Path) -> None:
    answers = toy_answers()
    toy_run(tmp_path / "a", model="honest", answers=answers)
    for number in range(2):
        toy_run(tmp_path / f"b{number}", model="thief", answers=answers + 1e-6 * (number + 1))
    source = get_source("sample")
    entries = entries_of(source, sound_runs(verify_results(tmp_path), source))
    notes = {entry.model: entry.cells["sample/band_gap"].note for entry in entries}
    assert notes["honest"] == "much the same answers as thief"
    assert notes["thief"] == "the worst of 2 runs with seed 0 and different answers; much the same answers as honest"


@pytest.mark.parametrize("rows", [40, 115, 388])
def test_small_test_sets_hide_no_noise(rows: int) -> None:
    """There a place more or less is a large part of the error."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        targets = random.gamma(2.0, size=rows)
        first = targets + 0.3 * random.normal(size=rows)
        assert same(first, first + 0.01 * random.normal(size=rows), targets)
        assert not same(first, targets + 0.3 * random.normal(size=rows), targets)


def test_thousands_of_copies_are_told(tmp_path: Path) -> None:
    places = places_of(FIRST, TARGETS)
    other = places_of(TARGETS + NOISES, TARGETS)
    assert places is not None and other is not None
    found = alike([places, other, *[places] * 500])
    assert found[:3] == [[], [], [0]]
    assert all(1 <= len(one) <= 100 and 1 not in one for one in found[2:])


def test_honest_seeds_have_a_deviation(tmp_path: Path) -> None:
    for seed in range(3):
        toy_run(tmp_path, seed=seed)
    cell = cell_of(tmp_path)
    assert "over 3 seeds" in cell.interval
    assert cell.note is None


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_runs_with_one_seed_the_worse_counts(first: int, tmp_path: Path) -> None:
    """Else whoever sends in results chooses the best of many, and somebody else may better a score or spoil it."""
    good, bad = toy_answers(noise=1), toy_answers(noise=1) + 3
    for number, answers in enumerate([(good, bad), (bad, good)][first]):
        toy_run(tmp_path / f"from-{number}", answers=answers)
    cell = cell_of(tmp_path)
    assert cell.note == "the worst of 2 runs with seed 0 and different answers"
    truth = read_truth(get_task("sample/band_gap"))
    assert cell.value == pytest.approx(mad_mae(truth.test_targets, bad))
    assert len(cell.runs) == 1


def test_a_run_that_stands_twice_counts_once(tmp_path: Path) -> None:
    for number in range(2):
        toy_run(tmp_path / f"from-{number}", answers=toy_answers())
    cell = cell_of(tmp_path)
    assert cell.note is None and len(cell.runs) == 1


def test_a_row_says_whose_answers_it_has(tmp_path: Path) -> None:
    toy_run(tmp_path, model="honest", answers=toy_answers())
    toy_run(tmp_path, model="thief", answers=1.0001 * toy_answers() + 0.0001)
    source = get_source("sample")
    entries = entries_of(source, sound_runs(verify_results(tmp_path), source))
    notes = {entry.model: entry.cells["sample/band_gap"].note for entry in entries}
    assert notes == {"honest": "much the same answers as thief", "thief": "much the same answers as honest"}
