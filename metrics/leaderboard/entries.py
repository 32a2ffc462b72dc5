"""From verified runs to rows of a table: seeds put together, sources averaged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from ...dataset_builder.catalogue import Source
from ..headline import weighted_mean
from ..results.names import visible
from ..results.record import ResultRecord, json_sha256
from ..results.seeds import Copy, copies, said_of
from ..results.verify import Verification
from .cells import SoundRun, cell_of, mean_of, worth
from .models import Cell, Entry
from .ranking import parts_last, standing

__all__ = ["Cell", "Entry", "SoundRun", "entries_of", "line_id", "row_id", "sound_runs", "weighted_mean"]

_LONGEST = 2000
"""Characters of settings that an entry shows; the record has them all."""


def sound_runs(found: Sequence[Verification], source: Source) -> list[SoundRun]:
    """The runs on a source that verified: one a record, and one a seed.

    Of several runs with one seed and all else the same the worst counts: whoever sends in results must not choose the
    best of many, nor somebody else put a better run in the place of theirs.
    """
    there = [
        one
        for one in found
        if not one.faults and one.record is not None and one.record.task.partition("/")[0] == source.id
    ]
    remarks = _remarks(there)
    runs: dict[str, SoundRun] = {}
    for one in there:
        assert one.record is not None and one.report is not None  # noqa: S101 - it has no fault
        run = SoundRun(
            folder=one.folder,
            record=one.record,
            report=one.report,
            place=one.place,
            answers=one.answers,
            places=one.places,
            remark=remarks.get(one.folder),
        )
        runs.setdefault(one.record.record_sha256, run)
    of_seed: dict[tuple[str, str, int], list[SoundRun]] = defaultdict(list)
    for run in runs.values():
        of_seed[row_id(run), run.record.task, run.record.protocol.seed].append(run)
    return [_that_counts(its) for its in of_seed.values()]


def _that_counts(runs: list[SoundRun]) -> SoundRun:
    """The worst of runs with one seed, which says so where their answers differ."""
    worst = min(runs, key=lambda run: (worth(run), run.record.record_sha256))
    if len({run.answers for run in runs}) == 1:
        return worst
    said = f"the worst of {len(runs)} runs with seed {worst.record.protocol.seed} and different answers"
    return replace(worst, remark="; ".join(filter(None, [said, worst.remark])))


def _remarks(found: Sequence[Verification]) -> dict[Path, str]:
    """What a reader must know of runs that have the answers of another, by folder; copied seeds tell it themselves."""
    by_folder = {one.folder: one.record for one in found}
    remarks: dict[Path, str] = {}
    for pair in copies(found):
        for run, other in ((pair.earlier, pair.later), (pair.later, pair.earlier)):
            if (record := by_folder[other]) is not None and pair.of in ("models", "protocols"):
                remarks.setdefault(run, _remark(pair, record))
    return remarks


def _remark(pair: Copy, other: ResultRecord) -> str:
    whose = visible(other.model.id, 60) if pair.of == "models" else "the same model under another protocol"
    return f"the very answers of {whose}" if pair.exact else f"the answers of {whose} but for noise"


def entries_of(source: Source, runs: Sequence[SoundRun]) -> list[Entry]:
    """Rows of one source's table, best first.

    Runs that differ only in their seed become one row with mean and standard deviation.

    Args:
        source: The source.
        runs: Its runs that are to be ranked.
    """
    rows: dict[str, list[SoundRun]] = defaultdict(list)
    for run in runs:
        rows[row_id(run)].append(run)
    entries = [_entry(source, name, its) for name, its in sorted(rows.items())]
    return in_order(entries)


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Rows of a source, best first."""
    return sorted(entries, key=_rank)


def row_id(run: SoundRun) -> str:
    """Name of the row that a run belongs to: equal for runs that differ in task and seed alone."""
    data = run.record.data
    # Where the data was compared, its place, not the record's word.
    place: list[JsonValue] = [run.place] if run.place is not None else [data.dataset, data.revision]
    return json_sha256({**said_of(run.record), "data": place})[:12]


def line_id(record: ResultRecord) -> str:
    """As :func:`row_id`, whatever the data: one model with one setting, over all sources."""
    return json_sha256(said_of(record))[:12]


def _entry(source: Source, name: str, runs: list[SoundRun]) -> Entry:
    by_task: dict[str, list[SoundRun]] = defaultdict(list)
    for run in runs:
        by_task[run.record.task].append(run)
    cells = {
        task: cell_of(sorted(its, key=lambda run: (run.record.protocol.seed, run.record.record_sha256)))
        for task, its in by_task.items()
    }
    first = runs[0].record
    settings = ", ".join(f"{setting} {value}" for setting, value in first.protocol.settings.items())
    parameters = {run.record.model.parameters for run in runs}
    data = first.data
    return Entry(
        id=name,
        line=line_id(first),
        model=first.model.id,
        model_revision=first.model.revision,
        model_kind=first.model.kind,
        modality=first.modality,
        parameters=parameters.pop() if len(parameters) == 1 else None,
        settings=visible(settings, _LONGEST),
        protocol=first.protocol.model_dump(mode="json", exclude={"seed"}, exclude_none=True),
        dataset=runs[0].place or data.dataset + (f" @ {data.revision}" if data.revision else ""),
        data_checked=runs[0].place is not None,
        pretraining_overlap=first.model.pretraining_overlap,
        apart=tuple(dict.fromkeys(reason for run in runs for reason in run.apart)),
        cells=cells,
        means={kind: mean for kind in ("regression", "classification") if (mean := mean_of(source, cells, kind))},
    )


def _rank(entry: Entry) -> tuple[bool, tuple[float, ...], int, tuple[float, ...], str, str]:
    """Those with a mean over all tasks first, by regression, then by classification; names break ties."""
    means = [[entry.means.get(kind)] for kind in ("regression", "classification")]
    place = standing(*means)
    return place is None, place or (), -len(entry.cells), parts_last(*means), entry.model, entry.modality
