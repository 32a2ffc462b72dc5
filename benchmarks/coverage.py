"""How often the 95 % intervals hold the truth, simulated.

    python benchmarks/coverage.py                       # every cell, 1,000 runs each: some ten minutes on two cores
    python benchmarks/coverage.py --replicates 200 --sizes 30 80

Regression: 60 % of the targets are 0 (as band gaps of metals are), the rest gamma-distributed (shape 2). Errors are
independent of them: normal, Student's t with 3 and 2.5 degrees of freedom, log-normal (sigma 1 and 1.5, random sign).
RMSE and R2 rest on squared errors, whose variance is infinite for both t, and practically so for the log-normals.
Classification: normal scores a distance apart, with equal and with unequal spread, at several shares of positives.

A cell reads "coverage (flattered / wronged)", in percent: how often the interval holds the truth, how often the truth
is worse than all of the interval (the model looks better than it is), how often it is better. The seed is fixed, and
every cell has a stream of its own: the same NumPy gives the same table on any number of cores.
"""

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from llm4mat_bench.metrics import intervals
from llm4mat_bench.metrics.confusion import confusion
from llm4mat_bench.metrics.intervals import Interval

SEED = 20
SIZES = (10, 30, 80, 300, 3000)
ERRORS = ("normal", "t 3", "t 2.5", "log-normal 1", "log-normal 1.5")
SCORES = ("mae", "mad_mae", "mad", "rmse", "r2")
PREVALENCES = (0.1, 0.3, 0.5)
SEPARATIONS = (0.5, 1.5, 2.5)
SPREADS = (1.0, 2.0, 0.5)
WORSE_IS_MORE = {"mae", "rmse"}
ZEROS, SHAPE = 0.6, 2.0


def draw_errors(kind: str, n: int, random: np.random.Generator) -> np.ndarray:
    """Draw errors of a prediction."""
    name, _, parameter = kind.partition(" ")
    if name == "normal":
        return random.normal(size=n)
    if name == "t":
        return random.standard_t(float(parameter), size=n)
    return np.exp(float(parameter) * random.normal(size=n)) * random.choice([-1.0, 1.0], size=n)


def moments_of_errors(kind: str) -> tuple[float, float]:
    """Mean of the absolute and of the squared error."""
    name, _, parameter = kind.partition(" ")
    if name == "normal":
        return math.sqrt(2 / math.pi), 1.0
    value = float(parameter)
    if name == "t":
        ratio = math.gamma((value + 1) / 2) / math.gamma(value / 2)
        return 2 * math.sqrt(value / math.pi) * ratio / (value - 1), value / (value - 2)
    return math.exp(value**2 / 2), math.exp(2 * value**2)


def truth(kind: str) -> dict[str, float]:
    """Scores of an endless test set."""
    from scipy.stats import gamma

    mean = (1 - ZEROS) * SHAPE
    below = mean * gamma.cdf(mean, SHAPE) - SHAPE * gamma.cdf(mean, SHAPE + 1)
    mad = 2 * (ZEROS * mean + (1 - ZEROS) * below)
    variance = (1 - ZEROS) * (SHAPE + SHAPE**2) - mean**2
    mae, square = moments_of_errors(kind)
    return {"mad": mad, "mae": mae, "mad_mae": mad / mae, "rmse": math.sqrt(square), "r2": 1 - square / variance}


def regression_cell(kind: str, n: int, replicates: int) -> dict[str, list[float]]:
    """Return counts (flattered, wronged, no interval, sum of widths relative to the truth) by score."""
    random = np.random.default_rng([SEED, ERRORS.index(kind), n])
    true = truth(kind)
    counts = {name: [0.0, 0.0] for name in SCORES}
    for replicate in range(replicates):
        targets = np.where(random.random(n) < ZEROS, 0.0, random.gamma(SHAPE, size=n))
        predictions = targets + draw_errors(kind, n, random)
        found = dict[str, Interval](intervals.regression_intervals(targets, predictions, seed=replicate).items())
        for name in SCORES:
            note(counts[name], true[name], found.get(name), more_is_worse=name in WORSE_IS_MORE)
    return counts


