"""NumPy with its processor-dependent parts replaced: what OpenBLAS does, and functions with other code for AVX-512."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import linear_algebra

# by OpenBLAS or LAPACK, or other code with AVX-512 or FMA, and not needed: refused rather than passed on
REFUSED = (
    *("matmul", "vecdot", "matvec", "vecmat", "vdot", "tensordot", "einsum", "kron", "convolve", "correlate"),
    *("polyfit", "power", "float_power", "cbrt", "tan", "exp2", "expm1", "log2", "log10", "log1p", "cov", "corrcoef"),
    *("arcsinh", "arccosh", "arctanh", "sinh", "cosh", "tanh"),
)
REFUSED_ALGEBRA = (
    *("cholesky", "cond", "eig", "eigh", "eigvals", "eigvalsh", "matrix_power", "matrix_rank", "multi_dot", "pinv"),
    *("qr", "slogdet", "solve", "svd", "svdvals", "tensorinv", "tensorsolve", "matmul", "vecdot", "outer", "cross"),
    *("tensordot", "vector_norm", "matrix_norm"),
)


def _each(function: Callable[..., float]) -> Callable[..., Any]:
    """A function of `math` for numbers and arrays."""

    def apply(*arguments: ArrayLike) -> Any:  # noqa: ANN401
        arrays = np.broadcast_arrays(*(np.asarray(argument, dtype=np.float64) for argument in arguments))
        if arrays[0].ndim == 0:
            return np.float64(function(*(array.item() for array in arrays)))
        values = [function(*each) for each in zip(*(array.ravel().tolist() for array in arrays), strict=True)]
        return np.array(values).reshape(arrays[0].shape)

    return apply


def _refuse(name: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any, **_options: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError(f"np.{name} has no form that is the same on every processor")

    return refuse


def make() -> ModuleType:
    """A module to be used in place of `numpy`."""
    fixed = ModuleType("numpy")
    fixed.__dict__.update(vars(np))
    fixed.__dict__.update({name: _refuse(name) for name in REFUSED})
    fixed.__dict__.update(
        dot=linear_algebra.dot,
        inner=linear_algebra.inner,
        arccos=_each(math.acos),
        arcsin=_each(math.asin),
        arctan=_each(math.atan),
        arctan2=_each(math.atan2),
        exp=_each(math.exp),
        log=_each(math.log),
    )
    algebra = ModuleType("numpy.linalg")
    algebra.__dict__.update(vars(np.linalg))
    algebra.__dict__.update({name: _refuse(f"linalg.{name}") for name in REFUSED_ALGEBRA})
    algebra.__dict__.update(
        norm=linear_algebra.norm,
        inv=linear_algebra.inv,
        det=linear_algebra.det,
        lstsq=linear_algebra.lstsq,
    )
    fixed.linalg = algebra  # type: ignore[attr-defined]
    return fixed
