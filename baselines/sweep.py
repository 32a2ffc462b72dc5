"""Many runs of one model: tasks by modalities by seeds. What is finished is found, what fails is passed over."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from ..dataset_builder.catalogue import Modality, Task
from ..errors import LLM4MatError, UsageError, one_line, said
from ..metrics.results.places import Place, data_of
from ..metrics.results.record import ResultRecord
from ..progress import Progress, silent
from ..ray_cluster import TASKS_PER_PLACE, Cluster, Lost, Tasks
from .protocol import Settings
from .registry import Baseline, get_baseline
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
    preset: str | None = None
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
        preset=options.preset,
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
        yield outcome_of(one, partial(run_one, baseline, one, options, progress))


def run_on_ray(baseline: Baseline, wanted: Sequence[Wanted], options: Options, address: str) -> Iterator[Outcome]:
    """Make the runs on a Ray cluster, a processor each, and give them as they are finished.

    Data and results must lie where every node sees them under the same path. A run whose node is lost is begun again on
    another one, from what it left in its work folder.

    Args:
        baseline: The model.
        wanted: The runs.
        options: What they share.
        address: See `llm4mat_bench.ray_cluster.check_address`.

    Raises:
        UsageError: No address, or Ray is not installed.
        ClusterError: There is no cluster.
    """
    shared = replace(options, results=options.results.resolve(), threads=1)
    waiting = iter([_absolute(one) for one in wanted])
    with Cluster(address) as cluster:
        tasks: Tasks[Wanted, Outcome] = cluster.tasks(_on_node)
        try:
            while True:
                for one in islice(waiting, max(0, TASKS_PER_PLACE * cluster.places() - tasks.in_flight)):
                    tasks.submit(one, baseline.id, one, shared)
                if not tasks.in_flight:
                    return
                for ended in tasks.wait():
                    if isinstance(ended, Lost):
                        yield Outcome(
                            ended.label, "failed", error=f"its node was lost again and again ({ended.reason})"
                        )
                    else:
                        yield _seen_from_here(ended.result)
        finally:
            tasks.cancel()


def _on_node(name: str, wanted: Wanted, options: Options) -> Outcome:
    return outcome_of(wanted, partial(_run_named, name, wanted, options))


def _run_named(name: str, wanted: Wanted, options: Options) -> Run:
    return run_one(get_baseline(name), wanted, options)


def _absolute(wanted: Wanted) -> Wanted:
    """Name a folder so that a process in another working directory finds it."""
    if wanted.data is None or not Path(wanted.data).is_dir():
        return wanted
    return replace(wanted, data=str(Path(wanted.data).resolve()))


def _seen_from_here(outcome: Outcome) -> Outcome:
    if outcome.folder is None or outcome.folder.is_dir():
        return outcome
    error = f"{outcome.folder} was written on a node and is not to be seen here: give an --out that all nodes share"
    return Outcome(outcome.wanted, "failed", error=error)
