"""Where data lies: places given by name, and the truth of a run looked up among them."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...dataset_builder.catalogue import Source, Task, get_source, get_task, list_sources
from ...dataset_builder.dataset_folder import EMBEDDED, source_names
from ...dataset_builder.dataset_folder.declared import declare_data
from ...errors import LLM4MatError, UsageError
from .names import is_repo_name
from .truth import Truth, place_name, read_truth

_KEPT = 8
"""Truths held at a time, whatever their size: runs come sorted by task, so that each is read once for a pass."""
_KEPT_ROWS = 500_000
"""Test rows up to which more are held (some 30 MB), so that the passes of a page do not read small ones again."""


@dataclass(frozen=True)
class Place:
    """A place of data.

    Attributes:
        name: What runs call it: a dataset's name, or a source; None for all that it holds.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub.
    """

    name: str | None
    data: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder here; else a repo on the Hub."""
        return Path(self.data).is_dir()

    def __str__(self) -> str:
        return self.data if self.name is None else f"{self.name}={self.data}"


def read_places(given: Sequence[str]) -> tuple[Place, ...]:
    """Read places as they are given on the command line: ``NAME=DIR_OR_REPO``, or a plain one for all that it holds.

    Raises:
        UsageError: A place is neither a folder here nor a name of a repo, or holds no data, or no such source.
    """
    places = tuple(_place(text) for text in given)
    _declare(places)
    return places


def task_among(name: str, places: Sequence[Place]) -> Task:
    """Return a task of the catalogue, or one of a source of the user's own that a place declares.

    Raises:
        UsageError: Nobody knows it.
    """
    try:
        return get_task(name)
    except UsageError as error:
        own = [source for place in places if not place.is_folder for source in declare_data(place.data)]
        if own:  # folders were asked when they were given
            return get_task(name)
        raise UsageError(f"{error} (a source of your own is known where --data names its folder)") from None


class Truths:
    """The truth of each run, looked up by its task among the places given, each read once.

    The embedded sample needs no place. A record is never believed: what it says of its data only chooses among the
    places that were given.

    Args:
        places: The places, or how they are given on the command line.

    Raises:
        UsageError: A place is none.
    """

    def __init__(self, places: Sequence[Place | str] = ()) -> None:
        self.places = tuple(_place(one) if isinstance(one, str) else one for one in places)
        _declare(self.places)
        self._kept: OrderedDict[tuple[str, str, str | None], Truth | LLM4MatError] = OrderedDict()
        self.used: set[Place] = set()

    def task(self, name: str) -> Task:
        """As :func:`task_among`."""
        return task_among(name, self.places)

    def find(
        self, task: Task, dataset: str | None = None, revision: str | None = None, labels_sha256: str | None = None
    ) -> Truth | None:
        """Return the truth of a task, None where no place has it.

        Args:
            task: The task.
            dataset: What a record calls its data.
            revision: Revision of the Hub repo that the user asks for; what a record names is checked, never followed.
            labels_sha256: The record's hash of the labels, by which one of several places is chosen.

        Raises:
            LLM4MatError: The data of the place cannot be read.
        """
        first: Truth | None = None
        failure: LLM4MatError | None = None
        for place in self._candidates(task, dataset):
            try:
                truth = self._read(task, place, revision)
            except LLM4MatError as error:
                failure = failure or error
                continue
            if labels_sha256 in (None, truth.labels_sha256):
                return truth
            first = first or truth
        if first is None and failure is not None:
            raise failure
        return first

    def at_revision(self, task: Task, repo: str, revision: str) -> Truth | None:
        """Return the truth of a task as a repo has it at a revision, None where that repo is not among the places.

        Raises:
            LLM4MatError: The repo has no such revision, or its data there cannot be read.
        """
        for place in self.places:
            if place.data == repo and not place.is_folder:
                return self._read(task, place, revision)
        return None

    def _candidates(self, task: Task, dataset: str | None) -> Iterator[Place | None]:
        """Places that may have a task's data, the likeliest first; None is the embedded sample."""
        of_source = [place for place in self.places if place.name is not None and _same_source(place.name, task)]
        plain = [place for place in self.places if place.name is None and _holds(place, task)]
        others = [place for place in self.places if place.name is not None and place not in of_source]
        named = [place for place in others if place.name == dataset]
        embedded = task.source.id == "sample"
        if embedded and dataset == EMBEDDED:
            yield None
        yield from named
        yield from sorted(plain, key=lambda place: place_name(place.data) != dataset)
        yield from of_source
        if embedded and dataset != EMBEDDED:
            yield None

    def _read(self, task: Task, place: Place | None, revision: str | None) -> Truth:
        revision = None if place is None or place.is_folder else revision
        key = (task.name, "" if place is None else str(place), revision)
        if key not in self._kept:
            self._kept[key] = self._load(task, place, revision)
            while len(self._kept) > _KEPT and self._rows_kept() > _KEPT_ROWS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        if place is not None:
            self.used.add(place)
        found = self._kept[key]
        if isinstance(found, LLM4MatError):
            raise found
        return found

    def _rows_kept(self) -> int:
        return sum(len(one.test_ids) for one in self._kept.values() if isinstance(one, Truth))

    @staticmethod
    def _load(task: Task, place: Place | None, revision: str | None) -> Truth | LLM4MatError:
        try:
            if place is None:
                return read_truth(task)
            truth = read_truth(task, place.data, revision=revision)
            return replace(truth, place=place.name or truth.place)
        except LLM4MatError as error:  # told for every run of this data, tried once
            return error


