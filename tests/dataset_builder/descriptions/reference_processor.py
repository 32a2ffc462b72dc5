"""The processor that descriptions are compared with upstream on: OpenBLAS' Nehalem kernels, NumPy without AVX-512."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

KERNEL = "Nehalem"


@cache
def _numpy_with_avx512() -> tuple[str, ...]:
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return tuple(
        name for name in __cpu_dispatch__ if __cpu_features__.get(name) and ("512" in name or name == "X86_V4")
    )


def has_avx512() -> bool:
    """Whether the processor itself has AVX-512, whatever NumPy was told."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512f" in flags and "avx512dq" in flags


@cache
def differences() -> list[str]:
    """In what this process differs from the reference, one line each."""
    import scipy.linalg  # noqa: F401 - loads its own OpenBLAS
    import threadpoolctl

    kernels = {info["architecture"] for info in threadpoolctl.threadpool_info() if info["internal_api"] == "openblas"}
    found = [f"OpenBLAS runs its {name} kernels" for name in sorted(kernels - {KERNEL})]
    if _numpy_with_avx512():
        found.append("NumPy uses AVX-512")
    return found


def environment() -> dict[str, str]:
    """The environment in which a new process is like the reference."""
    return {
        **os.environ,
        "OPENBLAS_CORETYPE": KERNEL,
        "NPY_DISABLE_CPU_FEATURES": " ".join(_numpy_with_avx512()) or os.environ.get("NPY_DISABLE_CPU_FEATURES", ""),
    }
