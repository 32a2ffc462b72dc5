"""Runs that ask what a model has learnt: on fewer rows."""

import numpy as np

from .protocol import Split


def train_subset(train: Split, rows: int, seed: int) -> Split:
    """The first rows of a shuffled order, so that a smaller subset of the same seed lies within a larger one."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(train))[:rows]
    return Split(train.name, train.rows.select(np.sort(order)))
