"""Search for an expression that gives a target: fitted on one half of the rows, judged on the other.

Every candidate has at most one constant, fitted as a median. The search runs from simple to complicated and stops at
the first length that reaches the limits. The same search on a shuffled target is the control: what it finds is chance.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .expressions import Expression, Floats, Form, products, simplify, sums
from .features import is_literal
from .models import Limits

_SCREEN_ROWS = 33
_CHUNK = 1 << 15
_MAX_TOLERANCE = 0.03
Flags = NDArray[np.bool_]


class Numbers(NamedTuple):
    """The numbers that go into the arithmetic: (rows, features), the rounding of each, relative and absolute."""

    names: list[str]
    values: Floats
    half_units: Floats
    rounding: Floats


class Fit(NamedTuple):
    """An expression with its constant and how it does on held-out rows (R² of the whole column, all labelled rows)."""

    expression: Expression
    constant: float
    coverage: float
    informative_coverage: float
    control: float
    median_relative_error: float | None
    prediction: Floats

    @property
    def lift(self) -> float:
        """Coverage of the informative rows, corrected for chance."""
        return lift(self.informative_coverage, self.control)


class Rows(NamedTuple):
    """The rows of one search: target, halves, rows that say something, how exactly the target itself is given."""

    target: Floats
    fit: NDArray[np.int64]
    held_out: NDArray[np.int64]
    informative: Flags
    resolution: float


class _Screen(NamedTuple):
    """A few fitted rows: numbers and target as they are and as logarithms; ``slack`` is the target's own rounding."""

    values: Floats
    target: Floats
    logs: Floats
    log_target: Floats
    rounding: Floats
    slack: Floats


def lift(coverage: float, control: float) -> float:
    """Correct a coverage for chance; 0 where chance alone does as well."""
    return 0.0 if control >= 1 else max(0.0, (coverage - control) / (1 - control))


def make_rows(target: Floats) -> Rows:
    """Halve the rows and mark those that say something.

    Where one value holds more than a fifth of the rows (band gaps of 0), an expression must also hit the others.
    """
    fit = np.arange(0, len(target), 2)
    held_out = np.arange(1, len(target), 2)
    values, counts = np.unique(target, return_counts=True)
    informative = np.ones(len(target), dtype=bool)
    if counts.max() > 0.2 * len(target):
        informative = target != values[counts.argmax()]
    return Rows(target, fit, held_out, informative, _resolution(target))


def choose_numbers(names: list[str], values: Floats, half_units: Floats, limits: Limits) -> tuple[Numbers, int]:
    """Choose the numbers for the arithmetic: there in nearly all rows, not constant, no two proportional.

    Returns:
        The numbers, and how many were left out because there were more than ``limits.max_features``.
    """
    present = np.isfinite(values).mean(axis=0) >= limits.coverage
    kept: list[int] = []
    seen: set[bytes] = set()
    for column in np.flatnonzero(present):
        cells = values[:, column]
        finite = cells[np.isfinite(cells)]
        if np.ptp(finite) <= 1e-12 * np.abs(finite).max():
            continue
        scale = finite[np.abs(finite) > 0][0]
        signature = np.round(cells / scale, 9).tobytes()
        if signature not in seen:
            seen.add(signature)
            kept.append(int(column))
    left_out = max(0, len(kept) - limits.max_features)
    kept = _most_informative(kept, names, values)[: limits.max_features]
    cells, units = values[:, kept], half_units[:, kept]
    with np.errstate(all="ignore"):
        # A count is exact; a number with decimals is off by up to half a unit of its last digit.
        relative = np.where(units == 0.5, 0.0, units / np.abs(cells))
    relative[~np.isfinite(relative)] = np.nan
    rounding = np.array([np.nanmedian(column) if np.isfinite(column).any() else 0.0 for column in relative.T])
    return Numbers([names[column] for column in kept], cells, units, rounding), left_out


def _most_informative(kept: list[int], names: list[str], values: Floats) -> list[int]:
    """Order numbers: tags and formulas before statistics of columns and phrases, then the most varied."""

    def rank(column: int) -> tuple[int, int]:
        name = names[column]
        derived = name.startswith(("least ", "greatest ", "mean ", "count of "))
        return (int(derived), -len(np.unique(values[:, column])))

    return sorted(kept, key=rank)


