"""A model added as one file, as CONTRIBUTING.md shows it: killed, resumed, saved, loaded; one of another package."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
TASK = "sample/band_gap"


def code_of_contributing() -> str:
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a baseline")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The package as it is, with one more file in its folder of models."""
    tree = tmp_path / "checkout"
    subprocess.run([sys.executable, ROOT / "scripts" / "link_package.py", tree], check=True)
    rooms = tree / "llm4mat_bench" / "baselines"
    source = rooms.resolve()
    rooms.unlink()
    shutil.copytree(source, rooms, ignore=shutil.ignore_patterns("__pycache__"))
    (rooms / "text_length.py").write_text(code_of_contributing(), encoding="utf-8")
    return tree


def program(checkout: Path, *words: object) -> list[str]:
    start = f"import sys; sys.path.insert(0, {str(checkout)!r}); from llm4mat_bench.cli import main; main()"
    return [sys.executable, "-c", start, *map(str, words)]


def train(checkout: Path, results: Path, epochs: int) -> list[str]:
    words = ("train", "text_length", TASK, "-m", "description", "--set", f"epochs={epochs}", "--out", results, "--json")
    return program(checkout, *words)


def test_the_example_passes_the_linter() -> None:
    """Who copies it has `make lint` pass."""
    pytest.importorskip("ruff")
    words = [sys.executable, "-m", "ruff", "check", "--quiet", "--stdin-filename", "baselines/text_length.py", "-"]
    checked = subprocess.run(words, input=code_of_contributing(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_a_model_in_one_file_is_killed_resumed_saved_and_loaded(checkout: Path, tmp_path: Path) -> None:
    epochs = 400
    whole = json.loads(
        subprocess.run(train(checkout, tmp_path / "whole", epochs), check=True, capture_output=True).stdout
    )

    killed = tmp_path / "killed"
    process = subprocess.Popen(train(checkout, killed, epochs), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (checkpoints := list(killed.rglob("checkpoint.json"))) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    checkpoint = checkpoints[0]
    state = json.loads(checkpoint.read_text())
    assert 0 < state["epoch"] < epochs, "it was killed while it learnt"
    assert not list(killed.rglob("result.json"))

    # What it resumes from is the checkpoint: another intercept there gives another line in the end.
    resumed = json.loads(subprocess.run(train(checkout, killed, epochs), check=True, capture_output=True).stdout)
    assert not resumed["already_there"]
    assert not checkpoint.exists()
    one, two = (Path(run["folder"]) / "predictions.parquet" for run in (whole, resumed))
    assert one.read_bytes() == two.read_bytes()

    ask = (
        "import sys; sys.path.insert(0, sys.argv[1]); import llm4mat_bench as l; m = l.load_model(sys.argv[2]);"
        "print(m.predict(l.load_task(m.manifest.task, m.manifest.modality)['test']['text'][:]).tolist())"
    )
    said = subprocess.run(
        [sys.executable, "-c", ask, checkout, resumed["folder"]], check=True, capture_output=True, text=True
    ).stdout
    np.testing.assert_array_equal(json.loads(said), pq.read_table(two)["prediction"].to_numpy())
    assert float(np.ptp(json.loads(said))) > 0


def test_a_checkpoint_is_what_it_goes_on_from(checkout: Path, tmp_path: Path) -> None:
    """The last step of another line ends near that line, not where a fresh start would."""
    results = tmp_path / "results"
    probe = json.loads(subprocess.run(train(checkout, results, 3), check=True, capture_output=True).stdout)
    folder = Path(probe["folder"])
    before = pq.read_table(folder / "predictions.parquet")["prediction"].to_numpy()
    shutil.rmtree(folder)
    work = folder.with_name(f".{folder.name}.work")
    work.mkdir()
    (work / "checkpoint.json").write_text(json.dumps({"epoch": 3, "intercept": 1000.0, "slope": 0.0}))
    subprocess.run(train(checkout, results, 3), check=True, capture_output=True)
    after = pq.read_table(folder / "predictions.parquet")["prediction"].to_numpy()
    assert before.max() < 100
    np.testing.assert_array_equal(after, 1000.0)


def test_help_and_errors_know_the_new_model(checkout: Path) -> None:
    called = subprocess.run(program(checkout, "train", "--help"), capture_output=True, text=True, check=True)
    assert "text_length" in called.stdout
    refused = subprocess.run(
        program(checkout, "train", "text_length", "sample/is_stable", "-m", "cif"),
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2
    assert "text_length learns regression, not classification" in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (None, "text_length_of_mine", None),
        ("MODEL = 1\n", "foreign", "MODEL is no Declaration"),
        ("import nothing_of_that_name\n", "foreign", "No module named 'nothing_of_that_name'"),
        ("raise SystemError('at\\nimport')\n", "foreign", "at import"),
    ],
)
def test_a_model_of_another_package(tmp_path: Path, code: str | None, name: str, message: str | None) -> None:
    """It is found by its entry point; a broken one is told when it is asked for, and spoils nothing else."""
    if code is None:
        code = code_of_contributing().replace("from ..files", "from llm4mat_bench.files")
        code = code.replace("from .protocol", "from llm4mat_bench.baselines.protocol").replace(
            '"text_length"', f'"{name}"'
        )
    (tmp_path / "foreign_package.py").write_text(code, encoding="utf-8")
    info = tmp_path / "foreign_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-package\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[llm4mat_bench.models]\n{name} = foreign_package\n", encoding="utf-8")
    ask = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from llm4mat_bench.baselines.registry import get_baseline, list_baselines\n"
        "assert {'dummy', 'composition_gbm'} <= {one.id for one in list_baselines()}\n"
        "print(get_baseline(sys.argv[2]).package)\n"
    )
    called = subprocess.run([sys.executable, "-c", ask, tmp_path, name], check=False, capture_output=True, text=True)
    if message is None:
        assert called.stdout == "foreign-package\n"
    else:
        assert called.returncode == 1
        assert f"model {name} cannot be used: foreign_package of foreign-package: " in called.stderr.splitlines()[-1]
        assert message in called.stderr.splitlines()[-1]
