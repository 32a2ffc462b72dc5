"""Runs on a Ray cluster of one machine: the same bytes as here, and failures that are told."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.sweep import Options, run_here, run_on_ray, runs_wanted
from llm4mat_bench.dataset_builder.catalogue import match_tasks

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    ray.shutdown()
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 << 20, log_to_driver=False)
    yield "auto"
    ray.shutdown()


@pytest.mark.slow
def test_runs_on_ray_are_those_of_this_machine(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    baseline = get_baseline("composition_gbm")
    settings = baseline.settings_model.model_validate({"n_estimators": 10})
    wanted, left_out = runs_wanted(baseline, match_tasks(["sample/b*"]), ["composition"], [0, 1])
    assert not left_out
    here = list(run_here(baseline, wanted, Options(settings, Path("here"))))
    there = list(run_on_ray(baseline, wanted, Options(settings, Path("there")), cluster))
    assert [one.status for one in here + there] == ["trained"] * 8
    files = {
        folder: {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("predictions.parquet")}
        for folder in ("here", "there")
    }
    assert len(files["here"]) == 4
    assert files["here"] == files["there"]

    words = ("sample/band_gap", "mp/band_gap", "--seed", "0,1", "--set", "n_estimators=10", "--out", "there")
    called = call("train", "composition_gbm", *words, "--ray", cluster, "--json")
    answer = json.loads(called.out)
    assert called.status == 1
    assert (answer["trained"], answer["found"], answer["failed"]) == (0, 2, 2)
    assert {one["task"]: one["error"] is None for one in answer["runs"]} == {
        "sample/band_gap": True,
        "mp/band_gap": False,
    }
    assert "--ray auto" in answer["rest"]


def test_no_cluster_is_one_line(tmp_path: Path, call: Callable[..., Any]) -> None:
    called = call("train", "dummy", "sample/band_gap", "--out", tmp_path, "--ray", "127.0.0.1:1")
    assert called.status == 1
    assert "no Ray cluster at 127.0.0.1:1" in called.err
    assert "Traceback" not in called.err
