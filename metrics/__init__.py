"""The scoring room: scores, intervals, the result record, verification and the leaderboard."""

from pathlib import Path


def module_path() -> Path:
    """Return the folder that ``evaluate.load`` takes, wherever this package is installed.

    Example::

        evaluate.load(str(llm4mat_bench.metrics.module_path()), "regression")
    """
    return Path(__file__).resolve().parent / "llm4mat_score"
