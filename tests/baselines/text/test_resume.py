"""A fine-tuning that is killed goes on from its last checkpoint and ends in the same answers, bit for bit."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_models

SCRIPT = Path(__file__).with_name("fit_once.py")


def run(model: str, work: Path, checkpoint: Path, answers: Path, *stop: object) -> int:
    work.mkdir(exist_ok=True)
    arguments = [model, str(work), str(checkpoint), str(answers), *map(str, stop)]
    environment = os.environ | {"HF_DATASETS_CACHE": str(work / "cache"), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr[-3000:])
    return done.returncode


@pytest.mark.slow
def test_killed_and_started_again_it_ends_in_the_same_answers(tmp_path: Path) -> None:
    checkpoint = tiny_models.tiny_bert(tmp_path / "bert")
    assert run("encoder", tmp_path / "whole", checkpoint, tmp_path / "whole.json") == 0
    # Before any checkpoint, after one, when the first epoch is to be scored, which a checkpoint follows, in the second
    # epoch, begun from there, and when the last epoch is to be scored.
    for stop in ((2,), (7,), (10, "scoring"), (12,), (30, "scoring")):
        assert run("encoder", tmp_path / "killed", checkpoint, tmp_path / "killed.json", *stop) == -signal.SIGKILL
        assert not (tmp_path / "killed.json").exists()
    left = sorted(path.name for path in (tmp_path / "killed" / "checkpoints").iterdir())
    assert left == ["checkpoint-20", "checkpoint-25"]
    # What a kill in the middle of writing a checkpoint leaves: a folder without the mark that comes last.
    shutil.copytree(tmp_path / "killed/checkpoints/checkpoint-25", tmp_path / "killed/checkpoints/checkpoint-27")
    (tmp_path / "killed/checkpoints/checkpoint-27/complete.json").unlink()
    (tmp_path / "killed/checkpoints/checkpoint-27/model.safetensors").write_bytes(b"half")
    assert run("encoder", tmp_path / "killed", checkpoint, tmp_path / "killed.json") == 0
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "whole.json").read_text()


@pytest.mark.slow
def test_adapters_that_are_killed_end_in_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    checkpoint = tiny_models.tiny_chat(tmp_path / "chat")
    assert run("lora", tmp_path / "whole", checkpoint, tmp_path / "whole.json") == 0
    assert run("lora", tmp_path / "killed", checkpoint, tmp_path / "killed.json", 11) == -signal.SIGKILL
    from safetensors import safe_open

    # Of a model of which little is trained, little is written.
    with safe_open(tmp_path / "killed/checkpoints/checkpoint-10/model.safetensors", "pt") as weights:
        assert all("lora_" in name or "trainable_tokens" in name for name in weights.keys())  # noqa: SIM118
    assert run("lora", tmp_path / "killed", checkpoint, tmp_path / "killed.json") == 0
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "whole.json").read_text()