def exact_search(numbers: Numbers, rows: Rows, limits: Limits) -> list[Fit]:
    """Find the expressions of the least length that reach the limits on held-out rows, best first."""
    for candidates in _by_length(numbers, rows, limits):
        fits = [fit for one in candidates if (fit := judge(one, numbers, rows, limits)) is not None]
        good = [
            fit for fit in fits if min(fit.coverage, fit.informative_coverage) >= limits.coverage
            and fit.lift >= limits.lift
        ]  # fmt: skip
        if good:
            return sorted(good, key=lambda fit: _preference(fit, numbers.names))
    return []


def best_by_chance(numbers: Numbers, rows: Rows, limits: Limits, seed: int) -> float:
    """Run the search on a shuffled target and return the best coverage of held-out informative rows it attains."""
    rng = np.random.default_rng(seed)
    target = rows.target.copy()
    target[rows.informative] = rng.permutation(target[rows.informative])
    shuffled = rows._replace(target=target)
    best = 0.0
    for candidates in _by_length(numbers, shuffled, limits):
        fits = (judge(one, numbers, shuffled, limits) for one in candidates)
        best = max([best, *(fit.informative_coverage for fit in fits if fit is not None)])
    return best


def judge(expression: Expression, numbers: Numbers, rows: Rows, limits: Limits) -> Fit | None:
    """Fit the constant on one half of the rows and count hits on the other; None where nothing can be fitted."""
    raw = expression.evaluate(numbers.values)
    copy = expression.form == "copy"
    constant = 1.0 if copy else _fit_constant(rows.target[rows.fit], raw[rows.fit])
    if constant is None:
        return None
    constant = _tidy(constant)
    prediction = constant * raw
    reach = np.full(len(raw), rows.resolution)
    if copy:
        reach += numbers.half_units[:, expression.columns[0]] * (1 + 1e-9)
    relative = min(_MAX_TOLERANCE, limits.relative_tolerance + _rounding(expression, numbers))
    shuffled = rows.target.copy()
    told = np.flatnonzero(rows.informative)
    shuffled[told] = rows.target[np.roll(told, max(1, len(told) // 2))]
    hit = _hits(rows.target, prediction, relative, reach)
    chance = _hits(shuffled, prediction, relative, reach)
    held_out = rows.held_out
    told_held_out = held_out[rows.informative[held_out]]
    if len(told_held_out) == 0:
        return None
    target = rows.target[told_held_out]
    with np.errstate(all="ignore"):
        errors = np.abs(prediction[told_held_out] - target) / np.abs(target)
    errors = errors[np.isfinite(errors)]
    return Fit(
        expression=expression,
        constant=constant,
        coverage=float(hit[held_out].mean()),
        informative_coverage=float(hit[told_held_out].mean()),
        control=float(chance[told_held_out].mean()),
        median_relative_error=float(np.median(errors)) if len(errors) else None,
        prediction=prediction,
    )


def nearest(numbers: Numbers, rows: Rows) -> tuple[Expression, float, float] | None:
    """Find the product or quotient of at most two numbers that correlates best with the target on the fitted rows.

    Returns:
        The expression and its least-squares slope and offset; None where there is no number.
    """
    target = rows.target[rows.fit]
    best: tuple[float, Expression] | None = None
    for length in (1, 2):
        for powers, columns in products(len(numbers.names), length):
            for start in range(0, len(columns[0]), 4096):
                parts = [column[start : start + 4096] for column in columns]
                with np.errstate(all="ignore"):
                    raw = np.prod(
                        [numbers.values[rows.fit][:, part] ** power for part, power in zip(parts, powers, strict=True)],
                        axis=0,
                    )
                    score = _squared_correlation(raw, target)
                at = int(np.argmax(score))
                # A longer expression has to be clearly better, or chance and length win.
                if score[at] > 0 and (best is None or score[at] > best[0] + (0.01 if length > 1 else 0)):
                    best = (float(score[at]), simplify("product", [part[at] for part in parts], powers))
    if best is None:
        return None
    raw = best[1].evaluate(numbers.values)[rows.fit]
    usable = np.isfinite(raw)
    slope, offset = np.polyfit(raw[usable], target[usable], 1)
    return best[1], float(slope), float(offset)


def _preference(fit: Fit, names: list[str]) -> tuple[float, int, int, int, int]:
    """Prefer what hits most, then the shorter form, then exactness by the decade, then what stands in the text."""
    order = {"copy": 0, "product": 1, "sum": 2}[fit.expression.form]
    decade = int(np.floor(np.log10(max(fit.median_relative_error or 0.0, 1e-6))))
    computed = sum(not is_literal(names[column]) for column in fit.expression.columns)
    return (-round(fit.coverage, 2), order, len(fit.expression.columns), decade, computed)


def _by_length(numbers: Numbers, rows: Rows, limits: Limits) -> Iterator[list[Expression]]:
    """Screen all expressions, one length after the other: those that hit most of a few fitted rows."""
    count = len(numbers.names)
    yield [Expression("copy", (column,), (1,)) for column in range(count)]
    # A part of the fitted rows is enough to turn down nearly everything; zeros have no logarithm.
    usable = rows.fit[rows.informative[rows.fit] & (np.abs(rows.target[rows.fit]) > rows.resolution)]
    if len(usable) < 4 or not count:
        return
    screened = usable[np.linspace(0, len(usable) - 1, min(_SCREEN_ROWS, len(usable))).astype(int)]
    target, values = rows.target[screened], numbers.values[screened]
    with np.errstate(all="ignore"):
        logs, log_target = np.log(np.abs(values)), np.log(np.abs(target))
    screen = _Screen(values, target, logs, log_target, numbers.rounding, rows.resolution / np.abs(target))
    for length in (1, 2, 3):
        found: list[Expression] = []
        for powers, columns in products(count, length):
            found += _screen("product", powers, columns, screen, limits)
        if length > 1:
            for powers, columns in sums(count, length):
                found += _screen("sum", powers, columns, screen, limits)
        yield found[:200]


def _screen(
    form: Form, powers: tuple[int, ...], columns: tuple[NDArray[np.int64], ...], screen: _Screen, limits: Limits
) -> list[Expression]:
    found = []
    values, target = (screen.logs, screen.log_target) if form == "product" else (screen.values, screen.target)
    for start in range(0, len(columns[0]), _CHUNK):
        parts = [column[start : start + _CHUNK] for column in columns]
        total = np.zeros((len(target), len(parts[0])))
        with np.errstate(all="ignore"):
            for part, power in zip(parts, powers, strict=True):
                total += power * values[:, part]
            # Logarithms of products, so that a constant factor is an offset in both forms.
            ratio = target[:, None] - total if form == "product" else np.log(np.abs(target[:, None] / total))
        ratio[~np.isfinite(ratio)] = np.inf
        middle = np.partition(ratio, len(target) // 2, axis=0)[len(target) // 2]
        tolerance = limits.relative_tolerance + sum(screen.rounding[part] for part in parts)
        reach = 2 * np.minimum(tolerance, _MAX_TOLERANCE)[None, :] + screen.slack[:, None]
        with np.errstate(invalid="ignore"):
            hits = (np.abs(ratio - middle) <= reach).mean(axis=0)
        for at in np.flatnonzero(hits >= limits.coverage - 0.1):
            expression = simplify(form, [part[at] for part in parts], powers)
            if form == "sum" or sum(map(abs, expression.powers)) == len(powers):
                found.append(expression)
    return found


def _hits(target: Floats, prediction: Floats, relative: float, reach: Floats) -> Flags:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(prediction - target) <= np.maximum(relative * np.abs(target), reach))


def _rounding(expression: Expression, numbers: Numbers) -> float:
    powers = np.abs(np.array(expression.powers))
    return float((powers * numbers.rounding[list(expression.columns)]).sum())


def _fit_constant(target: Floats, raw: Floats) -> float | None:
    with np.errstate(all="ignore"):
        ratio = target / raw
    ratio = ratio[np.isfinite(ratio) & (target != 0)]
    return float(np.median(ratio)) if len(ratio) else None


def _tidy(constant: float) -> float:
    """Take a constant that is 1 to within the tolerance of printing as 1."""
    return 1.0 if abs(constant - 1) < 1e-6 else constant


def _resolution(target: Floats) -> float:
    """Half a unit of the last decimal, where all values are rounded to the same few decimals; 0 for full precision."""
    for decimals in range(1, 5):
        if np.allclose(target, np.round(target, decimals), rtol=0, atol=1e-12):
            return 0.0 if np.array_equal(target, np.round(target)) else 0.5 * 10.0**-decimals
    return 0.0


def _squared_correlation(raw: Floats, target: Floats) -> Floats:
    """R² of straight lines through each column; 0 where a number is missing or constant."""
    usable = np.isfinite(raw)
    most = usable.mean(axis=0) >= 0.95
    cells = np.where(usable, raw, 0.0)
    count = np.maximum(usable.sum(axis=0), 1)
    mean = cells.sum(axis=0) / count
    spread = np.where(usable, raw - mean, 0.0)
    centred = np.where(usable, (target - target.mean())[:, None], 0.0)
    with np.errstate(all="ignore"):
        score = (spread * centred).sum(axis=0) ** 2 / ((spread**2).sum(axis=0) * (centred**2).sum(axis=0))
    return np.where(most & np.isfinite(score), score, 0.0)
