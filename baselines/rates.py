"""How fast the models of this room are on this machine: measured on the embedded sample, and kept."""

import os
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from ..dataset_builder.catalogue import Modality, get_task
from ..files import write_json
from ..metrics.results.provenance import processor_name
from ..progress import Progress, silent
from .registry import Baseline
from .run import train_baseline

TASK = "sample/formation_energy_per_atom"
"""The largest task of the sample."""
FEW_ROWS = 1000
CACHE_VARIABLE = "XDG_CACHE_HOME"


class Rate(BaseModel):
    """What a run of a model costs on one machine: a start, and so much a training row.

    Validation and test rows are read in proportion (a tenth each), so their cost is in that of the training rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    revision: str
    modality: Modality
    version: str = Field(description="of llm4mat-bench")
    processor: str
    rows: tuple[int, int] = Field(description="training rows of the two runs that were measured")
    cpu_seconds: tuple[float, float] = Field(description="processor time of the two runs, all threads together")
    run_bytes: int = Field(description="size of what a run leaves")

    @property
    def seconds_a_row(self) -> float:
        """Core-seconds a training row."""
        slope = (self.cpu_seconds[1] - self.cpu_seconds[0]) / (self.rows[1] - self.rows[0])
        return max(slope, 0.0)

    @property
    def seconds_a_run(self) -> float:
        """Core-seconds of a run whatever its size."""
        return max(self.cpu_seconds[0] - self.seconds_a_row * self.rows[0], 0.0)


def rate_of(
    baseline: Baseline, modality: Modality, *, measure_again: bool = False, progress: Progress = silent
) -> Rate:
    """Return the rate of a model on this machine; measure it where none is kept.

    Args:
        baseline: The model, with its default settings.
        modality: What it reads.
        measure_again: Do not use one that is kept.
        progress: Called as the work goes on.

    Raises:
        LLM4MatError: The model cannot be run.
    """
    path = cache_folder() / f"rate-{baseline.id}-{modality}.json"
    if not measure_again:
        kept = _kept(path, baseline)
        if kept is not None:
            return kept
    rate = _measured(baseline, modality, progress)
    write_json(path, rate.model_dump(mode="json"))
    return rate


def cache_folder() -> Path:
    """Where measurements are kept between calls."""
    given = os.environ.get(CACHE_VARIABLE)
    return (Path(given) if given else Path.home() / ".cache") / "llm4mat-bench"


def _kept(path: Path, baseline: Baseline) -> Rate | None:
    """A kept rate, if it is of this machine and this code."""
    try:
        found = Rate.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    now = (baseline.id, baseline.declaration.revision, __version__, processor_name())
    return found if now == (found.model, found.revision, found.version, found.processor) else None


def _measured(baseline: Baseline, modality: Modality, progress: Progress) -> Rate:
    task = get_task(TASK)
    with tempfile.TemporaryDirectory(prefix="llm4mat-bench-rate-") as scratch:
        results = Path(scratch)

        def run(rows: int | None) -> tuple[int, float, Path]:
            began = time.process_time()
            done = train_baseline(baseline, task, modality, results, train_rows=rows, progress=progress)
            return rows or done.record.data.n_train, time.process_time() - began, done.folder

        run(FEW_ROWS // 10)  # imports, caches
        few, more = run(FEW_ROWS), run(None)
        size = sum(file.stat().st_size for file in more[2].rglob("*") if file.is_file())
    return Rate(
        model=baseline.id,
        revision=baseline.declaration.revision,
        modality=modality,
        version=__version__,
        processor=processor_name(),
        rows=(few[0], more[0]),
        cpu_seconds=(few[1], more[1]),
        run_bytes=size,
    )
