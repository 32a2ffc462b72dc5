"""Two seeds that agree in all but noise are no two seeds; honest ones are."""

from pathlib import Path

import numpy as np
import pytest
from toy_runs import toy_answers, toy_run

from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.metrics.leaderboard.entries import Cell, entries_of, sound_runs
from llm4mat_bench.metrics.results.seeds import same_but_for_noise
from llm4mat_bench.metrics.results.verify import verify_results

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.gamma(2.0, size=2000)
FIRST = TARGETS + RANDOM.normal(size=2000)
NOISES = RANDOM.normal(size=2000)


def one_row_changed() -> np.ndarray:
    changed = FIRST.copy()
    changed[7] += 0.5
    return changed


def one_row_missing() -> np.ndarray:
    changed = FIRST.copy()
    changed[7] = np.nan
    return changed


@pytest.mark.parametrize(
    "second",
    [
        FIRST,
        FIRST + 1e-13,
        FIRST + 0.3,
        FIRST * (1 + 1e-12),
        FIRST * 1.1 - 2,
        FIRST + 1e-13 * NOISES,
        FIRST + 1e-6 * NOISES,
        FIRST + 1e-4 * NOISES,
        np.round(FIRST, 4),
        one_row_changed(),
        one_row_missing(),
    ],
    ids=range(11),
)
def test_copies_are_seen(second: np.ndarray) -> None:
    assert same_but_for_noise(FIRST, second, TARGETS, "regression")
    assert same_but_for_noise(second, FIRST, TARGETS, "regression")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, FIRST + 0.05 * NOISES),
        (FIRST, TARGETS + NOISES),
        (TARGETS + 1e-3 * NOISES, TARGETS + 1e-3 * (FIRST - TARGETS)),  # two very good models
        (FIRST, np.zeros(2000)),  # one seed collapsed
        (np.round(FIRST, 0), np.round(FIRST + 0.2 * NOISES, 0)),  # answers in round numbers, many of them the same
    ],
    ids=range(5),
)
def test_honest_seeds_are_two(first: np.ndarray, second: np.ndarray) -> None:
    assert not same_but_for_noise(first, second, TARGETS, "regression")
    assert not same_but_for_noise(second, first, TARGETS, "regression")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e308 / 10, 1e-320])
def test_the_size_of_the_numbers_has_no_say(factor: float) -> None:
    first, targets = np.clip(FIRST, -9, 9) * factor, np.clip(TARGETS, -9, 9) * factor
    assert same_but_for_noise(first, first, targets, "regression")
    assert same_but_for_noise(first, first * 0.5, targets, "regression")
    other = np.clip(FIRST + 0.3 * NOISES, -9, 9) * factor
    assert not same_but_for_noise(first, other, targets, "regression")


def test_an_auc_sees_only_ranks() -> None:
    labels = (TARGETS > 1.5).astype(float)
    scores = 1 / (1 + np.exp(-FIRST))
    for copy in (scores, scores**2, FIRST, scores + 1e-13 * NOISES):
        assert same_but_for_noise(scores, copy, labels, "classification")
    assert not same_but_for_noise(scores, 1 / (1 + np.exp(-FIRST - 0.1 * NOISES)), labels, "classification")
    hard, other = (FIRST > 1).astype(float), (FIRST + 0.1 * NOISES > 1).astype(float)
    assert not same_but_for_noise(hard, other, labels, "classification")


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
    assert "2 seeds, but the answers of two agree in all but noise" in (cell.note or "")


def test_honest_seeds_have_a_deviation(tmp_path: Path) -> None:
    for seed in range(3):
        toy_run(tmp_path, seed=seed)
    cell = cell_of(tmp_path)
    assert "over 3 seeds" in cell.interval
    assert cell.note is None
