"""Arithmetic on many small vectors with the very bits of the one-at-a-time calls.

The text of a description hangs on the last bit of some angles (an angle a hair above or below 90° changes the sign of
an order parameter), so arrays of vectors must give exactly what pymatgen gets for each vector by itself. NumPy's
`vecdot` runs the same inner product per row as `np.inner` and `np.linalg.norm`, and a stacked `matmul` of single rows
the same matrix product as `np.dot(vector, matrix)`; `einsum` or one big matrix product do not. NumPy's arc cosine and
exponential differ from those of `math` in the last bit on many processors, so the latter are called for each value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def norms(vectors: Floats) -> Floats:
    """The length of every vector in the last axis; as `np.linalg.norm` of each."""
    result: Floats = np.sqrt(np.vecdot(vectors, vectors))
    return result


def cartesian(fractional: Floats, matrix: Floats) -> Floats:
    """Cartesian coordinates of rows of fractional ones, shape (n, 3); as `Lattice.get_cartesian_coords` of each row."""
    result: Floats = np.matmul(np.ascontiguousarray(fractional)[:, None, :], matrix)[:, 0, :]
    return result


def arccos(cosines: Floats) -> Floats:
    """The arc cosine of every value, cut to [-1, 1] first; as `math.acos` of each."""
    clipped = np.maximum(-1.0, np.minimum(cosines, 1.0))
    acos = math.acos
    return np.array([acos(value) for value in clipped.ravel().tolist()]).reshape(cosines.shape)


def exponential(exponents: Floats) -> Floats:
    """E to the power of every value; as `math.exp` of each."""
    exp = math.exp
    return np.array([exp(value) for value in exponents.ravel().tolist()]).reshape(exponents.shape)


def sums(values: Floats, groups: Integers, number: int) -> Floats:
    """The sum of the values of every group, added one after the other in the order given."""
    result: Floats = np.bincount(groups, weights=values, minlength=number).astype(np.float64)
    return result
