"""Weighted sums that are the same on every processor, in any order of summation, and yet go through fast products.

A product of matrices (BLAS) is several times faster than sums over products, and rounds in another order on every
family of processors and number of threads. Where the weights are whole numbers of a known sum, as the counts of a
resample are, nothing need be rounded: each column is split into two, of so few bits that every partial sum is a whole
multiple of its last bit and fits into a float64.
"""

import math

import numpy as np

from .arrays import Floats

_BITS = 52  # one less than a float64 has: room for what rounding to the last bit adds


class ExactSums:
    """Sums of some columns, weighted by whole numbers.

    Args:
        columns: shape ``(n_columns, n)``, finite.
        weight: what the weights of one sum add up to at most; with all columns together within the range of float64.
    """

    def __init__(self, columns: Floats, weight: int) -> None:
        self._n_columns = len(columns)
        high = _rounded(columns, weight)
        self._parts = np.concatenate([high, _rounded(columns - high, weight)]).T.copy()

    def weighted(self, weights: Floats) -> Floats:
        """Return the sums, each rounded once from its two exact halves.

        Args:
            weights: shape ``(n_sums, n)``, whole numbers that are not negative.

        Returns:
            Shape ``(n_columns, n_sums)``; relative to the sum of magnitudes they are off by 2**-53, and the remainder
            of the split, some 2**-90.
        """
        sums = weights @ self._parts
        found: Floats = (sums[:, : self._n_columns] + sums[:, self._n_columns :]).T
        return found


def _rounded(columns: Floats, weight: int) -> Floats:
    """Each column rounded to whole multiples of a power of two, as fine as leaves its weighted sums exact."""
    largest = np.maximum(columns.max(axis=1), -columns.min(axis=1))
    mantissas, exponents = np.frexp(largest)
    exponents = exponents + math.frexp(weight)[1] - _BITS
    # nothing is finer than the smallest number
    unit = np.ldexp(1.0, np.where(mantissas == 0, 0, np.maximum(exponents, -1074)))[:, None]
    rounded: Floats = np.rint(columns / unit) * unit
    return rounded
