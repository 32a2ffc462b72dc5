"""All ten sources, built, pushed to the double of the Hub, and loaded back: forty configs, whole and streamed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_double import HubDouble, hub  # noqa: F401 - a fixture
from published import with_sizes, write_published

from llm4mat_bench.dataset_builder.catalogue import MODALITIES, list_sources
from llm4mat_bench.dataset_builder.export.build import build_source

SIZES = (8, 2, 3)
# In a process of its own: the library reads where the Hub is when it is imported.
LOAD = """
import hashlib, json, sys
from datasets import load_dataset
found = {}
for config in sys.argv[2:]:
    whole = load_dataset(sys.argv[1], config)
    streamed = load_dataset(sys.argv[1], config, streaming=True)
    rows = {split: list(data) for split, data in whole.items()}
    assert rows == {split: list(data) for split, data in streamed.items()}, config
    text = json.dumps(rows, sort_keys=True)
    found[config] = [hashlib.sha256(text.encode()).hexdigest(), {split: len(r) for split, r in rows.items()}]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_forty_configs_come_back_from_the_hub_as_they_are_here(hub: HubDouble, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "llm4mat-bench"
    configs = []
    for source in list_sources():
        declared = with_sizes(write_published(tmp_path / "in", source.id, SIZES), SIZES)
        build_source(declared, tmp_path / "in", folder)
        configs += [source.id, *(f"{source.id}-{modality}" for modality in MODALITIES)]
    assert len(configs) == 40

    def load(place: str, home: str, **more: str) -> dict[str, list[object]]:
        environment = os.environ | {"HF_HOME": str(tmp_path / home)} | more
        command = [sys.executable, "-c", LOAD, place, *configs]
        found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr[-2000:]
        answer: dict[str, list[object]] = json.loads(found.stdout.splitlines()[-1])
        return answer

    hub.add_token("hf_test", namespaces=["org"])
    push = [sys.executable, "-m", "llm4mat_bench.cli", "push", "dataset", str(folder), "--repo", "org/llm4mat-bench"]
    environment = os.environ | hub.environment("hf_test", tmp_path / "push-home")
    pushed = subprocess.run(push, env=environment, capture_output=True, text=True, check=False)
    assert pushed.returncode == 0, pushed.stderr

    here = load("llm4mat-bench", "home")  # a relative name beside the folder, as the README has it
    there = load("org/llm4mat-bench", "hub-home", **hub.environment("hf_test", tmp_path / "hub-home"))
    assert here == there
    assert all(sizes == {"train": 8, "validation": 2, "test": 3} for _, sizes in here.values())
