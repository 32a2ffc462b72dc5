"""A model, and another tokenizer, from repos on the Hub (a double of it): the commits that were taken are recorded.

In processes of their own: the Hub's library reads where the Hub is when it is imported.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_models
from hub_double import Blob, HubDouble, hub  # noqa: F401 - a fixture

from llm4mat_bench.baselines.text import encoder
from llm4mat_bench.baselines.text.checkpoints import TOKENIZER
from llm4mat_bench.errors import UsageError


def files_of(folder: Path, *patterns: str) -> dict[str, Blob]:
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return {path.name: Blob(path.read_bytes(), large=False) for path in sorted(found)}


def train(double: HubDouble, home: Path, results: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "llm4mat_bench.cli", "train", "encoder", "sample/band_gap", "-m", "composition",
        "--model-id", "org/model", "--out", str(results), "--train-rows", "32", "--limit", "10",
        "--set", "epochs=1", "--set", "batch_size=16", *options,
    ]  # fmt: skip
    environment = {**os.environ, **double.environment(None, home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_commits_that_were_taken_are_recorded_and_asked_for_by_name(hub: HubDouble, tmp_path: Path) -> None:  # noqa: F811
    bert = tiny_models.tiny_bert(tmp_path / "bert")
    model, words = (hub.add_repo("model", f"org/{name}") for name in ("model", "words"))
    weights = model.commit("main", files_of(bert, "*"), "a model")
    taken = words.commit("main", files_of(bert, *TOKENIZER), "its tokenizer")
    told = train(hub, tmp_path, tmp_path / "results", "--set", "tokenizer=org/words")
    assert told.returncode == 0, told.stderr
    words.commit("main", {**taken.tree, "README.md": Blob(b"hello", large=False)}, "more")
    pinned = ["--set", "tokenizer=org/words", "--set", f"tokenizer_revision={taken.sha}"]
    told = train(hub, tmp_path, tmp_path / "results", *pinned)
    assert told.returncode == 0, told.stderr

    (record,) = (tmp_path / "results").rglob("result.json")  # the second call has found the first run
    found = json.loads(record.read_text())["protocol"]["settings"]
    assert (found["model_revision"], found["tokenizer_revision"]) == (weights.sha, taken.sha)


def test_a_revision_of_what_is_no_repo_is_refused(tmp_path: Path) -> None:
    bert = tiny_models.tiny_bert(tmp_path / "bert")
    for other in ({}, {"tokenizer": str(bert)}):
        with pytest.raises(UsageError, match="is no repo of its own"):
            encoder.resolve(encoder.Settings(model_id=str(bert), tokenizer_revision="0123abc", **other))
