"""How fast the models of this room are on this machine: measured on the embedded sample, and kept."""

import math
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from ..dataset_builder.catalogue import Modality, Task, get_task
from ..dataset_builder.dataset_folder import load_task
from ..files import write_json
from ..metrics.results.provenance import processor_name
from ..processors import available_processors
from ..progress import Progress, silent
from .protocol import Context, Split, TaskData
from .registry import Baseline
from .run import train_baseline

TASK = "sample/formation_energy_per_atom"
"""The largest task of the sample."""
FEW_ROWS = 1000
COPIES = 20
"""So many times the sample's rows are given to time a step over many: at the sample's size most of it is a start."""
TIMED_STEPS = 12
LEAST_GROWTH = 0.5
"""Steps are expected to grow at least as this power of the rows, above those that were measured: to plan too little is
worse than too much."""
CACHE_VARIABLE = "XDG_CACHE_HOME"


class Steps(BaseModel):
    """What the steps of a fit cost, each of which goes over all training rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taken: tuple[int, int] = Field(description="in the two runs that were measured, before they stopped")
    spent: tuple[float, float] = Field(description="processor time of all steps of these runs")
    most: int
    rows: tuple[int, int] = Field(description="training rows over which a step was timed")
    cpu_seconds: tuple[float, float] = Field(description="processor time of a step, all threads together")

    def each(self, rows: float) -> float:
        """Core-seconds of a step over so many rows: a line through the two."""
        slope = max((self.cpu_seconds[1] - self.cpu_seconds[0]) / (self.rows[1] - self.rows[0]), 0.0)
        return max(self.cpu_seconds[1] + slope * (rows - self.rows[1]), 0.0)

    def number(self, rows: float, measured: tuple[int, int]) -> float:
        """How many steps are expected, at most all: a power of the rows, through those of the two runs."""
        growth = math.log(self.taken[1] / self.taken[0]) / math.log(measured[1] / measured[0])
        if rows > measured[1]:
            growth = max(growth, LEAST_GROWTH)
        return float(min(self.most, self.taken[1] * (max(rows, 1) / measured[1]) ** growth))


class Rate(BaseModel):
    """What a run of a model costs on one machine: a start, so much a training row, and steps where a fit has them.

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
    steps: Steps | None = Field(description="of a fit; None for one that has none")

    @property
    def seconds_a_row(self) -> float:
        """Core-seconds a training row, without steps."""
        few, more = self._without_steps
        return max((more - few) / (self.rows[1] - self.rows[0]), 0.0)

    @property
    def seconds_a_run(self) -> float:
        """Core-seconds of a run whatever its size."""
        return max(self._without_steps[0] - self.seconds_a_row * self.rows[0], 0.0)

    def core_seconds(self, rows: int, longer: float = 1.0) -> float:
        """Of a run.

        Args:
            rows: Training rows.
            longer: How many times as long as the sample's their texts are.
        """
        read = self.seconds_a_run + self.seconds_a_row * longer * rows
        return read if self.steps is None else read + self.steps.number(rows, self.rows) * self.steps.each(rows)

    @property
    def _without_steps(self) -> tuple[float, float]:
        if self.steps is None:
            return self.cpu_seconds
        few, more = (
            max(all_of_it - steps, 0.0) for all_of_it, steps in zip(self.cpu_seconds, self.steps.spent, strict=True)
        )
        return few, more


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


class _EnoughStepsError(Exception):
    """The steps that are timed are done."""


class _Watch:
    """A progress that notes when each step was done."""

    def __init__(self, name: str | None, progress: Progress, enough: int | None = None) -> None:
        self._name, self._progress, self._enough = name, progress, enough
        self.most = 0
        self._clock: list[float] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        """As `Progress`."""
        self._progress(what, done, total)
        if self._name is None or what != self._name or not done:
            return
        self.most = total
        self._clock.append(time.process_time())
        if self._enough is not None and len(self._clock) > self._enough:
            raise _EnoughStepsError

    @property
    def taken(self) -> int:
        """Steps that were done."""
        return len(self._clock)

    @property
    def seconds(self) -> float:
        """Core-seconds of all steps."""
        return self.taken * self.seconds_a_step

    @property
    def seconds_a_step(self) -> float:
        """Core-seconds of a step; the first is not timed, things are set up in it."""
        return (self._clock[-1] - self._clock[0]) / max(len(self._clock) - 1, 1)


def _measured(baseline: Baseline, modality: Modality, progress: Progress) -> Rate:
    task = get_task(TASK)
    watches = []
    with tempfile.TemporaryDirectory(prefix="llm4mat-bench-rate-") as scratch:
        results = Path(scratch)

        def run(rows: int | None) -> tuple[int, float, Path]:
            watches.append(_Watch(baseline.declaration.steps, progress))
            began = time.process_time()
            done = train_baseline(baseline, task, modality, results, train_rows=rows, progress=watches[-1])
            return rows or done.record.data.n_train, time.process_time() - began, done.folder

        run(FEW_ROWS // 10)  # imports, caches
        few, more = run(FEW_ROWS), run(None)
        size = sum(file.stat().st_size for file in more[2].rglob("*") if file.is_file())
        steps = None
        if all(watch.taken > 1 for watch in watches):
            many, seconds = _step_over_many(baseline, task, modality, results, progress)
            steps = Steps(
                taken=(watches[1].taken, watches[2].taken),
                spent=(watches[1].seconds, watches[2].seconds),
                most=watches[2].most,
                rows=(more[0], many),
                cpu_seconds=(watches[2].seconds_a_step, seconds),
            )
    return Rate(
        model=baseline.id,
        revision=baseline.declaration.revision,
        modality=modality,
        version=__version__,
        processor=processor_name(),
        rows=(few[0], more[0]),
        cpu_seconds=(few[1], more[1]),
        run_bytes=size,
        steps=steps,
    )


def _step_over_many(
    baseline: Baseline, task: Task, modality: Modality, scratch: Path, progress: Progress
) -> tuple[int, float]:
    """Time some steps of a fit over the sample's rows, each many times; returns the rows and core-seconds of a step."""
    from datasets import concatenate_datasets

    splits = load_task(task, modality)
    train = Split("train", concatenate_datasets([splits["train"]] * COPIES))
    watch = _Watch(baseline.declaration.steps, progress, TIMED_STEPS)
    context = Context(baseline.resolve(baseline.settings_model(), task), 0, scratch, watch, available_processors())
    with suppress(_EnoughStepsError):
        baseline.fit(TaskData(task, modality, train, Split("validation", splits["validation"])), context)
    return len(train), watch.seconds_a_step
