"""Which solved examples stand before a question: chosen by a seeded rule, from rows that have the property."""

import hashlib
import heapq
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..dataset_builder.crystals.formulas import element_shares
from ..errors import DataError, UsageError

Rule = Literal["fixed", "random", "nearest", "stratified", "fixed_published"]
SAME_FOR_ALL: frozenset[Rule] = frozenset({"fixed", "stratified", "fixed_published"})
"""Rules that give every question the same shots, so that a server computes them once."""


class Example(NamedTuple):
    """A row of a task: id, text in one modality, target (a float, or a bool; None where there is none)."""

    material_id: str
    text: str | None
    target: float | bool | None


class Rows(Protocol):
    """Training rows in the order of the data: (id, text, target).

    A list does, and so does anything that reads a row when it is asked for.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[str, str | None, float | bool | None]: ...


class ShotSettings(BaseModel):
    """What decides which shots are shown; part of a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Rule = "fixed"
    count: int = Field(default=0, ge=0, le=1000)
    seed: int = 0


class Shots:
    """The shots of one task; make it with `choose_shots`.

    ``for_question`` gives those of one question. ``record`` is what a result record keeps of the choice.
    """

    def __init__(
        self,
        settings: ShotSettings,
        choose: Callable[[Example, str | None], Sequence[Example]],
        same: Sequence[Example] | None,
        candidates: int,
        rows: int,
    ) -> None:
        self.settings = settings
        self.same = same
        self.candidates = candidates
        self._choose = choose
        self._rows = rows

    def for_question(self, question: Example, formula: str | None = None) -> Sequence[Example]:
        """Shots for one question.

        Args:
            question: The test row; its target is not looked at.
            formula: Its chemical formula, needed by the rule ``nearest``.

        Raises:
            DataError: ``nearest`` without a formula that can be read.
        """
        return self.same if self.same is not None else self._choose(question, formula)

    @property
    def record(self) -> dict[str, JsonValue]:
        """Rule, seed, numbers, and the ids where all questions have the same shots."""
        found: dict[str, JsonValue] = {
            **self.settings.model_dump(mode="json"),
            "candidates": self.candidates,
            "training_rows": self._rows,
        }
        if self.same is not None:
            found["material_ids"] = [one.material_id for one in self.same]
        return found


def choose_shots(
    rows: Rows,
    settings: ShotSettings,
    *,
    formulas: Sequence[str | None] | None = None,
    complete: Collection[str] | None = None,
) -> Shots:
    """Choose shots from training rows that have a text and a target of this property.

    Args:
        rows: The training rows.
        settings: Rule, number and seed. The seed gives the same shots whatever the order of the rows (except under
            ``fixed_published``, which is about that order).
        formulas: One formula a row, needed by ``nearest``.
        complete: Ids of the training rows that have all properties of the source, needed by ``fixed_published``.

    Raises:
        UsageError: What a rule needs is not given.
        DataError: There are fewer rows to choose from than shots asked for; the message says how many.
    """
    eligible: list[int] = []
    targets: list[float] = []
    ids: list[str] = []
    for index in range(len(rows)):
        row = Example(*rows[index])
        if row.target is None or not math.isfinite(row.target) or not row.text:
            continue
        eligible.append(index)
        targets.append(float(row.target))
        ids.append(row.material_id)
    if len(eligible) < settings.count:
        raise DataError(
            f"{settings.count} shots asked for, but only {len(eligible)} of {len(rows)} training rows have this "
            "property and a text; ask for fewer with --shots"
        )
    maker = _MAKERS[settings.rule]
    candidates = _Candidates(rows, eligible, ids, targets, settings, formulas, complete)
    choose, same = maker(candidates)
    return Shots(settings, choose, same, len(eligible), len(rows))


class _Candidates(NamedTuple):
    rows: Rows
    eligible: list[int]
    ids: list[str]
    targets: list[float]
    settings: ShotSettings
    formulas: Sequence[str | None] | None
    complete: Collection[str] | None

    def take(self, places: Sequence[int]) -> list[Example]:
        """The rows at places of ``eligible``."""
        return [Example(*self.rows[self.eligible[place]]) for place in places]


_Choice = tuple[Callable[[Example, str | None], Sequence[Example]], Sequence[Example] | None]


