"""What is to be said of one model: its verified runs, put together as on the leaderboard."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..dataset_builder.catalogue import Source, list_sources
from ..errors import DataError, UsageError
from ..metrics.leaderboard.entries import Entry, SoundRun, entries_of, line_id, row_id, sound_runs
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
        model: Name of the model, or NAME@REVISION; needed where the folder has several.
        row: Start of the id of a row, for one setting in all its modalities; needed where one model has several
            settings on a task and modality.
        progress: Told of the verifying.
        workers: Processes to verify with.

    Raises:
        DataError: A run of the model does not verify, or none may be shown.
        UsageError: There are several models or settings, and none was chosen.
    """
    found = verify_results(results, truths, progress, workers=workers)
    names = sorted({(one.record.model.id, one.record.model.revision) for one in found if one.record})
    if model is not None:
        names = [name for name in names if model in (name[0], "@".join(name))]
        found = [
            one for one in found if one.record is None or (one.record.model.id, one.record.model.revision) in names
        ]
    if len(names) > 1:
        ids = {name for name, _ in names}
        several_revisions = len(ids) < len(names)
        listed = ", ".join(visible("@".join(name) if several_revisions else name[0], 160) for name in names)
        many = "models" if len(ids) > 1 else "revisions"
        choose = "NAME@REVISION" if several_revisions else "NAME"
        raise UsageError(f"{results} holds runs of several {many}: {listed}. One card tells of one: --model {choose}")
    require_sound(found)
    if not names:
        raise UsageError(f"{results}: no run of a model named {visible(str(model), 80)}")
    rows, runs, left_out = [], [], []
    by_source = [(source, sound_runs(found, source)) for source in list_sources(include_sample=True)]
    chosen = _of_setting([run for _, sound in by_source for run in sound if not run.apart], row)
    for source, sound in by_source:
        left_out += [f"{run.record.task}, {run.record.run_id}: {'; '.join(run.apart)}" for run in sound if run.apart]
        ranked = [run for run in sound if not run.apart and id(run) in chosen]
        left_out += _of_other_settings([run for run in sound if not run.apart and id(run) not in chosen])
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


def _of_setting(runs: Sequence[SoundRun], row: str | None) -> set[int]:
    """The runs of a row's setting, whatever they read, by identity; all of them where no row is chosen.

    Where that setting was run on several data, the row's own runs count.
    """
    if row is None:
        return {id(run) for run in runs}
    of_row = [run for run in runs if row_id(run).startswith(row)]
    settings = {_setting(run) for run in of_row}
    if len(settings) > 1:
        raise UsageError(f"--row {row}: the ids of rows with several settings begin so; give more of it")
    answered = {(run.record.task, run.record.modality) for run in of_row}
    alike = [run for run in runs if _setting(run) in settings]
    return {id(run) for run in alike if run in of_row or (run.record.task, run.record.modality) not in answered}


def _setting(run: SoundRun) -> str:
    return line_id(run.record.model_copy(update={"modality": "composition"}))


def _of_other_settings(runs: Sequence[SoundRun]) -> list[str]:
    """A line for each row that is not the chosen one."""
    rows = Counter((row_id(run), run.record.task, run.record.modality) for run in runs)
    return [
        f"{task}, {modality}, row {row}: another setting or other data, {count} run{'s' if count > 1 else ''}"
        for (row, task, modality), count in sorted(rows.items())
    ]


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
