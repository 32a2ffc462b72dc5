"""load_model from a repository on the Hub (a double of it), whole run or model alone, and what fails on the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_double import Blob, HubDouble

from llm4mat_bench import load_model

TOKEN = "hf_aVerySecretTokenThatNobodyMaySee"
ASK = (
    "import sys, json, llm4mat_bench\n"
    "print(json.dumps(llm4mat_bench.load_model(sys.argv[1]).predict(['NaCl', 'Fe2O3']).tolist()))"
)


def files_of(folder: Path) -> dict[str, Blob]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): Blob(path.read_bytes(), large=False) for path in found}


def ask(hub: HubDouble, home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the Hub's library reads where the Hub is when it is imported."""
    environment = {**os.environ, **hub.environment(TOKEN, home)}
    command = [sys.executable, "-c", ASK, name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("part", [".", "model"])
def test_a_model_from_the_hub(hub: HubDouble, tmp_path: Path, trained: Path, part: str) -> None:
    run = next((trained / "sample" / "band_gap" / "composition").glob("composition_gbm-*"))
    hub.add_token(TOKEN)
    hub.add_repo("model", "org/gbm").commit("main", files_of(run / part), "a model")
    answered = ask(hub, tmp_path, "org/gbm")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout) == load_model(run).predict(["NaCl", "Fe2O3"]).tolist()
    assert list(tmp_path.rglob("trees.txt"))
    assert not list(tmp_path.rglob("predictions.parquet")), "only the model travels"


@pytest.mark.parametrize(
    ("name", "message"), [("org/none", "org/none: no such repository"), ("org/empty", "no trained model in this repo")]
)
def test_what_fails_is_one_line_without_the_token(hub: HubDouble, tmp_path: Path, name: str, message: str) -> None:
    hub.add_token(TOKEN)
    hub.add_repo("model", "org/empty")
    answered = ask(hub, tmp_path, name)
    assert answered.returncode == 1
    assert message in answered.stderr.splitlines()[-1]
    assert TOKEN not in answered.stderr


def test_a_hub_that_cannot_be_reached_is_told_at_once(hub: HubDouble, tmp_path: Path) -> None:
    environment = {**os.environ, **hub.environment(TOKEN, tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", ASK, "org/gbm"]
    answered = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answered.returncode == 1
    assert "cannot reach http://127.0.0.1:9" in answered.stderr.splitlines()[-1]
    assert "Retrying" not in answered.stderr and TOKEN not in answered.stderr
