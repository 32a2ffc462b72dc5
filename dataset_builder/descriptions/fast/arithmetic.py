"""Arithmetic on many small vectors that gives the same bits on every processor, and those of upstream on one.

The text of a description hangs on the last bit of some angles (an angle a hair above or below 90° changes the sign of
an order parameter). NumPy's inner and matrix products are done by OpenBLAS, which has other code for every family of
processors: some of it adds products with fused multiply-adds, some in another order, so the last bit differs. Here
products are made with elementwise operations, which round each product and each sum, in the order of OpenBLAS'
*Nehalem* kernels: a plain sum from left to right, for vectors of fewer than 16 numbers. Haswell, Zen and Sandybridge
kernels give the same for inner products of 3-vectors and for one vector times a matrix.

NumPy's own arc cosine, arc tangent, exponential and power are other code where the processor has AVX-512, and differ
from the C library's in the last bit; so those of `math` are called for each value. Its cosine is the C library's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK = 16  # the Nehalem kernel adds so many products at once in eight partial sums, the rest one by one


def dots(a: Floats, b: Floats) -> Floats:
    """Inner products along the last axis; as `np.inner` of each pair."""
    length = a.shape[-1]
    whole = length - length % BLOCK
    result: Floats
    if whole:
        products = a[..., :whole] * b[..., :whole]
        partial = products[..., :8].copy()
        for start in range(8, whole, 8):
            partial += products[..., start : start + 8]
        low = (partial[..., 0:2] + partial[..., 2:4]) + (partial[..., 4:6] + partial[..., 6:8])
        result = low[..., 0] + low[..., 1]
    else:
        result = a[..., 0] * b[..., 0]
    for index in range(whole or 1, length):
        result = result + a[..., index] * b[..., index]
    return result


def norms(vectors: Floats) -> Floats:
    """The length of every vector in the last axis; as `np.linalg.norm` of each."""
    result: Floats = np.sqrt(dots(vectors, vectors))
    return result


def cartesian(fractional: Floats, matrix: Floats) -> Floats:
    """Cartesian coordinates of rows of fractional ones, shape (n, 3); as `Lattice.get_cartesian_coords` of each row."""
    result: Floats = fractional[:, :1] * matrix[0] + fractional[:, 1:2] * matrix[1] + fractional[:, 2:] * matrix[2]
    return result


def arccos(cosines: Floats) -> Floats:
    """The arc cosine of every value, cut to [-1, 1] first; as `math.acos` of each."""
    clipped = np.maximum(-1.0, np.minimum(cosines, 1.0))
    acos = math.acos
    return np.array([acos(value) for value in clipped.ravel().tolist()]).reshape(cosines.shape)


def arctan(tangents: Floats) -> Floats:
    """The arc tangent of every value; as `math.atan` of each."""
    return np.array([math.atan(value) for value in tangents.ravel().tolist()]).reshape(tangents.shape)


def arctan2(up: Floats, across: Floats) -> Floats:
    """The angle of every pair; as `math.atan2` of each."""
    pairs = zip(up.ravel().tolist(), across.ravel().tolist(), strict=True)
    return np.array([math.atan2(y, x) for y, x in pairs]).reshape(up.shape)


def exponential(exponents: Floats) -> Floats:
    """E to the power of every value; as `math.exp` of each."""
    exp = math.exp
    return np.array([exp(value) for value in exponents.ravel().tolist()]).reshape(exponents.shape)


def power(values: Floats, exponent: float) -> Floats:
    """Every value to a power; a square is a product."""
    if exponent == 1:
        return values
    if exponent == 2:
        return values * values
    return np.array([value**exponent for value in values.ravel().tolist()]).reshape(values.shape)


def sums(values: Floats, groups: Integers, number: int) -> Floats:
    """The sum of the values of every group, added one after the other in the order given."""
    result: Floats = np.bincount(groups, weights=values, minlength=number).astype(np.float64)
    return result


def total(values: Iterable[float]) -> float:
    """The sum of numbers, added one after the other; the built-in `sum` compensates from Python 3.12 on."""
    result = 0.0
    for value in values:
        result += value
    return result
