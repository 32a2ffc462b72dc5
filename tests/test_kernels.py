"""The same input gives the same bytes whatever BLAS kernel the processor has, and scores agree to 1e-9.

OpenBLAS is told which kernel to run, NumPy which instructions it may use, each in a process of its own. The texts of
crystals have a test of their own (`tests/dataset_builder/descriptions`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "kernel_digest.py"
# As if on a processor of 2008, of 2011 and of 2013.
KERNELS = {
    "Nehalem": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "Sandybridge": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "Haswell": "X86_V4 AVX512_ICL AVX512_SPR",
}


def _digest(kernel: str | None) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    environment["PYTHONWARNINGS"] = "ignore"
    if kernel:
        environment |= {"OPENBLAS_CORETYPE": kernel, "NPY_DISABLE_CPU_FEATURES": _dispatched(KERNELS[kernel])}
    # -P: this folder holds tests/llm4mat_bench, which would else pass for the package.
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _dispatched(wanted: str) -> str:
    """Those of some features that this NumPy chooses between at run time: others it refuses to switch off."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    return " ".join(name for name in wanted.split() if name in __cpu_dispatch__)


@pytest.fixture(scope="module")
def usual() -> dict[str, Any]:
    return _digest(None)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_bytes_do_not_depend_on_the_kernel(kernel: str, usual: dict[str, Any]) -> None:
    other = _digest(kernel)
    if os.uname().machine == "x86_64":
        assert other.pop("kernels") == [kernel], "OpenBLAS did not take the kernel"
    else:
        other.pop("kernels")
    for name in usual.keys() - {"kernels", "scores"}:
        assert other[name] == usual[name], name
    assert other["scores"] == pytest.approx(usual["scores"], rel=1e-9, abs=0)
