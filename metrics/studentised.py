"""Bootstrap-t on the log scale: how far resampled scores lie from the score, in their own standard errors.

Every score here is positive and a smooth function of means over the materials, so each resample has a standard error
of its own (the delta method), and ``T = (log score* - log score) / se*`` has nearly the same law for the resamples and
for the sample itself, skewed and heavy-tailed errors included. No sum that is rounded goes through a BLAS.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .exact_sums import ExactSums

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

N_BLOCKS = 4096
N_KNOTS = 33
"""In how many places the MAD of a block is computed exactly, between which it is interpolated."""
_ELEMENTS = 1 << 16  # of a batch of resamples: it stays in the processor's cache
SE_FLOOR = 0.1
"""A resample's standard error counts as at least so much of what it is expected to be: a few lucky materials that are
alike would otherwise stretch the interval without bound."""


class Studentised(NamedTuple):
    """One score.

    Attributes:
        value: the score, of scaled input.
        se: standard error of its logarithm.
        t: shape ``(n,)``, ascending, studentised logarithms of the resamples; those that are not finite are left out.
    """

    value: float
    se: float
    t: Floats


class Means(NamedTuple):
    """Means over materials, each of shape ``()`` or ``(n_resamples,)``; ``d`` is a deviation, ``e`` an error."""

    d: Floats
    d_squared: Floats
    d_absolute: Floats
    d_sign: Floats
    d_times_absolute: Floats
    e_absolute: Floats
    e_squared: Floats
    both_absolute: Floats
    d_times_e_absolute: Floats


def studentised_means(
    deviations: Floats, errors: Floats, n_resamples: int, random: np.random.Generator, *, plain: bool
) -> dict[str, Studentised]:
    """Return MAD, MAE and MAE / MAD (``mae_mad``), resampled ``n`` of ``n`` materials.

    Args:
        deviations: shape ``(n,)``, of the targets from their mean, magnitudes at most 1.
        errors: shape ``(n,)``, magnitudes at most 1.
        n_resamples: number of resamples.
        random: source of randomness.
        plain: draw materials; else 4096 random blocks of them.

    Returns:
        By name; scores that are 0 or infinite are left out.
    """
    n = deviations.size
    draws = draw_means(deviations, errors, n_resamples, random, plain=plain)
    mad, mae = (np.asarray(np.abs(values).mean()) for values in (deviations, errors))
    means = draws.whole._replace(e_absolute=mae)  # summed as the score itself is
    return _studentise(_of_means(means, mad), _of_means(draws.means, draws.mad), n, n)


class Draws(NamedTuple):
    """Means over all materials and over each resample, and each resample's MAD around its own mean."""

    whole: Means
    means: Means
    mad: Floats


def draw_means(
    deviations: Floats, errors: Floats, n_resamples: int, random: np.random.Generator, *, plain: bool
) -> Draws:
    """Draw the resamples; arguments as above."""
    n = deviations.size
    n_units = n if plain else min(N_BLOCKS, n)
    starts = np.arange(n_units) * n // n_units
    sizes = np.diff(starts, append=n).astype(np.float64)
    drawn = _draw(n, n_units, n_resamples, random, plain=plain)
    if drawn.order is not None:
        deviations, errors = deviations[drawn.order], errors[drawn.order]
    columns = _columns(deviations, errors)
    sums = np.stack([column if plain else np.add.reduceat(column, starts) for column in columns])

    def of_targets() -> tuple[Floats, Floats, Floats]:
        """Materials in each resample, sums of the columns that are of the targets alone, and MAD."""
        of_each = ExactSums(np.concatenate([sizes[None], sums[:_OF_TARGETS]]), n_units)
        totals, mad = np.empty((1 + _OF_TARGETS, n_resamples)), np.empty(n_resamples)
        for batch, counts in drawn.batches():
            totals[:, batch] = of_each.weighted(counts)
            if plain:
                distances = np.subtract(deviations, (totals[1, batch] / n)[:, None])
                mad[batch] = np.multiply(np.abs(distances, out=distances), counts, out=distances).sum(axis=1) / n
        if not plain:
            mad = _mad_of_blocks(deviations, starts, drawn, totals[0], totals[1] / totals[0])
        return totals[0], totals[1:], mad

    drawn_sizes, totals_of_targets, mad = _kept.totals(drawn.key, deviations, of_targets) if _kept else of_targets()
    totals = np.empty((len(sums), n_resamples))
    totals[:_OF_TARGETS] = totals_of_targets
    of_errors = ExactSums(sums[_OF_TARGETS:], n_units)
    for batch, counts in drawn.batches():
        totals[_OF_TARGETS:, batch] = of_errors.weighted(counts)
    return Draws(Means(*(np.asarray(column.sum() / n) for column in sums)), Means(*(totals / drawn_sizes)), mad)


