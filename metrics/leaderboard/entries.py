"""From verified runs to rows of a table: seeds put together, sources averaged."""

from collections import defaultdict
from collections.abc import Sequence

from pydantic import JsonValue

from ...dataset_builder.catalogue import Source
from ..headline import weighted_mean
from ..results.names import visible
from ..results.record import ResultRecord, json_sha256, settings_by_content
from ..results.verify import Verification
from .cells import SoundRun, cell_of, mean_of
from .models import Cell, Entry
from .ranking import parts_last, standing

__all__ = ["Cell", "Entry", "SoundRun", "entries_of", "line_id", "row_id", "sound_runs", "weighted_mean"]

_LONGEST = 2000
"""Characters of settings that an entry shows; the record has them all."""


def sound_runs(found: Sequence[Verification], source: Source) -> list[SoundRun]:
    """The runs on a source that verified, those that are copies of one another once."""
    runs: dict[str, SoundRun] = {}
    for one in found:
        if one.faults or one.record is None or one.report is None:
            continue
        if one.record.task.partition("/")[0] == source.id:
            runs.setdefault(one.record.record_sha256, SoundRun(one.folder, one.record, one.report, one.place))
    return list(runs.values())


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
    return json_sha256({**_line(run.record), "data": place})[:12]


def line_id(record: ResultRecord) -> str:
    """As :func:`row_id`, whatever the data: one model with one setting, over all sources."""
    return json_sha256(_line(record))[:12]


def _line(record: ResultRecord) -> dict[str, JsonValue]:
    return {
        "model": record.model.id,
        "revision": record.model.revision,
        "kind": record.model.kind,
        "pretraining_overlap": record.model.pretraining_overlap,
        "protocol": _without_place_of_answers(record),
        "modality": record.modality,
    }


def _without_place_of_answers(record: ResultRecord) -> dict[str, JsonValue]:
    """The protocol without the seed, paths (hashes name what lay there), and the hash of answers that were sent in.

    The last differs in every task.
    """
    said = record.protocol.model_dump(mode="json", exclude={"seed", "answers_sha256", "places"})
    return {**said, "settings": settings_by_content(record.protocol)}


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
        apart=runs[0].apart,
        cells=cells,
        means={kind: mean for kind in ("regression", "classification") if (mean := mean_of(source, cells, kind))},
    )


def _rank(entry: Entry) -> tuple[bool, tuple[float, ...], int, tuple[float, ...], str, str]:
    """Those with a mean over all tasks first, by regression, then by classification; names break ties."""
    means = [[entry.means.get(kind)] for kind in ("regression", "classification")]
    place = standing(*means)
    return place is None, place or (), -len(entry.cells), parts_last(*means), entry.model, entry.modality
