"""Runs that ask what a model has read: every crystal gets another one's text."""

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError


def other_crystals(rows: int, seed: int) -> NDArray[np.int64]:
    """For each row the place of another one, each once: a random cycle through all of them.

    Raises:
        DataError: There is no other row.
    """
    if rows < 2:
        raise DataError(f"{rows} test row: there is no other crystal whose text could be given")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(rows)
    places = np.empty(rows, dtype=np.int64)
    places[order] = np.roll(order, 1)
    return places
