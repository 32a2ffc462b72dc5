"""Find sources and tasks by name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from ...errors import UsageError, require_name, unknown_name
from ...yaml_files import read_yaml
from .models import Benchmark, Source, Task

_CATALOGUE = Path(__file__).resolve().parent
_BENCHMARK = _CATALOGUE.parent / "benchmark.yaml"
_SAMPLE = _CATALOGUE.parent / "sample" / "source.yaml"


def load_source_file(path: Path) -> Source:
    """Read one declaration, a user's own included.

    Raises:
        DataError: The file is no YAML, or a key is missing, misspelt or of the wrong form.
    """
    return read_yaml(path, Source)


@cache
def get_benchmark() -> Benchmark:
    """Return what the publication states of the benchmark as a whole."""
    return read_yaml(_BENCHMARK, Benchmark)


@cache
def _all_sources() -> dict[str, Source]:
    files = [*sorted(_CATALOGUE.glob("*.yaml")), _SAMPLE]
    return {source.id: source for source in map(load_source_file, files)}


_own: dict[str, Source] = {}
"""Sources of the user's own, as the dataset folders that were opened declare them."""


def declare_source(source: Source) -> Source | None:
    """Let a source of the user's own be known by its name, as long as the process lives; a later one replaces it.

    Returns:
        The source as it is known from now on, no part of the benchmark whatever it says; None where the catalogue has
        one of that name, which stays what it is.
    """
    if source.id in _all_sources():
        return None
    if source.benchmark:
        source = Source.model_validate(source.model_dump() | {"benchmark": False})
    _own[source.id] = source
    return source


def list_sources(*, include_sample: bool = False) -> list[Source]:
    """List the ten sources of the benchmark, largest first.

    Args:
        include_sample: Add what is no part of the benchmark: the embedded sample, and sources of the user's own whose
            folder was opened.
    """
    known = [*_all_sources().values(), *_own.values()]
    found = [source for source in known if source.benchmark or include_sample]
    return sorted(found, key=lambda source: (not source.benchmark, -source.published.rows))


def get_source(name: str) -> Source:
    """Return the source of that id or alias.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    sources = {**_all_sources(), **_own}
    folded = require_name("source", name).strip().casefold()
    for source in sources.values():
        if folded in (source.id.casefold(), *(alias.casefold() for alias in source.aliases)):
            return source
    raise unknown_name("source", name, [*sources, *(alias for source in sources.values() for alias in source.aliases)])


def list_tasks(source: str | None = None, *, include_sample: bool = False) -> list[Task]:
    """List tasks: all 65, or those of one source.

    Args:
        source: Id or alias of a source.
        include_sample: Add the tasks of the embedded sample.
    """
    sources = list_sources(include_sample=include_sample) if source is None else [get_source(source)]
    return [task for one in sources for task in one.tasks]


def get_task(name: str | Task) -> Task:
    """Return the task named ``source/property``; aliases of sources and any case are accepted, and so is a task.

    Raises:
        UsageError: There is no such task; the message names the nearest.
    """
    if isinstance(name, Task):
        return name
    name = require_name("task", name)
    source_name, slash, property_name = name.strip().partition("/")
    every = [task.name for task in list_tasks(include_sample=True)]
    if not slash or not property_name:
        if any(name.strip().casefold() in (one.id, *one.aliases) for one in list_sources(include_sample=True)):
            tasks = ", ".join(task.name for task in get_source(name).tasks)
            raise UsageError(f"'{name}' is a source, not a task. Its tasks: {tasks}")
        raise unknown_name("task", name, every)
    try:
        source = get_source(source_name)
    except UsageError as error:
        raise unknown_name("task", name, every) from error
    for task in source.tasks:
        if property_name.casefold() in (task.property.name.casefold(), task.property.published_column.casefold()):
            return task
    raise unknown_name("task", name, every)


def match_tasks(patterns: Sequence[str]) -> list[Task]:
    """Return the tasks that patterns name, each once, in the order in which they are named.

    Args:
        patterns: ``SOURCE/PROPERTY``, a pattern of it (``mp/*``, ``*/band_gap``), a source for all its tasks, or
            ``all`` for the 65 of the benchmark. The embedded sample is there for those that name it.

    Raises:
        UsageError: One names no task; the message names the nearest.
    """
    found: dict[str, Task] = {}
    for pattern in patterns:
        found |= {task.name: task for task in _matching(pattern.strip())}
    return list(found.values())


def _matching(pattern: str) -> list[Task]:
    folded = pattern.casefold()
    if folded == "all":
        return list_tasks()
    source_name, slash, property_name = folded.partition("/")
    if not slash:
        try:
            return list_tasks(source_name)
        except UsageError as error:
            raise unknown_name("task", pattern, _task_names()) from error
    if not _is_pattern(folded):
        return [get_task(pattern)]
    if not _is_pattern(source_name):  # an alias is as good as a source's name
        source_name = get_source(source_name).id
    every = list_tasks(include_sample=True)
    # `*/band_gap` means the benchmark; the sample must be named.
    found = [
        task
        for task in every
        if fnmatchcase(task.name.casefold(), f"{source_name}/{property_name}")
        and (task.source.benchmark or source_name.startswith("sample") or not _is_pattern(source_name))
    ]
    if not found:
        raise UsageError(f"no task matches '{pattern}'; `llm4mat-bench tasks` lists them")
    return found


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _task_names() -> list[str]:
    return [task.name for task in list_tasks(include_sample=True)]
