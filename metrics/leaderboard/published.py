"""Published rows for the leaderboard: beside ours, never ranked among them as if they had been recomputed."""

from collections.abc import Mapping

from ...dataset_builder.catalogue import Kind, Modality, Source
from ..published import Publication, PublishedTable, check_averages, get_publication, get_published_table
from ..published.tables import PublishedRow
from .models import Cell, Entry

DATASET = "as published"
_UNREAD = "fewer than 10 answers could be read"


def published_entries(source: Source) -> list[Entry]:
    """Rows of a source as they were printed, in the order of the publication; none for other sources.

    Their cells hold the published protocol's score both as value and as ``published``: coverage is not stated, nothing
    is said of the whole test set, and there is no interval. ``apart`` says that they were not recomputed.

    Args:
        source: The source.
    """
    table, publication = get_published_table(source.id), get_publication()
    if table is None:
        return []
    wrong = {
        (fault.kind, fault.modality, fault.model): f"does not follow from its own table, which gives {fault.shown}"
        for fault in check_averages().faults
        if fault.source == source.id
    }
    return [_entry(source, table, publication, name, row, wrong) for name, row in publication.rows.items()]


def _entry(
    source: Source,
    table: PublishedTable,
    publication: Publication,
    name: str,
    row: PublishedRow,
    wrong: Mapping[tuple[Kind, Modality, str], str],
) -> Entry:
    means: dict[Kind, Cell] = {}
    for kind, averages in table.averages.items():
        scores = [table.scores[task.property.name][name] for task in source.tasks if task.kind == kind]
        unread = f"{_UNREAD} in {scores.count(None)} of its {len(scores)} tasks"
        why = wrong.get((kind, row.modality, row.name)) if averages[name] is not None else unread
        means[kind] = _cell(averages[name], publication, kind, why)
    return Entry(
        id=f"published-{name.replace('/', '-')}",
        model=row.name,
        model_revision="not stated",
        model_kind=row.kind,
        modality=row.modality,
        parameters=row.parameters,
        settings="" if row.shots is None else f"shots {row.shots}",
        dataset=DATASET,
        data_checked=False,
        apart=(publication.status,),
        origin="published",
        cells={
            task.name: _cell(value, publication, task.kind, None if value is not None else _UNREAD)
            for task in source.tasks
            for value in (table.scores[task.property.name][name],)
        },
        means=means,
    )


def _cell(value: float | None, publication: Publication, kind: Kind, note: str | None) -> Cell:
    text = "Inval." if value is None else f"{value:.3f}"
    hard = publication.score_kinds.get(kind) == "hard_label"
    return Cell(
        value=value,
        text=text,
        interval="",
        low=None,
        high=None,
        published=text,
        published_value=value,
        coverage=None,
        hard_labels=hard,
        runs=(),
        note=publication.status if note is None else f"{publication.status}; {note}",
    )
