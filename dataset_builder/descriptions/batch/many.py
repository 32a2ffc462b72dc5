"""Descriptions of many structures, as an iterator in the order of the input."""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, repeat
from typing import TYPE_CHECKING, Any

from ....processors import available_processors
from ..style import Style
from .defaults import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT, DESCRIBER
from .pool import LocalPool
from .records import DescriptionRecord, Outcome, Settings, Task

if TYPE_CHECKING:
    from pymatgen.core import Structure

LOOK_AHEAD = 64
"""Structures per worker taken ahead of the one to be yielded next; the largest of them start first."""


def describe_many(
    structures: Iterable["Structure | str | Mapping[str, Any]"],
    *,
    ids: Iterable[str] | None = None,
    workers: int | None = None,
    style: Style = "published",
    timeout: float = DEFAULT_TIMEOUT,
    memory_mb: int = DEFAULT_MEMORY_MB,
    condensed: bool = True,
    allow_formula_mismatch: bool = False,
    describer: str = DESCRIBER,
) -> Iterator[DescriptionRecord]:
    """Describe many structures in several processes, in the order given.

    A structure that fails, hangs or kills its process gives a record with a status and a reason. The input may be
    endless: only a window of it is held.

    Args:
        structures: pymatgen structures, texts of CIFs or POSCARs, or structures as dicts.
        ids: A name for each; its position from 0 where left out.
        workers: Processes; as many as there are processors where left out.
        style: ``"published"`` for the text as published, ``"upstream"`` for the installed robocrys' own.
        timeout: Seconds a structure may take before its process is killed.
        memory_mb: MiB that a process may add to what it began with.
        condensed: Also give the condensed structure, as JSON.
        allow_formula_mismatch: Describe CIFs whose atoms do not make their formula; ``reason`` says so.
        describer: ``module:function`` that turns a structure and a style into text and condensed form.

    Yields:
        One record for each structure.

    Raises:
        PoolError: The processes cannot be started.
        ValueError: A setting is out of range, or ``ids`` and ``structures`` differ in length.
    """
    settings = Settings(
        style=style,
        timeout=timeout,
        memory_mb=memory_mb,
        condensed=condensed,
        allow_formula_mismatch=allow_formula_mismatch,
        describer=describer,
    )
    return _in_order(structures, ids, settings, workers or available_processors())


def to_text(structure: "Structure | str | Mapping[str, Any]") -> str:
    """Write a structure as text a worker can read; JSON keeps every bit of a coordinate."""
    if isinstance(structure, str):
        return structure
    as_dict = structure if isinstance(structure, Mapping) else structure.as_dict()
    return json.dumps(as_dict, default=_number)


def _number(value: Any) -> Any:  # noqa: ANN401 - what numpy left in a dict
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a structure's dict holds a {type(value).__name__}, which JSON cannot write")


def _in_order(
    structures: Iterable["Structure | str | Mapping[str, Any]"],
    ids: Iterable[str] | None,
    settings: Settings,
    workers: int,
) -> Iterator[DescriptionRecord]:
    numbers: Iterator[str] = map(str, count())
    named = zip(numbers, structures, strict=False) if ids is None else zip(ids, structures, strict=True)
    waiting: list[tuple[int, int, Task]] = []
    names: dict[int, str] = {}
    finished: dict[int, Outcome] = {}
    taken = given = 0
    exhausted = False
    with LocalPool(settings, workers) as pool:
        while True:
            while not exhausted and taken - given < LOOK_AHEAD * workers:
                pair = next(named, None)
                if pair is None:
                    exhausted = True
                    break
                name, structure = pair
                text = to_text(structure)
                heapq.heappush(waiting, (-len(text), taken, Task(taken, text)))
                names[taken] = str(name)
                taken += 1
            if given == taken:
                return
            free = max(0, pool.capacity - pool.in_flight)
            tasks = [heapq.heappop(waiting)[2] for _ in repeat(None, min(free, len(waiting)))]
            for outcome in pool.exchange(tasks):
                finished[outcome.index] = outcome
            while given in finished:
                yield to_record(names.pop(given), finished.pop(given))
                given += 1


def to_record(name: str, outcome: Outcome) -> DescriptionRecord:
    """Name an outcome."""
    return DescriptionRecord(id=name, **outcome.model_dump(exclude={"index"}))
