"""The few pieces of linear algebra that pymatgen needs for crystals, the same to the last bit on every processor.

What NumPy leaves to OpenBLAS is done here with plain products and sums, in the order of OpenBLAS' *Nehalem* kernels:
inner and matrix products from left to right, the inverse and the determinant from an LU decomposition by columns with
partial pivoting, in which a column is scaled by the reciprocal of its pivot. Matrices are 3 × 3, or rows of three; for
anything larger there is no promise, so it is refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arithmetic import dots

LARGEST = 3  # terms of a matrix product whose order is known to be that of the reference kernel

Matrix = list[list[float]]


def dot(a: ArrayLike, b: ArrayLike) -> Any:  # noqa: ANN401 - a number or an array, as `np.dot`
    """As `np.dot`."""
    x, y = np.asarray(a), np.asarray(b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    if x.dtype.kind in "biu" and y.dtype.kind in "biu":
        return np.dot(x, y)  # integers are exact and no business of OpenBLAS
    length = x.shape[-1]
    if length != y.shape[-2 if y.ndim > 1 else 0]:
        raise ValueError(f"shapes {x.shape} and {y.shape} not aligned")
    if x.ndim == 1 and y.ndim == 1:
        if length == 3:
            p, q = x.tolist(), y.tolist()
            return np.float64(p[0] * q[0] + p[1] * q[1] + p[2] * q[2])
        return dots(x, y) if length else np.float64(0.0)
    if length == 0:
        return np.zeros((*x.shape[:-1], *y.shape[:-2], *y.shape[-1:]) if y.ndim > 1 else x.shape[:-1])
    if length > LARGEST:
        raise NotImplementedError(f"A matrix product over {length} terms")
    if x.ndim == 1 and y.shape == (3, 3):
        p, (q0, q1, q2) = x.tolist(), y.tolist()
        return np.array([p[0] * s + p[1] * t + p[2] * u for s, t, u in zip(q0, q1, q2, strict=True)])
    if y.ndim == 1:
        result = x[..., 0] * y[0]
        for k in range(1, length):
            result = result + x[..., k] * y[k]
        return result
    result = x[..., 0, None] * y[..., 0, :]
    for k in range(1, length):
        result = result + x[..., k, None] * y[..., k, :]
    return result


def inner(a: ArrayLike, b: ArrayLike) -> Any:  # noqa: ANN401
    """As `np.inner`."""
    return dot(a, np.asarray(b).T)


def norm(x: ArrayLike, axis: int | None = None) -> Any:  # noqa: ANN401
    """As `np.linalg.norm`, of vectors."""
    values = np.asarray(x, dtype=np.float64)
    if axis is not None:
        return np.sqrt(np.add.reduce(values * values, axis=axis))
    flat = values.ravel(order="K")
    return np.sqrt(dot(flat, flat))


def _lu(rows: Matrix) -> tuple[Matrix, list[int], int]:
    """The decomposition, which row each came from, and the sign of that permutation."""
    a = [[float(value) for value in row] for row in rows]
    size = len(a)
    order, sign = list(range(size)), 1
    for j in range(size):
        for i in range(1, size):
            inside = min(i, j)
            if inside:
                total = a[i][0] * a[0][j]
                for k in range(1, inside):
                    total += a[i][k] * a[k][j]
                a[i][j] -= total
        pivot = max(range(j, size), key=lambda i: (abs(a[i][j]), -i))
        if pivot != j:
            a[j], a[pivot] = a[pivot], a[j]
            order[j], order[pivot] = order[pivot], order[j]
            sign = -sign
        if a[j][j] != 0:
            reciprocal = 1.0 / a[j][j]
            for i in range(j + 1, size):
                a[i][j] *= reciprocal
    return a, order, sign


def _inverse(rows: Matrix) -> Matrix:
    a, order, _ = _lu(rows)
    size = len(a)
    if any(a[i][i] == 0 for i in range(size)):
        raise np.linalg.LinAlgError("Singular matrix")
    reciprocals = [1.0 / a[i][i] for i in range(size)]
    columns = []
    for column in range(size):
        b = [1.0 if row == column else 0.0 for row in order]
        for i in range(size):
            for k in range(i):
                b[i] -= a[i][k] * b[k]
        for i in reversed(range(size)):
            for k in range(size - 1, i, -1):
                b[i] -= a[i][k] * b[k]
            b[i] *= reciprocals[i]
        columns.append(b)
    return [list(row) for row in zip(*columns, strict=True)]


def _inverses_of_triangles(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses of many upper triangular matrices, shape (n, 3, 3); no row is exchanged in those."""
    result = np.zeros_like(a)
    reciprocals = 1.0 / np.diagonal(a, axis1=-2, axis2=-1)
    for column in range(3):
        for i in range(column, -1, -1):
            b = np.full(len(a), 1.0 if i == column else 0.0)
            for k in range(column, i, -1):
                b = b - a[:, i, k] * result[:, k, column]
            result[:, i, column] = b * reciprocals[:, i]
    return result


def inv(a: ArrayLike) -> NDArray[np.float64]:
    """As `np.linalg.inv`.

    Raises:
        numpy.linalg.LinAlgError: There is no inverse.
    """
    matrices = np.asarray(a, dtype=np.float64)
    _small(matrices)
    if matrices.ndim == 2:
        return np.array(_inverse(matrices.tolist()))
    below = matrices[..., [1, 2, 2], [0, 0, 1]]
    if matrices.ndim == 3 and not below.any() and np.diagonal(matrices, axis1=-2, axis2=-1).all():
        return _inverses_of_triangles(matrices)
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    return np.array([_inverse(one.tolist()) for one in flat]).reshape(matrices.shape)


def det(a: ArrayLike) -> np.float64:
    """As `np.linalg.det` of one matrix, which is the exponential of a sum of logarithms."""
    matrix = np.asarray(a, dtype=np.float64)
    _small(matrix)
    if matrix.ndim != 2:
        raise NotImplementedError("Determinants of many matrices")
    rows, _, sign = _lu(matrix.tolist())
    logarithm = 0.0
    for i in range(len(rows)):
        value = rows[i][i]
        if value == 0:
            return np.float64(0.0)
        sign = -sign if value < 0 else sign
        logarithm += math.log(abs(value))
    return np.float64(sign * math.exp(logarithm))


def lstsq(a: ArrayLike, b: ArrayLike, rcond: float | None = None) -> tuple[NDArray[np.float64]]:
    """As `np.linalg.lstsq` with a diagonal matrix, where the answer is a division, done as LAPACK does it.

    Raises:
        NotImplementedError: The matrix is not diagonal.
    """
    matrix, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    diagonal = np.diagonal(matrix)
    if rcond is not None or (matrix != np.diag(diagonal)).any() or not diagonal.all():
        raise NotImplementedError("Least squares with a matrix that is not diagonal")
    scale = 1.0 / np.abs(diagonal).max()
    return ((right * (1.0 / (diagonal * scale))[:, None]) * scale,)


def _small(matrices: NDArray[np.float64]) -> None:
    if matrices.shape[-2:] != (3, 3):
        raise NotImplementedError(f"A matrix of shape {matrices.shape[-2:]}")
