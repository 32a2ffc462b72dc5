"""One run in two processes, as launchers start them: one verified record, or one line that says why not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_models
from transformers import TrainerControl, TrainerState

from llm4mat_bench.baselines import processes
from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.baselines.text.batches import LikeLengths, order_of
from llm4mat_bench.baselines.text.training import _Bookkeeping
from llm4mat_bench.errors import UsageError
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.progress import silent


def launch(*words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "llm4mat_bench.cli"]
    return subprocess.run(
        [sys.executable, *launcher, "train", *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path) -> None:
    bert = tiny_models.tiny_bert(tmp_path / "bert")
    settings = ["--set", "epochs=2", "--set", "batch_size=64", "--train-rows", "160", "--set", "checkpoint_steps=2"]
    words = ["encoder", "sample/band_gap", "--model-id", bert, *settings, "--out", tmp_path / "results"]
    done = launch(*words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("MAD:MAE") == 1  # the others are silent
    [verified] = verify_results(tmp_path / "results")
    assert not verified.faults and verified.record is not None
    assert verified.record.fitted["processes"] == 2
    # Together: two epochs of three steps of 64 rows; each by itself would take five of 32.
    steps = json.loads((verified.folder / "model" / "history.json").read_text())
    assert max(one["step"] for one in steps) == 6
    assert [path.name for path in verified.folder.parent.iterdir()] == [verified.folder.name]


def test_a_model_of_one_process_refuses_several(
    monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], tmp_path: Path
) -> None:
    processes.check_can(get_baseline("dummy"))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (processes.count(), processes.rank()) == (2, 1)
    processes.check_can(get_baseline("encoder"))
    with pytest.raises(UsageError, match="trains in one process"):
        processes.check_can(get_baseline("dummy"))
    for rank in ("0", "1"):  # the first, too, before it has done anything
        monkeypatch.setenv("RANK", rank)
        called = call("train", "dummy", "sample/band_gap", "--out", tmp_path / "out")
        assert called.status == 2 and "trains in one process" in " ".join(called.err.split())
    assert not (tmp_path / "out").exists()


def test_the_order_of_rows_is_that_of_the_epoch_that_is_gone_on_with(tmp_path: Path) -> None:
    """Of several processes, accelerate tells none that goes on in the middle of an epoch which it is."""
    books = _Bookkeeping(tmp_path, silent, patience=0, order=LikeLengths(np.arange(200, dtype=np.int32), 4, seed=0))
    state = TrainerState(epoch=1.4)
    books.on_epoch_begin(None, state, TrainerControl())
    assert list(books.order) == order_of(np.arange(200, dtype=np.int32), 4, 0, 1).tolist() != list(range(200))
    assert list(books.order) != order_of(np.arange(200, dtype=np.int32), 4, 0, 0).tolist()
