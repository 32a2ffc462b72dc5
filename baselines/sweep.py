"""Many runs of one model: tasks by modalities by seeds. What is finished is found, what fails is passed over."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..dataset_builder.catalogue import Modality, Task
from ..errors import LLM4MatError, UsageError, one_line, said
from ..metrics.results.places import Place
from ..metrics.results.record import ResultRecord
from ..progress import Progress, silent
from .protocol import Settings
from .registry import Baseline
from .run import Control, Run, train_baseline

Status = Literal["trained", "found", "failed"]


@dataclass(frozen=True)
class Wanted:
    """One run to be made.

    Attributes:
        task: What to predict.
        modality: Which view of a crystal is read.
        seed: Seed of everything random.
        data: Folder or Hub repo with the data; None for the embedded sample.
    """

    task: Task
    modality: Modality
    seed: int
    data: str | None

    def __str__(self) -> str:
        return f"{self.task.name} {self.modality} seed {self.seed}"


@dataclass(frozen=True)
class Options:
    """What all runs of a call share; see `train_baseline`."""

    settings: Settings
    results: Path
    revision: str | None = None
    overwrite: bool = False
    limit: int | None = None
    train_rows: int | None = None
    control: Control = "none"
    threads: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one run.

    Attributes:
        wanted: The run.
        status: Whether this call trained it, found it finished, or it failed.
        folder: Where its result lies.
        record: Its result.
        error: Why it failed, in one line.
    """

    wanted: Wanted
    status: Status
    folder: Path | None = None
    record: ResultRecord | None = None
    error: str | None = None


def runs_wanted(
    baseline: Baseline,
    tasks: Sequence[Task],
    modalities: Sequence[Modality],
    seeds: Sequence[int],
    places: Sequence[Place] = (),
) -> tuple[list[Wanted], list[str]]:
    """List the runs that a call asks for, and say what is left out because the model cannot do it.

    Raises:
        UsageError: Nothing is left.
    """
    declaration = baseline.declaration
    left_out = [
        f"{baseline.id} reads {', '.join(declaration.modalities)}, not {modality}"
        for modality in modalities
        if modality not in declaration.modalities
    ]
    unfit = [task.name for task in tasks if task.kind not in declaration.kinds]
    if unfit:
        kinds = ", ".join(dict.fromkeys(task.kind for task in tasks if task.kind not in declaration.kinds))
        left_out.append(f"{baseline.id} learns {', '.join(declaration.kinds)}, not {kinds} ({', '.join(unfit)})")
    wanted = [
        Wanted(task, modality, seed, data_of(task, places))
        for task in tasks
        if task.kind in declaration.kinds
        for modality in modalities
        if modality in declaration.modalities
        for seed in seeds
    ]
    if not wanted:
        raise UsageError("; ".join(left_out) or "no task, modality or seed is given")
    return wanted, left_out


def data_of(task: Task, places: Sequence[Place]) -> str | None:
    """The place of a task's data among those given: the one named after its source, else one that holds it."""
    for place in places:
        if place.name is not None and _is_source(place.name, task):
            return place.data
    plain = [place for place in places if place.name is None]
    for place in plain:
        if place.is_folder and (Path(place.data) / "data" / task.source.id).is_dir():
            return place.data
    if task.source.benchmark:
        return next((place.data for place in plain if not place.is_folder), plain[0].data if plain else None)
    return None


def _is_source(name: str, task: Task) -> bool:
    return name.casefold() in (one.casefold() for one in (task.source.id, *task.source.aliases))


def run_one(baseline: Baseline, wanted: Wanted, options: Options, progress: Progress = silent) -> Run:
    """Make one of the runs, or find it finished.

    Raises:
        LLM4MatError: As `train_baseline`.
    """
    return train_baseline(
        baseline,
        wanted.task,
        wanted.modality,
        options.results,
        settings=options.settings,
        seed=wanted.seed,
        data=wanted.data,
        revision=options.revision,
        overwrite=options.overwrite,
        limit=options.limit,
        train_rows=options.train_rows,
        control=options.control,
        threads=options.threads,
        progress=progress,
    )


def outcome_of(wanted: Wanted, make: Callable[[], Run]) -> Outcome:
    """Make a run; a failure becomes a line.

    Anything may fail inside a model's library, so anything but an interruption is caught; the others go on.
    """
    try:
        run = make()
    except LLM4MatError as error:
        return Outcome(wanted, "failed", error=said(error))
    except ModuleNotFoundError as error:
        return Outcome(wanted, "failed", error=f"{error.name} is not installed")
    except Exception as error:
        return Outcome(wanted, "failed", error=one_line(error))
    return Outcome(wanted, "found" if run.already_there else "trained", run.folder, run.record)


def run_here(
    baseline: Baseline, wanted: Iterable[Wanted], options: Options, progress: Progress = silent
) -> Iterator[Outcome]:
    """Make the runs one after the other."""
    for one in wanted:
        yield outcome_of(one, lambda one=one: run_one(baseline, one, options, progress))  # type: ignore[misc]
