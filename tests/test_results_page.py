"""The page of results: its tables are those of the kept runs, and these are sound."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from llm4mat_bench.metrics.results.verify import verify_results

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "scripts" / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_kept_runs_are_sound() -> None:
    faults = {str(one.folder): one.faults for one in verify_results(ROOT / "docs" / "results") if one.faults}
    assert not faults


def test_the_tables_are_those_of_the_kept_runs(script: ModuleType) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.page_of(page, script.read_runs(script.KEPT)) == page


def test_a_typed_number_is_found(script: ModuleType) -> None:
    runs = script.read_runs(script.KEPT)
    page = script.PAGE.read_text(encoding="utf-8")
    typed = re.sub(r"\d\.\d{3} MAD:MAE", "9.999 MAD:MAE", page, count=1)
    assert typed != page
    assert script.page_of(typed, runs) == page


def test_errors_are_those_of_the_records(script: ModuleType) -> None:
    """What the comparisons are made of gives the error that the record states, which another code computed."""
    for run in script.read_runs(script.KEPT):
        whole = run.record.metrics.whole
        if whole.kind == "regression":
            assert np.mean(run.errors()) == pytest.approx(whole.mae.value, rel=1e-9)


def test_a_command_makes_the_same_run_again(script: ModuleType) -> None:
    """The settings that a command of the page asks for are those of its records."""
    from llm4mat_bench.baselines.registry import get_baseline
    from llm4mat_bench.baselines.run import read_settings

    for group in script.groups_of(script.read_runs(script.KEPT)):
        if group.first.protocol.kind != "training":
            continue
        words = script.command_of([run.record for run in group.runs]).split()
        given = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
        if "--model-id" in words:
            given["model_id"] = words[words.index("--model-id") + 1]
        preset = next((words[at + 1] for at, word in enumerate(words) if word == "--preset"), None)
        settings = read_settings(get_baseline(group.first.model.id), given, preset).that_answer()
        stated = dict(group.first.protocol.settings)
        settings.pop("model_revision", None), stated.pop("model_revision", None)
        assert settings == stated
