"""The command line of build."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from published import write_published

PROGRAM = [sys.executable, "-c", "from llm4mat_bench.cli import main; main()"]


def _run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_build_prints_counts_and_how_to_load(tmp_path: Path) -> None:
    write_published(tmp_path / "in", "snumat")
    done = _run("build", "snumat", "--from", tmp_path / "in", "--out", tmp_path / "out", "--allow-partial")
    assert done.returncode == 0, done.stderr
    assert "8,297" in done.stdout
    assert f'load_dataset("{tmp_path / "out"}", "snumat-description")' in done.stdout


def test_json(tmp_path: Path) -> None:
    write_published(tmp_path / "in")
    options = ["--allow-partial", "--strict", "--cif-policy", "strip-derived", "--json"]
    done = _run("build", "mp", "--from", tmp_path / "in", "--out", tmp_path / "out", *options)
    report = json.loads(done.stdout)[0]
    assert (report["policy"], report["cif_policy"]) == ("strict", "strip-derived")
    assert report == json.loads((tmp_path / "out" / "build_report.json").read_text())["sources"]["mp"]


def test_non_commercial_sources_are_left_out(tmp_path: Path) -> None:
    write_published(tmp_path / "in", "mp")
    write_published(tmp_path / "in", "gnome")
    arguments = ["build", "mp", "gnome", "--from", tmp_path / "in", "--out", tmp_path / "out", "--allow-partial"]
    done = _run(*arguments, "--exclude-noncommercial")
    assert done.returncode == 0, done.stderr
    assert "left out: gnome (non-commercial)" in done.stderr
    assert not (tmp_path / "out" / "data" / "gnome").exists()
    assert _run("build", "gnome", "--out", tmp_path / "out", "--exclude-noncommercial").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["build", "mpp"], "unknown source 'mpp'", 2),
        (["build", "mp"], "--from is needed", 2),
        (["build", "mp", "--from", "nowhere"], "no such folder", 1),
        (["build", "mp", "--from", ".", "--reader", "jarviss"], "unknown reader 'jarviss'. Did you mean jarvis", 2),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: list[str], message: str, status: int) -> None:
    done = _run(*arguments, "--out", tmp_path / "out")
    assert done.returncode == status
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
