"""Search for a number or a word of the text that tells two classes apart."""

from typing import NamedTuple

import numpy as np

from .expressions import Floats
from .search import Flags, Rows


class Split(NamedTuple):
    """A threshold on one number (or the presence of one word) and how it does on held-out rows."""

    column: int
    threshold: float
    above: bool
    auc: float
    balanced_accuracy: float
    p_value: float


def best_split(values: Floats, rows: Rows) -> Split | None:
    """Find the column that ranks the classes best on the fitted rows, and judge a threshold on the held-out ones.

    Args:
        values: (rows, columns) of numbers; a missing number counts as less than all others.
        rows: The target, codes 0 and 1.

    Returns:
        The split; None where there is no column, or a half of the rows has one class only.
    """
    from scipy.stats import fisher_exact

    target = rows.target == 1
    if values.shape[1] == 0 or any(len(set(target[half].tolist())) < 2 for half in (rows.fit, rows.held_out)):
        return None
    floor = np.nanmin(np.where(np.isfinite(values), values, np.nan), axis=0, initial=0.0) - 1
    filled = np.where(np.isfinite(values), values, floor)
    scores = _auc(filled[rows.fit], target[rows.fit])
    column = int(np.argmax(np.abs(scores - 0.5)))
    above = bool(scores[column] > 0.5)
    cells = filled[:, column]
    threshold = _threshold(cells[rows.fit], target[rows.fit], above=above)
    told, truth = (cells > threshold) == above, target
    told, truth = told[rows.held_out], truth[rows.held_out]
    table = [[int(np.sum(told & truth)), int(np.sum(~told & truth))],
             [int(np.sum(told & ~truth)), int(np.sum(~told & ~truth))]]  # fmt: skip
    auc = float(_auc(filled[rows.held_out][:, [column]], target[rows.held_out])[0])
    return Split(
        column=column,
        threshold=threshold,
        above=above,
        auc=auc if above else 1 - auc,
        balanced_accuracy=(table[0][0] / max(1, sum(table[0])) + table[1][1] / max(1, sum(table[1]))) / 2,
        p_value=float(fisher_exact(table, alternative="greater").pvalue),
    )


def _auc(values: Floats, positive: Flags) -> Floats:
    """Area under the ROC curve of every column (Mann-Whitney, ties shared)."""
    from scipy.stats import rankdata

    count = int(positive.sum())
    ranks = rankdata(values, axis=0)[positive].sum(axis=0)
    return np.asarray((ranks - count * (count + 1) / 2) / (count * (len(positive) - count)))


def _threshold(values: Floats, positive: Flags, *, above: bool) -> float:
    """Choose the cut between two values with the best balanced accuracy."""
    levels = np.unique(values)
    cuts = (levels[1:] + levels[:-1]) / 2 if len(levels) > 1 else levels
    high, low = np.sort(values[positive]), np.sort(values[~positive])
    over = 1 - np.searchsorted(high, cuts, side="right") / len(high)
    under = np.searchsorted(low, cuts, side="right") / len(low)
    gain = over + under if above else 2 - over - under
    return float(cuts[int(np.argmax(gain))])
