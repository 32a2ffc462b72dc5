"""From rows to what the pages show: a board a source, and one line a model over all of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from statistics import fmean
from typing import NamedTuple

from ...dataset_builder.catalogue import MODALITIES, Kind, Source, Task
from ..figures.sheets import Panel
from ..results.names import visible
from .examine import Examined
from .models import Cell, Entry
from .ranking import Comparison, compare, in_places, parts_last, ranked, standing
from .resampling import Floats, unpacked

KINDS: tuple[Kind, ...] = ("regression", "classification")
HARD_LABELS = "an AUC of hard labels is a balanced accuracy, another quantity than an AUC of probabilities"
Found = Mapping[tuple[str, str], Examined]
_PANEL_LETTERS = 24
"""Letters that a line under a panel holds."""


class SourceBoard(NamedTuple):
    """The rows of one source: ranked ones, those that were printed, those that are not ranked, and its tasks.

    ``places`` are those of ranked rows: by regression first, then by classification.
    """

    source: Source
    ranked: tuple[Entry, ...]
    reported: tuple[Entry, ...]
    apart: tuple[Entry, ...]
    tasks: tuple[Task, ...]
    kinds: tuple[Kind, ...]
    places: Mapping[str, int | None]

    @property
    def groups(self) -> list[tuple[str, tuple[Entry, ...]]]:
        """The three kinds of rows, empty ones left out."""
        named = (("ranked", self.ranked), ("reported", self.reported), ("apart", self.apart))
        return [(name, entries) for name, entries in named if entries]


class Line(NamedTuple):
    """One model with one setting over all sources."""

    entry: Entry
    means: dict[tuple[str, Kind], Cell]
    overall: Cell | None
    place: int | None = None


def board_of(
    source: Source, entries: Sequence[Entry], reported: Sequence[Entry], apart: Sequence[Entry], found: Found
) -> SourceBoard:
    """Put places, scores without duplicates and ties into the rows of a source."""
    everyone = (*entries, *reported, *apart)
    tasks = tuple(task for task in source.tasks if any(task.name in entry.cells for entry in everyone))
    cells: dict[str, dict[str, Cell]] = defaultdict(dict)
    for task in tasks:
        name = task.name
        column = ranked(entries, partial(_cell, name), partial(resamples, found, name))
        for id_, cell in column.items():
            one = found.get((task.name, id_))
            cells[id_][task.name] = cell.model_copy(update={"unseen": one.unseen}) if one is not None else cell
    means: dict[str, dict[Kind, Cell]] = defaultdict(dict)
    for kind in KINDS:
        for id_, cell in ranked(entries, partial(_mean, kind)).items():
            means[id_][kind] = cell
    marked = tuple(entry.model_copy(update={"cells": cells[entry.id], "means": means[entry.id]}) for entry in entries)
    kinds = tuple(kind for kind in KINDS if any(kind in entry.means for entry in everyone))
    places = in_places([standing(*([one.means.get(kind)] for kind in KINDS)) for one in entries])
    of_rows = dict(zip((one.id for one in entries), places, strict=True))
    return SourceBoard(source, marked, tuple(reported), tuple(apart), tasks, kinds, of_rows)


def _cell(task: str, entry: Entry) -> Cell | None:
    return entry.cells.get(task)


def _mean(kind: Kind, entry: Entry) -> Cell | None:
    return entry.means.get(kind)


def resamples(found: Found, task: str, entry: Entry) -> Floats | None:
    """Scores of a row over the shared resamples."""
    one = found.get((task, entry.id))
    return unpacked(one.resamples) if one is not None and one.resamples is not None else None


def panels_of(entries: Sequence[Entry], task: str, found: Found) -> Iterator[tuple[Entry, Panel]]:
    """The runs of a task as panels of its sheets, one a seed where a row is a mean over seeds.

    Modality by modality: the page's filter hides the sheets of the others.

    Args:
        entries: Ranked rows.
        task: Name of the task.
        found: What was found of them.
    """
    best = sorted((one for one in entries if task in one.cells), key=lambda one: -one.cells[task].rank)
    sketched = {one.id: examined.sketches for one in best if (examined := found.get((task, one.id))) is not None}
    best.sort(key=lambda one: MODALITIES.index(one.modality))
    for entry in best:
        cell = entry.cells[task]
        for proof, sketch in zip(cell.proofs, sketched.get(entry.id, ()), strict=False):
            place = f"#{cell.place} " if cell.place else ""
            seed = f" · seed {proof.seed}" if cell.spread == "seeds" else ""
            label = f"{in_lines(place, entry.model)}\n{entry.modality}{seed}"
            yield entry, Panel(label, sketch, entry.modality)


def in_lines(place: str, model: str) -> str:
    """A place and a model's id under a panel: in two lines where one cannot hold it."""
    owner, slash, name = model.partition("/")
    if not slash or len(place) + len(model) <= _PANEL_LETTERS:
        return f"{place}{visible(model, _PANEL_LETTERS - len(place))}"
    return f"{place}{visible(owner, _PANEL_LETTERS - len(place) - 1)}/\n{visible(name, _PANEL_LETTERS)}"


