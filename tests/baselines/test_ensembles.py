"""Several trained models asked as one: mean and spread, by their names or as the seeds in a folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from llm4mat_bench import get_task, load_model
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.run import read_settings, train_baseline
from llm4mat_bench.errors import UsageError

TEXTS = ["NaCl", "Fe2O3", "GaN"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three seeds of a model, and beside them a control and a run on fewer rows."""
    baseline, results = get_baseline("composition_gbm"), tmp_path_factory.mktemp("results")
    quick = read_settings(baseline, {"n_estimators": "10"})

    def train(**options: Any) -> Path:
        return train_baseline(
            baseline, get_task("sample/band_gap"), "composition", results, settings=quick, **options
        ).folder

    seeds = [train(seed=seed) for seed in range(3)]
    train(seed=3, train_rows=50)
    train(seed=0, control="shuffled")
    return seeds


def test_the_value_is_the_mean_and_the_spread_the_deviation(runs: list[Path], call: Callable[..., Any]) -> None:
    each = np.array([load_model(run).predict(TEXTS) for run in runs])
    several = load_model(*runs)
    np.testing.assert_allclose(several.predict(TEXTS), each.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(several.predict_each(TEXTS), each)
    answer = json.loads(call("predict", *runs, *TEXTS, "--json").out)
    assert answer["models"] == 3
    np.testing.assert_allclose([one["value"] for one in answer["predictions"]], each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose([one["spread"] for one in answer["predictions"]], each.std(axis=0, ddof=1), rtol=1e-12)
    assert (each.std(axis=0) > 0).all()


def test_a_folder_stands_for_the_whole_runs_in_it(runs: list[Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """Neither the control nor the run on fewer rows that lie there take part."""
    called = call("predict", runs[0].parent, *TEXTS, "Xq3", "--out", tmp_path / "answers.parquet")
    assert "3 models" in called.out and "spread" in called.out
    table = pq.read_table(tmp_path / "answers.parquet")
    np.testing.assert_array_equal(table["value"].to_numpy()[:3], load_model(*runs).predict(TEXTS))
    assert table["spread"].null_count == 1
    np.testing.assert_array_equal(load_model(runs[0].parent).predict(TEXTS), load_model(*runs).predict(TEXTS))


def test_one_model_has_no_spread(runs: list[Path], call: Callable[..., Any]) -> None:
    answer = json.loads(call("predict", runs[0], "NaCl", "--json").out)
    assert "spread" not in answer["predictions"][0] and "models" not in answer
    assert load_model(runs[0]).predict_each(TEXTS).shape == (1, 3)


def test_what_does_not_belong_together_is_refused_in_one_line(
    runs: list[Path], trained: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    other = next((trained / "sample" / "is_stable" / "composition").glob("dummy-*"))
    called = call("predict", runs[0], other, "NaCl")
    assert called.status == 2 and "cannot be asked as one: task" in " ".join(called.err.split())
    called = call("predict", runs[0], runs[0], "NaCl")
    assert called.status == 2 and "named twice" in called.err
    called = call("predict", runs[0], runs[1])
    assert called.status == 2 and "what to predict is missing" in called.err
    shutil.copytree(runs[0], tmp_path / "mixed" / runs[0].name)
    dummy = next((trained / "sample" / "band_gap" / "composition").glob("dummy-*"))
    shutil.copytree(dummy, tmp_path / "mixed" / dummy.name)
    with pytest.raises(UsageError, match="not seeds of one model"):
        load_model(tmp_path / "mixed")
    assert load_model(tmp_path / "mixed" / dummy.name, runs[0]).predict_each(TEXTS).shape == (2, 3)