class _Drawn(NamedTuple):
    """What is drawn for some number of materials, resamples and state of the randomness.

    Attributes:
        key: of all that they follow from.
        order: shape ``(n,)``, in which the materials are dealt to blocks; None where each stands for itself.
        counts: shape ``(n_resamples, n_units)``, how often each resample draws each unit.
    """

    key: str
    order: NDArray[np.intp] | None
    counts: NDArray[np.uint16]

    def batches(self) -> Iterator[tuple[slice, Floats]]:
        """Some resamples at a time, as floating-point numbers; what was got before is overwritten."""
        room = np.empty(self.counts.shape[1] * _rows_of_batch(self.counts.shape[1]))
        for batch in _batches(*self.counts.shape):
            here = self.counts[batch]
            counts = room[: here.size].reshape(here.shape)
            counts[:] = here
            yield batch, counts


def _draw(n: int, n_units: int, n_resamples: int, random: np.random.Generator, *, plain: bool) -> _Drawn:
    key = f"{n} {n_units} {n_resamples} {plain} {random.bit_generator.state}"

    def anew() -> _Drawn:
        order = None if plain else random.permutation(n)
        counts = np.empty((n_resamples, n_units), dtype=np.uint16)
        for batch in _batches(n_resamples, n_units):
            drawn = random.integers(n_units, size=(batch.stop - batch.start, n_units))
            drawn += n_units * np.arange(len(drawn))[:, None]  # each resample counts in places of its own
            counts[batch] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        return _Drawn(key, order, counts)

    return _kept.drawn(key, random, anew) if _kept else anew()


@contextmanager
def keeping_draws() -> Iterator[None]:
    """Keep the draws while the block runs, and what they make of a task's targets: no result is another by a bit.

    Runs of one task are resampled by the same draws, being as many and from the same seed; of what a resample costs,
    the draws and the targets' part are most.
    """
    global _kept  # noqa: PLW0603 - what is kept must be found wherever scores are computed
    before, _kept = _kept, _Kept()
    try:
        yield
    finally:
        _kept = before


