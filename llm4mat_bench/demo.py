"""The whole chain on the embedded sample: train, verify, leaderboard."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .baselines.registry import get_baseline
from .baselines.run import train_baseline
from .dataset_builder.catalogue import list_tasks
from .errors import DataError
from .metrics.leaderboard import write_leaderboard
from .metrics.results.record import ResultRecord
from .progress import Progress, silent

DEMO_MODELS = ("dummy", "composition_gbm")


class Demo(BaseModel):
    """What the demonstration left behind."""

    model_config = ConfigDict(frozen=True)

    records: tuple[ResultRecord, ...]
    trained: int
    left_out: int
    page: Path


def run_demo(
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Demo:
    """Train two models on every task of the sample, verify them, write the leaderboard.

    Finished runs of an earlier call are kept; the rest is done.

    Args:
        folder: For ``results/`` and ``leaderboard/``.
        overwrite: Train again what is there.
        progress: Called as the work goes on.

    Raises:
        DataError: A run does not verify.
    """
    pairs = [(model, task) for task in list_tasks("sample") for model in DEMO_MODELS]
    records: list[ResultRecord] = []
    folders: set[Path] = set()
    trained = 0
    for done, (model, task) in enumerate(pairs):
        progress("runs", done, len(pairs))
        run = train_baseline(
            get_baseline(model), task, "composition", folder / "results", overwrite=overwrite, progress=progress
        )
        trained += not run.already_there
        folders.add(run.folder)
        records.append(run.record)
    board = write_leaderboard(folder / "results", folder / "leaderboard", progress=progress)
    # Runs of an older version's sample may lie in the same folder: they are named on the page, and no failure of ours.
    for one in board.refused:
        if one.folder in folders:
            raise DataError(f"{one.folder} does not verify: {one.faults[0]}; remove it or use --overwrite")
    return Demo(records=tuple(records), trained=trained, left_out=len(board.refused), page=board.page)