def auc_cell(n: int, prevalence: float, separation: float, spread: float, replicates: int) -> dict[str, list[float]]:
    """Return the counts of the AUC and of three rates, answered above half the separation."""
    from scipy.stats import norm

    random = np.random.default_rng([SEED, 99, n, round(100 * prevalence), round(10 * separation), round(10 * spread)])
    recall, specificity = norm.cdf(separation / 2 / spread), norm.cdf(separation / 2)
    true = {
        "roc_auc": float(norm.cdf(separation / math.hypot(1, spread))),
        "accuracy": prevalence * recall + (1 - prevalence) * specificity,
        "balanced_accuracy": (recall + specificity) / 2,
        "recall": recall,
    }
    counts = {name: [0.0, 0.0] for name in true}
    done = 0
    while done < replicates:
        labels = random.random(n) < prevalence
        values = random.normal(size=n) * np.where(labels, spread, 1.0) + separation * labels
        if not 2 <= labels.sum() <= n - 2:
            continue
        done += 1
        rates = intervals.rate_intervals(confusion(labels, values > separation / 2))
        found = dict[str, Interval](rates.items()) | {"roc_auc": intervals.auc_interval(labels, values)}
        for name, value in true.items():
            note(counts[name], value, found[name], more_is_worse=False)
    return counts


def note(counts: list[float], true: float, found: intervals.Interval | None, *, more_is_worse: bool) -> None:
    """Count a miss; an open end holds everything beyond it, a missing interval holds nothing."""
    below = found is None or (found.low is not None and true < found.low)
    above = found is not None and found.high is not None and true > found.high
    counts[0] += above if more_is_worse else below
    counts[1] += below if more_is_worse else above


def cell(job: tuple[Any, ...]) -> dict[str, list[float]]:
    """Run one cell, in a process of its own."""
    return regression_cell(*job[1:]) if job[0] == "regression" else auc_cell(*job[1:])


def main() -> None:
    """Simulate every cell and print tables in Markdown, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    jobs: list[tuple[Any, ...]] = [
        ("regression", kind, n, arguments.replicates) for n in sorted(arguments.sizes, reverse=True) for kind in ERRORS
    ]
    jobs += [
        ("auc", n, prevalence, separation, spread, arguments.replicates)
        for n in sorted(arguments.sizes, reverse=True)
        if n >= 30  # a tenth of ten materials is one
        for prevalence in PREVALENCES
        for separation in SEPARATIONS
        for spread in SPREADS
    ]
    with ProcessPoolExecutor(arguments.workers) as pool:
        found = dict(zip(jobs, pool.map(cell, jobs), strict=True))
    shares = {
        job: {name: [100 * count / job[-1] for count in counts] for name, counts in by_name.items()}
        for job, by_name in found.items()
    }
    if arguments.json:
        print(json.dumps([[*job, by_name] for job, by_name in shares.items()]))
        return
    for name in SCORES:
        print(f"\n`{name}`\n\n| n | {' | '.join(ERRORS)} |\n|---:|{'---:|' * len(ERRORS)}")
        for n in sorted(arguments.sizes):
            cells = (shares["regression", kind, n, arguments.replicates][name] for kind in ERRORS)
            print(f"| {n} | {' | '.join(map(show, cells))} |")
    for name in ("roc_auc", "accuracy", "balanced_accuracy", "recall"):
        heads = [f"{prevalence:.0%} positive" for prevalence in PREVALENCES]
        print(f"\n`{name}`: lowest coverage of {len(SEPARATIONS) * len(SPREADS)} shapes of the scores\n")
        print(f"| n | {' | '.join(heads)} |\n|---:|{'---:|' * len(heads)}")
        for n in sorted(size for size in arguments.sizes if size >= 30):
            cells = (
                max((by[name] for job, by in shares.items() if job[:3] == ("auc", n, prevalence)), key=sum)
                for prevalence in PREVALENCES
            )
            print(f"| {n} | {' | '.join(map(show, cells))} |")


def show(misses: list[float]) -> str:
    """Write a cell of the table."""
    return f"{100 - sum(misses):.1f} ({misses[0]:.1f} / {misses[1]:.1f})"


if __name__ == "__main__":
    main()
