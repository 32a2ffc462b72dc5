"""From verified runs to rows of a table: seeds put together, sources averaged."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from ...dataset_builder.catalogue import Source
from ..headline import weighted_mean
from ..results.counted import Counted, once, that_count
from ..results.names import visible
from ..results.record import ResultRecord, json_sha256
from ..results.seeds import Copy, copies, said_of
from ..results.verify import Verification
from .cells import SoundRun, cell_of, mean_of
from .models import Cell, Entry
from .ranking import parts_last, standing

__all__ = ["Cell", "Entry", "SoundRun", "entries_of", "line_id", "row_id", "sound_runs", "weighted_mean"]

_LONGEST = 2000
"""Characters of settings that an entry shows; the record has them all."""


def sound_runs(found: Sequence[Verification], source: Source) -> list[SoundRun]:
    """The runs on a source that verified and count (:func:`that_count`), those that stand twice once."""
    there, _ = once(
        [
            one
            for one in found
            if not one.faults and one.record is not None and one.record.task.partition("/")[0] == source.id
        ]
    )
    remarks = _remarks(there)
    rows: dict[tuple[str, str], list[Verification]] = defaultdict(list)
    for one in there:
        assert one.record is not None  # noqa: S101 - it has no fault
        rows[_row_id(one.record, one.place), one.record.task].append(one)
    return [_sound_run(counted, remarks) for its in rows.values() for counted in that_count(its)]


def _sound_run(counted: Counted, remarks: Mapping[Path, str]) -> SoundRun:
    run = counted.run
    assert run.record is not None and run.report is not None  # noqa: S101 - it has no fault
    said = [remarks[one.folder] for one in (run, *counted.instead_of) if one.folder in remarks]
    remark = "; ".join(filter(None, [counted.note, *dict.fromkeys(said)]))
    return SoundRun(run.folder, run.record, run.report, run.place, remark or None)


def _remarks(found: Sequence[Verification]) -> dict[Path, str]:
    """What a reader must know of runs that have the answers of another model or protocol, by folder."""
    by_folder = {one.folder: one.record for one in found}
    remarks: dict[Path, str] = {}
    for pair in copies(found):
        for run, other in ((pair.earlier, pair.later), (pair.later, pair.earlier)):
            if (record := by_folder[other]) is not None and pair.of in ("models", "protocols"):
                remarks.setdefault(run, _remark(pair, record))
    return remarks


def _remark(pair: Copy, other: ResultRecord) -> str:
    whose = visible(other.model.id, 60) if pair.of == "models" else "the same model under another protocol"
    return f"the very answers of {whose}" if pair.exact else f"much the same answers as {whose}"


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
    return _row_id(run.record, run.place)


def _row_id(record: ResultRecord, place: str | None) -> str:
    # Where the data was compared, its place, not the record's word.
    data: list[JsonValue] = [place] if place is not None else [record.data.dataset, record.data.revision]
    return json_sha256({**said_of(record), "data": data})[:12]


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
