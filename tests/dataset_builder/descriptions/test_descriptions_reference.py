"""Runs the comparison of single pieces with upstream's on the reference kernel, whatever kernel runs here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("robocrys")

import reference_processor

HERE = Path(__file__).parent
PARTS = [HERE / "test_descriptions_parts.py", HERE / "test_linear_algebra.py"]


@pytest.mark.slow
def test_the_pieces_are_those_of_upstream_on_the_reference_kernel() -> None:
    if not reference_processor.differences():
        pytest.skip("this process has the reference kernel, so the tests of the pieces run in it")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *map(str, PARTS)],
        env=reference_processor.environment(),
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[2],
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout[-2000:]
