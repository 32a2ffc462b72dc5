"""Figures of several runs: each has a name and a file of its own, and what is left out is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forgery import forge_record
from toy_runs import toy_answers, toy_run

pytest.importorskip("matplotlib")

from llm4mat_bench import get_task
from llm4mat_bench.metrics.figures.answers import Answers
from llm4mat_bench.metrics.figures.calibration import mean_calibration, spread_calibration
from llm4mat_bench.metrics.figures.curves import learning_curves, learning_of
from llm4mat_bench.metrics.figures.names import apart, curve_names, run_name
from llm4mat_bench.metrics.figures.of_runs import coverage_of, draw_figures
from llm4mat_bench.metrics.figures.runs import Share, coverage
from llm4mat_bench.metrics.results.places import Truths
from llm4mat_bench.metrics.results.record import read_record
from llm4mat_bench.metrics.results.verify import Verification, verify_results

DEEP = {"depth": 9, "rate": 0.1}
PRETRAINED = {"depth": 3, "rate": 0.1, "pretrained": "weights of a study"}


def words(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def read(*folders: Path, data_checked: bool = True) -> list[Verification]:
    return [
        Verification(folder=one, record=read_record(one / "result.json"), faults=(), data_checked=data_checked)
        for one in folders
    ]


def test_coverage_says_of_those_it_leaves_out_what_is_so() -> None:
    full = [Share(f"m{n}", 100, 0, 0) for n in range(60)]
    assert "20 more runs, which answered every test row, are not drawn" in words(coverage(full, "t"))
    most = [Share(f"m{n}", 97 if n < 50 else 100, 3, 0) for n in range(60)]
    assert "20 more runs, which answered 97.0 % or more, are not drawn" in words(coverage(most, "t"))
    assert "not drawn" not in words(coverage(full[:40], "t"))
    (label,) = coverage([Share("m", 99_999, 1, 0)], "t").axes[0].get_yticklabels()
    assert label.get_text() == "m  99.9 %", "only all are 100 %"


def test_an_absurd_answer_does_not_stretch_a_calibration() -> None:
    true = np.linspace(0, 5, 100)
    absurd = np.where(np.arange(100) == 99, 5e5, true)
    figure = mean_calibration(Answers("x", true, absurd), "eV")
    assert figure.axes[0].get_xlim()[1] < 8
    assert "1 of 10 bins beyond the axis, drawn at its end" in words(figure)
    assert "beyond" not in words(mean_calibration(Answers("x", true, true), "eV"))
    figure = spread_calibration(Answers("x", true, absurd), np.where(np.arange(100) == 99, 3e5, 0.1 + true / 9), "eV")
    assert figure.axes[0].get_xlim()[1] < 8 and figure.axes[0].get_ylim()[1] < 8
    assert "1 of 10 bins beyond the axis" in words(figure)


def test_runs_of_two_settings_have_two_names(tmp_path: Path) -> None:
    made = [
        toy_run(tmp_path, **protocol)
        for protocol in ({}, {"settings": DEEP}, {"settings": PRETRAINED}, {"settings": PRETRAINED, "seed": 1})
    ]
    told = apart(read(*made))
    assert [told[one] for one in made] == [
        "seed 0 · depth 3",
        "seed 0 · depth 9",
        "seed 0 · depth 3, pretrained weights of a study",
        "seed 1 · depth 3, pretrained weights of a study",
    ]
    # Where the seed alone tells them apart, nothing more is said; nor of two models.
    seeds = [toy_run(tmp_path, model="other", seed=seed) for seed in (0, 1)]
    assert list(apart(read(*made[:1], *seeds)).values()) == ["seed 0", "seed 0", "seed 1"]
    labels = [label.get_text() for label in bars(read(*made))]
    assert len(set(labels)) == 4
    titles = [words(figure).split("100", maxsplit=1)[0] for _, figure in draw_figures("parity", read(*made), Truths())]
    assert len(set(titles)) == 4 and "depth 9" in titles[1]


def bars(runs: list[Verification]) -> list[Any]:
    return list(coverage_of(get_task("sample/band_gap"), runs).axes[0].get_yticklabels())


def test_settings_too_long_to_be_told_still_leave_two_names(tmp_path: Path) -> None:
    made = [toy_run(tmp_path, settings={"x" * 60: "a" * 60 + end + "b" * 60}) for end in "12"]
    told = list(apart(read(*made)).values())
    assert len(set(told)) == 2
    assert all(len(one) < 80 and "record " in one for one in told)


def test_two_curves_of_a_model_have_two_names(tmp_path: Path) -> None:
    rows = (100, 200)
    made = [toy_run(tmp_path, settings=its, train_rows=one) for its in ({"depth": 3}, {"depth": 9}) for one in rows]
    assert curve_names(read(made[0], made[2])) == ["toy · composition · depth 3", "toy · composition · depth 9"]
    legend = learning_of(get_task("sample/band_gap"), verify_results(tmp_path)).legends[0]
    assert sorted(text.get_text() for text in legend.get_texts())[1:] == [
        "toy · composition · depth 3",
        "toy · composition · depth 9",
    ]


def test_data_that_was_not_compared_is_told_in_every_name(tmp_path: Path) -> None:
    made = [toy_run(tmp_path, train_rows=rows) for rows in (100, 200)]
    runs = read(*made, data_checked=False)
    assert all(told.endswith("data not compared") for told in apart(runs).values())
    assert all("data not compared" in label.get_text() for label in bars(runs))
    for kind in ("parity", "residuals", "calibration"):
        assert all("data not compared" in words(figure) for _, figure in draw_figures(kind, runs, Truths()))  # type: ignore[arg-type]
    found = [one.model_copy(update={"data_checked": False}) for one in verify_results(tmp_path)]
    (_, curve) = learning_of(get_task("sample/band_gap"), found).legends[0].get_texts()
    assert curve.get_text().endswith("data not compared")
    assert "not compared" not in run_name(read_record(made[0] / "result.json"))


def test_one_run_in_two_places_loses_no_figure(tmp_path: Path, call: Callable[..., Any]) -> None:
    first = toy_run(tmp_path / "results" / "a")
    again = toy_run(tmp_path / "results" / "b")
    forge_record(again, lambda record: record["provenance"].update(wall_seconds=99.0))
    copy = Path(shutil.copytree(first, tmp_path / "results" / "c" / first.name))
    called = call("plot", "parity", tmp_path / "results", "--out", tmp_path / "plots", "--format", "svg")
    assert called.status == 0
    assert f"drawn once: {copy} holds the same record as {first}" in called.err
    hashes = {read_record(one / "result.json").record_sha256[:8] for one in (first, again)}
    assert len(hashes) == 2
    written = sorted((tmp_path / "plots").iterdir())
    assert {one.stem.rpartition("-")[2] for one in written} == hashes
    for one in written:
        assert f"record {one.stem.rpartition('-')[2]}" in one.read_text()
    told = json.loads(call("plot", "coverage", tmp_path / "results", "--out", tmp_path / "plots", "--json").out)
    assert told["drawn_once"] == [{"folder": str(copy), "as": str(first)}]
    assert call("plot", "parity", copy, "--out", tmp_path / "alone", "--format", "svg").status == 0
    assert [one.name for one in (tmp_path / "alone").iterdir()] == [
        f"parity-{read_record(copy / 'result.json').flat_name}.svg"
    ]


def test_copied_seeds_and_one_seed_twice_count_once_in_a_curve(tmp_path: Path) -> None:
    answers = toy_answers()
    toy_run(tmp_path / "a", train_rows=100)
    for seed in range(3):
        toy_run(tmp_path / "a", seed=seed, train_rows=200, answers=answers + seed * 1e-9)
    ((_, (_, point)),) = learning_curves(verify_results(tmp_path))
    assert point.low is not None, "one seed, three times: it has its interval, and is no mean"
    figure = learning_of(get_task("sample/band_gap"), verify_results(tmp_path))
    assert "2 runs repeat a seed, or another seed's answers, and count once" in words(figure)
    # Two runs of one seed with other answers: the worse counts, as on the leaderboard.
    toy_run(tmp_path / "b", train_rows=200, answers=answers + 0.5)
    ((_, (_, worse)),) = learning_curves(verify_results(tmp_path))
    assert worse.score < point.score and worse.low is not None
    toy_run(tmp_path / "b", seed=3, train_rows=200, answers=toy_answers(noise=3))
    ((_, (_, mean)),) = learning_curves(verify_results(tmp_path))
    assert mean.low is None, "a seed with answers of its own makes a mean"