def lines_of(boards: Sequence[SourceBoard], group: str) -> list[Line]:
    """One line a model and setting over all sources, best first.

    Lines with more complete sources come first, then those with the higher mean over the sources they have: by
    regression, where this leaves lines equal by classification, then by what is no part of the benchmark. So another
    task that a model has answered never lowers its place. A mean over all sources stands only where a line has all.

    Args:
        boards: The sources.
        group: Which rows: ``ranked``, ``reported`` or ``apart``.
    """
    entries: dict[tuple[str, ...], list[tuple[str, Entry]]] = defaultdict(list)
    taken: set[tuple[str, str]] = set()
    for board in boards:
        for entry in getattr(board, group):
            # Two places of one source's data are two lines.
            twice = (entry.line or entry.id, board.source.id) in taken
            taken.add((entry.line or entry.id, board.source.id))
            key = (entry.line or entry.id, *entry.apart, entry.dataset if twice else "")
            entries[key].append((board.source.id, entry))
    counted = _of_benchmark(boards)
    groups = [
        [(board.source.id, kind) for board in boards if (board.source.id in counted) is of_benchmark]
        for of_benchmark in (True, False)
        for kind in KINDS
    ]
    overall = [one for one in groups[0] if any(one[0] == board.source.id and one[1] in board.kinds for board in boards)]
    found = []
    for its in entries.values():
        means = {(source, kind): cell for source, entry in its for kind, cell in entry.means.items()}
        line = Line(_joined([entry for _, entry in its]), means, _overall([means.get(one) for one in overall]))
        of_groups = [[means.get(one) for one in group] for group in groups]
        place = standing(*of_groups)
        found.append(((place is None, place or (), -len(line.entry.cells), parts_last(*of_groups)), line))
    found.sort(key=itemgetter(0))
    lines = [line for _, line in found]
    if group != "ranked":
        return lines
    places = in_places([place or None for (_, place, *_), _ in found])
    of_rows = {line.entry.id: line.overall for line in lines}
    marked = ranked([line.entry for line in lines], lambda entry: of_rows[entry.id])
    return [
        line._replace(place=place, overall=marked.get(line.entry.id)) for line, place in zip(lines, places, strict=True)
    ]


def _of_benchmark(boards: Sequence[SourceBoard]) -> set[str]:
    """The sources of the published benchmark: what a mean over all sources is over; where there are none, all."""
    return {board.source.id for board in boards if board.source.benchmark} or {board.source.id for board in boards}


def _overall(cells: Sequence[Cell | None]) -> Cell | None:
    """The mean of the means of sources, None where there is but one: it has a column of its own."""
    if len(cells) < 2:
        return None
    there = [cell for cell in cells if cell is not None and cell.scored]
    whole = len(there) == len(cells)
    perfect = whole and any(cell.perfect for cell in there)
    value = fmean(cell.rank for cell in there) if whole and not perfect else None
    return Cell(
        value=value,
        perfect=perfect,
        text="∞" if perfect else "–" if value is None else f"{value:.3f}",
        interval=f"{len(there)} of {len(cells)} sources",
        low=None,
        high=None,
        published="",
        coverage=None,
        hard_labels=False,
        runs=(),
    )


def _joined(entries: Sequence[Entry]) -> Entry:
    """The entry that stands for a line: parameters only where they are the same everywhere."""
    parameters = {entry.parameters for entry in entries}
    cells = {name: cell for entry in entries for name, cell in entry.cells.items()}
    one = parameters.pop() if len(parameters) == 1 else None
    return entries[0].model_copy(update={"parameters": one, "cells": cells})


def compare_entries(
    first: Entry, second: Entry, tasks: Sequence[Task], found: Found
) -> tuple[Comparison, list[Task]] | None:
    """Compare two rows over the tasks that both have, as means weighted by samples, in pairs.

    Tasks on which one has an AUC of hard labels and the other of probabilities are none of them.

    Returns:
        The comparison and its tasks; None where they share none.
    """
    common, weights = [], []
    scores: tuple[list[float], list[float]] = ([], [])
    drawn: tuple[list[Floats], list[Floats]] = ([], [])
    for task in tasks:
        pair = [(entry.cells.get(task.name), resamples(found, task.name, entry)) for entry in (first, second)]
        if len({one.labels_sha256 for entry in (first, second) if (one := found.get((task.name, entry.id)))}) != 1:
            continue
        if any(cell is None or cell.value is None or values is None for cell, values in pair):
            continue
        if len({cell.hard_labels for cell, _ in pair if cell is not None}) > 1:
            continue
        common.append(task)
        weights.append(float(task.property.samples))
        for place, (cell, values) in enumerate(pair):
            scores[place].append(cell.value)  # type: ignore[union-attr, arg-type]
            drawn[place].append(values)  # type: ignore[arg-type]
    if not common:
        return None
    total = sum(weights)
    means = [sum(w * s for w, s in zip(weights, its, strict=True)) / total for its in scores]
    over = [sum((w * d for w, d in zip(weights, its, strict=True)), start=0.0 * its[0]) / total for its in drawn]
    return compare(means[0], means[1], over[0], over[1]), common
