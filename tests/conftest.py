"""What all tests share."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from llm4mat_bench.cli import main


def pytest_configure(config: pytest.Config) -> None:
    """Keep what `datasets` caches out of the user's cache; before anything imports the library."""
    if "HF_DATASETS_CACHE" not in os.environ:
        os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(prefix="llm4mat-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["HF_DATASETS_CACHE"], ignore_errors=True))


class Called(NamedTuple):
    """What a call of the program left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Call the program in this process, as from a shell."""

    def run(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["llm4mat-bench", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        captured = capsys.readouterr()
        return Called(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of four real runs on the embedded sample; copy what you change."""
    from llm4mat_bench import get_task
    from llm4mat_bench.baselines.registry import get_baseline
    from llm4mat_bench.baselines.run import train_baseline

    results = tmp_path_factory.mktemp("trained") / "results"
    for model in ("dummy", "composition_gbm"):
        for task in ("sample/band_gap", "sample/is_stable"):
            train_baseline(get_baseline(model), get_task(task), "composition", results)
    return results