def data_of(task: Task, places: Sequence[Place]) -> str | None:
    """The place of a task's data among those given: the one named after its source, else one that holds it.

    Returns:
        None for the embedded sample, and where no place will do.
    """
    for place in places:
        if place.name is not None and _is_source(place.name, task):
            return place.data
    plain = [place for place in places if place.name is None]
    for place in plain:
        if place.is_folder and task.source.id in source_names(Path(place.data)):
            return place.data
    if task.source.id != "sample":
        return next((place.data for place in plain if not place.is_folder), plain[0].data if plain else None)
    return None


def _is_source(name: str, task: Task) -> bool:
    return name.casefold() in (one.casefold() for one in (task.source.id, *task.source.aliases))


def _place(text: str) -> Place:
    name: str | None = None
    data = text
    if not Path(text).exists():
        before, equals, after = text.partition("=")
        if equals:
            name, data = before.strip(), after.strip()
    if not data or name == "":
        raise UsageError(f"--data {text}: write DIR or NAME=DIR; NAME is a source, or what records call their data")
    if name == EMBEDDED:
        raise UsageError(f"--data {text}: the embedded sample is in the package and needs no place")
    place = Place(name, data)
    if not place.is_folder:
        if Path(data).exists():
            raise UsageError(f"--data {data}: not a folder; give the one that `llm4mat-bench build` wrote")
        if not is_repo_name(data):
            raise UsageError(f"--data {data}: no such folder")
        return place
    held = source_names(Path(data))
    if not held:
        raise UsageError(
            f"--data {data}: no dataset folder, there is no data/SOURCE in it; `llm4mat-bench build` makes one"
        )
    declare_data(data)
    source = _source_of(name)
    if source is not None and source not in held:
        raise UsageError(f"--data {text}: {data} holds {', '.join(held)}, not {source}")
    return place


def _declare(places: Sequence[Place]) -> None:
    """Let sources of the user's own be known, as the folders among the places declare them.

    Raises:
        UsageError: Two folders declare one source differently.
    """
    known: dict[str, tuple[Source, Place]] = {}
    for place in places:
        for source in declare_data(place.data) if place.is_folder else ():
            first, where = known.setdefault(source.id, (source, place))
            if first != source:
                raise UsageError(
                    f"--data {where} and --data {place} declare {source.id} differently; give one of them, or build "
                    "both with one declaration"
                )


def _source_of(name: str | None) -> str | None:
    """The source that a name stands for, aliases included; None where it is the name of something else."""
    if name is None:
        return None
    folded = name.casefold()
    for source in list_sources(include_sample=True):
        if folded in (source.id, *(alias.casefold() for alias in source.aliases)):
            return get_source(source.id).id
    return None


def _same_source(name: str, task: Task) -> bool:
    return _source_of(name) == task.source.id


def _holds(place: Place, task: Task) -> bool:
    """Whether a plain place may have a task's data; a repo is asked when it comes to it."""
    return not place.is_folder or task.source.id in source_names(Path(place.data))
