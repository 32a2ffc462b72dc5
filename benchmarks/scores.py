"""Seconds and peak memory to score millions of predictions, all intervals included, beside scikit-learn and SciPy.

    python benchmarks/scores.py                     # two million
    python benchmarks/scores.py --n 200000 --json

Each measurement runs in a process of its own, one after the other, on the same values; seconds are
processor seconds, the best of three. The peers compute the same scores but no interval: they have none that
would end at this size.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

MISSING = 0.02
REPEATS = 3


def make(n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Make a run: skewed targets, heavy-tailed errors, and ties as real tables have them."""
    random = np.random.default_rng(0)
    targets = random.gamma(2.0, size=n).round(4)
    values = targets + random.laplace(size=n) * 0.3
    return (targets, values) if kind == "regression" else (targets > 2.0, 1 / (1 + np.exp(2.0 - values)))


def ours(kind: str, targets: np.ndarray, values: np.ndarray, *, whole_and_published: bool) -> dict[str, float]:
    """Score with this package; with gaps, both protocols are computed from different values."""
    from llm4mat_bench.metrics import protocols

    if whole_and_published:
        values = np.where(np.arange(values.size) % round(1 / MISSING) == 0, np.nan, values)
    if kind == "regression":
        return protocols.score_regression(targets, values, train_mean=2.0).flat()
    return protocols.score_classification(targets, values, "probability").flat()


def plain(kind: str, targets: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Score with this package, without intervals, as the peers do."""
    from llm4mat_bench.metrics import protocols

    if kind == "regression":
        return protocols.score_regression(targets, values, confidence=None).flat()
    return protocols.score_classification(targets, values, "probability", confidence=None).flat()


def peer(kind: str, targets: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Score with scikit-learn and SciPy."""
    import scipy.stats
    from sklearn import metrics

    if kind == "regression":
        mae = metrics.mean_absolute_error(targets, values)
        mad = metrics.mean_absolute_error(targets, np.full(targets.size, targets.mean()))
        return {
            "mad_mae": mad / mae,
            "mae": mae,
            "rmse": metrics.root_mean_squared_error(targets, values),
            "r2": metrics.r2_score(targets, values),
            "spearman": scipy.stats.spearmanr(targets, values).statistic,
            "mad": mad,
        }
    answers = values > 0.5
    return {
        "roc_auc": metrics.roc_auc_score(targets, values),
        "accuracy": metrics.accuracy_score(targets, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(targets, answers),
        "precision": metrics.precision_score(targets, answers),
        "recall": metrics.recall_score(targets, answers),
        "f1": metrics.f1_score(targets, answers),
    }


WAYS = {
    "ours, intervals": lambda *run: ours(*run, whole_and_published=False),
    "ours, intervals, both protocols": lambda *run: ours(*run, whole_and_published=True),
    "ours, scores only": plain,
    "scikit-learn and SciPy": peer,
}


def measure(way: str, kind: str, n: int) -> dict[str, object]:
    """Run one way in this process; imports count for memory, not for time."""
    import sklearn.metrics  # noqa: F401

    import llm4mat_bench.metrics.protocols  # noqa: F401

    run = make(n, kind)
    seconds = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()  # processor seconds: the machine may have other work
        result = WAYS[way](kind, *run)
        seconds = min(seconds, time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    return {"seconds": seconds, "peak_mib": peak, "scores": {k: v for k, v in result.items() if isinstance(v, float)}}


def main() -> None:
    """Measure every way and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "KIND"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        way, kind = arguments.one
        print(json.dumps(measure(way, kind, arguments.n)))
        return
    rows = []
    for kind in ("regression", "classification"):
        for way in WAYS:
            command = [sys.executable, __file__, "--n", str(arguments.n), "--one", way, kind]
            env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one core
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)
            rows.append({"kind": kind, "way": way, **found})
        peers = rows[-1]
        for name, value in peers["scores"].items():
            difference = abs(rows[-2]["scores"][name] - value)
            assert difference <= 1e-9 * abs(value), f"{name} differs from the peer by {difference}"
        for row in rows[-len(WAYS) :]:
            row["ratio"] = row["seconds"] / peers["seconds"]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{arguments.n:,} predictions, one core\n")
    print(f"{'':15}{'':33}{'seconds':>8}{'ratio':>8}{'peak MiB':>10}")
    for row in rows:
        print(f"{row['kind']:15}{row['way']:33}{row['seconds']:8.2f}{row['ratio']:8.2f}{row['peak_mib']:10.0f}")


if __name__ == "__main__":
    main()