class _Kept:
    """What was drawn, by all that it follows from, and what it made of targets; those last used of each."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[str, tuple[Any, dict[str, Any]]] = OrderedDict()
        self._totals: OrderedDict[tuple[str, bytes], Any] = OrderedDict()

    def drawn(self, key: str, random: np.random.Generator, make: Callable[[], _Value]) -> _Value:
        """What ``make`` draws from ``random``, which goes on as if it were drawn anew."""
        if key not in self._drawn:
            made = make()
            _keep(self._drawn, key, (made, dict(random.bit_generator.state)))
        self._drawn.move_to_end(key)
        found: _Value
        found, state = self._drawn[key]
        random.bit_generator.state = state
        return found

    def totals(self, key: str, targets: Floats, make: Callable[[], _Value]) -> _Value:
        """What ``make`` computes from targets and what was drawn by a key."""
        of_targets = (key, hashlib.sha256(targets.tobytes()).digest())
        if of_targets not in self._totals:
            _keep(self._totals, of_targets, make())
        self._totals.move_to_end(of_targets)
        found: _Value = self._totals[of_targets]
        return found


_kept: _Kept | None = None
_OF_TARGETS = 5
"""So many of the columns, the first ones, are of the targets alone."""
_KEPT_OF_EACH = 4  # what one run with missing answers draws; 1,000 draws of 20,000 materials are 40 MB


def _keep(kept: "OrderedDict[_Key, _Value]", key: _Key, value: _Value) -> None:
    kept[key] = value
    if len(kept) > _KEPT_OF_EACH:
        kept.popitem(last=False)


def studentised_squares(
    deviations: Floats, errors: Floats, n_resamples: int, random: np.random.Generator, *, size: int
) -> dict[str, Studentised]:
    """Return RMSE and ``1 - R2`` (``residual``), resampled ``size`` of ``n`` materials, as few as heavy tails ask for.

    Args: as in :func:`studentised_means`.
    """
    n = deviations.size
    chosen, key = _choose(n, size, n_resamples, random)

    def of_targets() -> tuple[Floats, Floats]:
        spread, relative = np.empty(n_resamples), np.empty((n_resamples, size))
        for batch in _batches(n_resamples, size):
            spread[batch], relative[batch] = _spread(deviations[chosen[batch]])
        return spread, relative

    spread, relative = _kept.totals(key, deviations, of_targets) if _kept else of_targets()
    squared_errors = np.square(errors)
    resampled, own = ({name: np.empty(n_resamples) for name in ("rmse", "residual")} for _ in range(2))
    for batch in _batches(n_resamples, size):
        values, errors_of_logs = _of_squares(squared_errors[chosen[batch]], spread[batch], relative[batch])
        for name in resampled:
            resampled[name][batch], own[name][batch] = values[name], errors_of_logs[name]
    values, errors_of_logs = _of_squares(squared_errors[None, :], *_spread(deviations[None, :]))
    whole = [{name: found[0] for name, found in both.items()} for both in (values, errors_of_logs)]
    return _studentise((whole[0], whole[1]), (resampled, own), n, size)


def _choose(n: int, size: int, n_resamples: int, random: np.random.Generator) -> tuple[NDArray[np.int64], str]:
    """Places of ``size`` of ``n`` materials a resample, and what they follow from."""
    key = f"{n} {size} of {n_resamples} {random.bit_generator.state}"

    def anew() -> NDArray[np.int64]:
        return random.integers(n, size=(n_resamples, size))

    return _kept.drawn(key, random, anew) if _kept else anew(), key


def _batches(n_resamples: int, width: int) -> Iterator[slice]:
    rows = _rows_of_batch(width)
    for start in range(0, n_resamples, rows):
        yield slice(start, min(start + rows, n_resamples))


def _rows_of_batch(width: int) -> int:
    return max(1, _ELEMENTS // width)


def _columns(deviations: Floats, errors: Floats) -> Iterator[Floats]:
    """The columns that :class:`Means` are the means of, one at a time: there may be millions of rows."""
    d_absolute, e_absolute = np.abs(deviations), np.abs(errors)
    yield deviations
    yield np.square(deviations)
    yield d_absolute
    yield np.sign(deviations)
    yield d_absolute * deviations
    yield e_absolute
    yield np.square(errors)
    yield d_absolute * e_absolute
    yield deviations * e_absolute


_Values = dict[str, Floats]


def _of_means(means: Means, mad: Floats) -> tuple[_Values, _Values]:
    """MAD, MAE and MAE / MAD, and standard deviations of the influence functions of their logarithms."""
    d, d2, absolute, sign, d_absolute, mae, e2, both, de = means
    with np.errstate(all="ignore"):
        # The MAD moves with the mean it is taken around: its influence function is |d| - sign * d.
        mad_variance = d2 * (1 + sign**2) - 2 * sign * d_absolute - (absolute - sign * d) ** 2
        mae_variance = e2 - mae**2
        covariance = (both - sign * de) - (absolute - sign * d) * mae
        first, second = mad_variance / mad**2, mae_variance / mae**2
        mixed = first + second - 2 * covariance / (mad * mae)
        values = {"mad": mad, "mae": mae, "mae_mad": mae / mad}
        return values, {
            name: np.sqrt(np.maximum(variance, 0.0))
            for name, variance in (("mad", first), ("mae", second), ("mae_mad", mixed))
        }


def _spread(deviations: Floats) -> tuple[Floats, Floats]:
    """By row, the variance and what each material adds to it, relative to it."""
    constant = deviations.min(axis=1) == deviations.max(axis=1)
    squares = np.square(deviations - deviations.mean(axis=1)[:, None])
    spread = np.where(constant, 0.0, squares.mean(axis=1))
    with np.errstate(all="ignore"):
        return spread, squares / spread[:, None] - 1


def _of_squares(squared_errors: Floats, spread: Floats, other: Floats) -> tuple[_Values, _Values]:
    """RMSE and 1 - R2 by row, and standard deviations of the influence functions of their logarithms."""
    error = squared_errors.mean(axis=1)
    with np.errstate(all="ignore"):
        one = squared_errors / error[:, None] - 1
        values = {"rmse": np.sqrt(error), "residual": error / spread}
        errors = {
            "rmse": np.sqrt(np.square(one).mean(axis=1)) / 2,
            "residual": np.sqrt(np.square(one - other).mean(axis=1)),
        }
    return values, errors


def _studentise(
    whole: tuple[_Values, _Values], resamples: tuple[_Values, _Values], n: int, size: int
) -> dict[str, Studentised]:
    """Put values and standard deviations together, of all ``n`` materials and of resamples of ``size``."""
    found = {}
    for name, value in whole[0].items():
        if not 0 < value < math.inf:
            continue
        deviation = float(whole[1][name])
        with np.errstate(all="ignore"):
            own = np.maximum(resamples[1][name], SE_FLOOR * deviation) / math.sqrt(size)
            t = np.log(resamples[0][name] / value) / own
        found[name] = Studentised(float(value), deviation / math.sqrt(n), np.sort(t[np.isfinite(t)]))
    return found


def _mad_of_blocks(
    deviations: Floats, starts: NDArray[np.intp], drawn: _Drawn, sizes: Floats, centre: Floats
) -> Floats:
    """Mean absolute deviation of each resample of blocks around its own mean, interpolated between knots."""
    knots = np.linspace(centre.min(), centre.max(), N_KNOTS)
    at_knots = np.stack([np.add.reduceat(np.abs(deviations - knot), starts) for knot in knots])
    mad = np.empty(centre.size)
    step = knots[1] - knots[0]
    for batch, counts in drawn.batches():
        place = (centre[batch] - knots[0]) / step if step > 0 else np.zeros(centre[batch].size)
        left = np.clip(place.astype(np.intp), 0, N_KNOTS - 2)
        weight = (place - left)[:, None]
        sums = (1 - weight) * at_knots[left] + weight * at_knots[left + 1]
        mad[batch] = (counts * sums).sum(axis=1) / sizes[batch]
    return mad
