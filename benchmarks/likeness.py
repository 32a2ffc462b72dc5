"""How near honest runs come to one another, where ``verify`` takes copies with noise to begin.

    python benchmarks/likeness.py docs/results

For each pair of full runs of one task the distance that nine of ten rows' places keep, as a share of the distance
between places of answers and of true values (which counts as a few places at least): up to the ``NEAR`` of
``metrics/results/likeness.py`` one is a copy of the other. Printed are the nearest pairs of seeds and of models.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np

from llm4mat_bench.metrics.results.likeness import FEWEST, NEAR, SHARE, Places
from llm4mat_bench.metrics.results.seeds import said_of
from llm4mat_bench.metrics.results.verify import Verification, verify_results

_NOWHERE = 65535


def distance(one: Places, other: Places) -> float | None:
    """What ``alike`` compares with ``NEAR``; None where too few rows have a place in both."""
    mine, theirs = (np.frombuffer(run.of_rows, "<u2").astype(np.int64) for run in (one, other))
    both = (mine != _NOWHERE) & (theirs != _NOWHERE)
    if both.sum() < FEWEST:
        return None
    kept = np.sort(np.abs(mine - theirs)[both])[int(np.ceil(SHARE * both.sum())) - 1]
    return float(kept) / max(min(one.error, other.error), one.step / NEAR)


def pairs(found: list[Verification]) -> dict[str, list[tuple[float, Path, Path]]]:
    """Distances of pairs of seeds and of pairs of models, nearest first."""
    of: dict[str, list[tuple[float, Path, Path]]] = {"seeds": [], "models": []}
    for one, other in combinations(found, 2):
        first, second = one.record, other.record
        if first is None or second is None or one.places is None or other.places is None:
            continue
        if (first.task, first.data.labels_sha256) != (second.task, second.data.labels_sha256):
            continue
        if not (first.full and second.full) or (apart := distance(one.places, other.places)) is None:
            continue
        if first.model.id != second.model.id:
            of["models"].append((apart, one.folder, other.folder))
        elif said_of(first) == said_of(second):
            of["seeds"].append((apart, one.folder, other.folder))
    return {name: sorted(found) for name, found in of.items()}


def main() -> None:
    """Print the nearest pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--show", type=int, default=3, help="pairs of each kind")
    given = parser.parse_args()
    for name, found in pairs(verify_results(given.results)).items():
        print(f"{len(found)} pairs of {name}; copies begin at {NEAR}, the nearest are")
        for apart, one, other in found[: given.show]:
            print(f"  {apart:.2f}  {one}  {other}")


if __name__ == "__main__":
    main()
