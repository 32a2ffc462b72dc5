"""Runs without a model: true targets with noise on them, through the frame that every run goes through."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4mat_bench import get_task
from llm4mat_bench.metrics.results.predictions import answer_columns
from llm4mat_bench.metrics.results.record import ModelIdentity, RunConfig, TrainingProtocol
from llm4mat_bench.metrics.results.runs import OpenRun, open_run
from llm4mat_bench.metrics.results.truth import read_data_record, read_truth


def toy_config(
    task: str = "sample/band_gap",
    *,
    model: str = "toy",
    modality: str = "composition",
    data: Path | None = None,
    **protocol: Any,
) -> RunConfig:
    wanted = get_task(task)
    return RunConfig.of(
        wanted,
        modality,  # type: ignore[arg-type]
        read_data_record(wanted, modality, data),  # type: ignore[arg-type]
        ModelIdentity(id=model, revision="1", kind="classical", pretraining_overlap="none"),
        TrainingProtocol(**{"settings": {"depth": 3, "rate": 0.1}, "seed": 0} | protocol),
    )


def toy_answers(task: str = "sample/band_gap", *, data: Path | None = None, noise: int = 0) -> NDArray[np.float64]:
    """Targets with noise, or scores that know something; another ``noise`` gives others."""
    true = read_truth(get_task(task), data).test_targets
    noises = np.random.default_rng(noise).normal(size=len(true))
    if get_task(task).kind == "classification":
        return np.asarray(np.clip(0.3 + 0.3 * true + 0.2 * noises, 0.01, 0.99))
    return true + noises


def toy_run(
    results: Path,
    task: str = "sample/band_gap",
    *,
    answers: NDArray[np.float64] | None = None,
    data: Path | None = None,
    **config: Any,
) -> Path:
    """Make a finished run; returns its folder."""
    opened = open_run(toy_config(task, data=data, **config), results)
    assert isinstance(opened, OpenRun)
    truth = read_truth(get_task(task), data)
    values = toy_answers(task, data=data, noise=config.get("seed", 0)) if answers is None else answers
    with opened:
        opened.finish(answer_columns(get_task(task).kind, truth.test_ids, truth.test_targets, values), parameters=7)
    return opened.folder
