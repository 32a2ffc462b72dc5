"""What is to be said of one model: its verified runs, put together as on the leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..dataset_builder.catalogue import Source, list_sources
from ..errors import DataError, UsageError
from ..metrics.leaderboard.entries import Entry, SoundRun, entries_of, row_id, sound_runs
from ..metrics.results.names import visible
from ..metrics.results.places import Truths
from ..metrics.results.verify import Verification, verify_results
from ..progress import Progress, silent

_SHOWN = 5


@dataclass(frozen=True)
class ModelResults:
    """The results of one model.

    Attributes:
        model: Its name.
        revision: Its revision.
        rows: Sources with the model's row on each, one a modality.
        runs: The runs behind them.
        verified: The verifications of these runs, for figures.
        left_out: Runs that are not shown, and why, a line each.
    """

    model: str
    revision: str
    rows: tuple[tuple[Source, Entry], ...]
    runs: tuple[SoundRun, ...]
    verified: tuple[Verification, ...]
    left_out: tuple[str, ...]

    def run(self, run_id: str) -> SoundRun:
        """The run of an id."""
        return next(run for run in self.runs if run.record.run_id == run_id)


def require_sound(found: Sequence[Verification]) -> None:
    """Raise a `DataError` that names the first runs that do not verify, where there are any."""
    if faulty := [one for one in found if one.faults]:
        lines = "; ".join(f"{visible(str(one.folder))}: {one.faults[0]}" for one in faulty[:_SHOWN])
        raise DataError(f"{len(faulty)} runs do not verify, nothing is published: {lines}")


def model_results(
    results: Path,
    truths: Truths,
    *,
    model: str | None = None,
    row: str | None = None,
    progress: Progress = silent,
    workers: int = 1,
) -> ModelResults:
    """Verify runs and choose those of one model that may be shown.

    Args:
        results: Folder of results.
        truths: Where data is.
        model: Name of the model; needed where the folder has several.
        row: Start of the id of a row; needed where one model has several settings on a task and modality.
        progress: Told of the verifying.
        workers: Processes to verify with.

    Raises:
        DataError: A run of the model does not verify, or none may be shown.
        UsageError: There are several models or settings, and none was chosen.
    """
    found = verify_results(results, truths, progress, workers=workers)
    names = sorted({(one.record.model.id, one.record.model.revision) for one in found if one.record})
    if model is not None:
        names = [name for name in names if name[0] == model]
        found = [one for one in found if one.record is None or one.record.model.id == model]
    if len(names) > 1:
        listed = ", ".join(f"{visible(name, 80)} (revision {visible(revision, 40)})" for name, revision in names)
        raise UsageError(f"{results} holds runs of several models: {listed}. One card tells of one: --model NAME")
    require_sound(found)
    if not names:
        raise UsageError(f"{results}: no run of a model named {visible(str(model), 80)}")
    rows, runs, left_out = [], [], []
    for source in list_sources(include_sample=True):
        sound = sound_runs(found, source)
        left_out += [f"{run.record.task}, {run.record.run_id}: {'; '.join(run.apart)}" for run in sound if run.apart]
        ranked = [run for run in sound if not run.apart and (row is None or row_id(run).startswith(row))]
        entries = entries_of(source, ranked)
        _refuse_two_settings(entries)
        rows += [(source, entry) for entry in sorted(entries, key=lambda entry: entry.modality)]
        runs += ranked
    if not rows:
        reasons = "; ".join(left_out[:_SHOWN]) or f"--row {row}: no such row"
        raise DataError(f"{results}: no run that may be shown ({reasons}). Where is the data? --data says it")
    folders = {run.folder for run in runs}
    name, revision = names[0]
    return ModelResults(
        model=name,
        revision=revision,
        rows=tuple(rows),
        runs=tuple(runs),
        verified=tuple(one for one in found if one.folder in folders),
        left_out=tuple(left_out),
    )


def _refuse_two_settings(entries: Sequence[Entry]) -> None:
    """Refuse two rows that answer the same task in the same modality: a card has one number for it."""
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        for task in entry.cells:
            other = seen.setdefault((task, entry.modality), entry)
            if other is not entry:
                raise UsageError(
                    f"{task} in {entry.modality} was run with two settings: {other.id} ({other.settings[:200]}) and "
                    f"{entry.id} ({entry.settings[:200]}). Choose one: --row {entry.id}"
                )