def _draw(seed: int, *names: str) -> bytes:
    """A number that stands for a name under a seed: the same on every machine, whatever else there is."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")).digest()


def _never(_question: Example, _formula: str | None) -> Sequence[Example]:
    return ()


def _fixed(given: _Candidates) -> _Choice:
    seed, count = given.settings.seed, given.settings.count
    places = heapq.nsmallest(
        count, range(len(given.ids)), key=lambda place: (_draw(seed, "fixed", given.ids[place]), place)
    )
    return _never, given.take(places)


def _random(given: _Candidates) -> _Choice:
    seed, count = given.settings.seed, given.settings.count
    # an order of the rows that does not depend on how they come, then a draw for each question
    order = sorted(range(len(given.ids)), key=lambda place: (given.ids[place], place))

    def choose(question: Example, _formula: str | None) -> Sequence[Example]:
        chosen: list[int] = []
        for attempt in _counting():
            if len(chosen) == count:
                break
            number = int.from_bytes(_draw(seed, "random", question.material_id, str(attempt))[:8], "big")
            place = order[number % len(order)]
            if place not in chosen:
                chosen.append(place)
        return given.take(chosen)

    return choose, None


def _counting() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _stratified(given: _Candidates) -> _Choice:
    seed, count = given.settings.seed, given.settings.count
    order = sorted(range(len(given.ids)), key=lambda place: (given.targets[place], given.ids[place], place))
    classes = sorted(set(given.targets))
    groups: list[list[int]]
    if len(classes) == 2 and count > 1 and set(classes) <= {0.0, 1.0}:  # classes take turns
        by_class = {one: [place for place in order if given.targets[place] == one] for one in classes}
        groups = []
        for one in classes:
            groups += _parts(by_class[one], (count + (one == classes[0])) // 2)
        if sum(map(bool, groups)) < count:  # one class has too few rows
            groups = _parts(order, count)
    else:
        groups = _parts(order, count)
    places = [min(group, key=lambda place: (_draw(seed, "stratified", given.ids[place]), place)) for group in groups]
    # in an order that says nothing of the target
    places.sort(key=lambda place: (_draw(seed, "order", given.ids[place]), place))
    return _never, given.take(places)


def _parts(order: list[int], count: int) -> list[list[int]]:
    """Cut a list into that many parts of like size."""
    edges = [round(number * len(order) / count) for number in range(count + 1)] if count else []
    return [order[start:end] for start, end in pairwise(edges)]


def _fixed_published(given: _Candidates) -> _Choice:
    if given.complete is None:
        raise UsageError(
            "the shot rule fixed_published needs to know which training rows have all properties of the source"
        )
    complete = set(given.complete)
    places = [place for place, one in enumerate(given.ids) if one in complete][: given.settings.count]
    if len(places) < given.settings.count:
        raise DataError(
            f"{given.settings.count} shots asked for, but only {len(places)} training rows have all properties of the "
            "source; take another shot rule, which asks for this property only"
        )
    return _never, given.take(places)


def _nearest(given: _Candidates) -> _Choice:
    if given.formulas is None:
        raise UsageError("the shot rule nearest needs the formulas of the training rows")
    table = _Compositions([given.formulas[index] for index in given.eligible], given.ids)
    count = given.settings.count

    def choose(question: Example, formula: str | None) -> Sequence[Example]:
        shares = None if formula is None else element_shares(formula)
        if shares is None:
            raise DataError(f"{question.material_id}: no formula that can be read, which the shot rule nearest needs")
        # the nearest stands last, next to the question
        return given.take(table.nearest(shares, count)[::-1])

    return choose, None


class _Compositions:
    """Shares of elements, one row a formula, in whole parts, so that distances are the same on every processor."""

    _PARTS = 50_000
    _ROWS_AT_ONCE = 1 << 16

    def __init__(self, formulas: Sequence[str | None], ids: Sequence[str]) -> None:
        found = [None if formula is None else element_shares(formula) for formula in formulas]
        elements = sorted({element for shares in found if shares for element in shares})
        self.columns = {element: column for column, element in enumerate(elements)}
        self.parts: NDArray[np.uint16] = np.zeros((len(found), len(elements)), dtype=np.uint16)
        self.readable = np.array([shares is not None for shares in found], dtype=bool)
        for row, shares in enumerate(found):
            for element, share in (shares or {}).items():
                self.parts[row, self.columns[element]] = round(share * self._PARTS)
        self.ids = ids

    def nearest(self, shares: dict[str, float], count: int) -> list[int]:
        """Rows by the sum of the differences of shares; of equally near ones, those first by id."""
        wanted = np.zeros(self.parts.shape[1], dtype=np.int32)
        for element, share in shares.items():
            if element in self.columns:
                wanted[self.columns[element]] = round(share * self._PARTS)
        distance = np.empty(len(self.parts), dtype=np.int64)
        for start in range(0, len(distance), self._ROWS_AT_ONCE):
            piece = self.parts[start : start + self._ROWS_AT_ONCE].astype(np.int32)
            distance[start : start + self._ROWS_AT_ONCE] = np.abs(piece - wanted).sum(axis=1)
        distance[~self.readable] = np.iinfo(np.int64).max
        if not 0 < count < len(distance):
            near = np.arange(len(distance))
        else:
            near = np.flatnonzero(distance <= np.partition(distance, count - 1)[count - 1])
        ranked = sorted(near.tolist(), key=lambda row: (int(distance[row]), self.ids[row], row))
        return ranked[:count]


_MAKERS: dict[Rule, Callable[[_Candidates], _Choice]] = {
    "fixed": _fixed,
    "random": _random,
    "nearest": _nearest,
    "stratified": _stratified,
    "fixed_published": _fixed_published,
}
