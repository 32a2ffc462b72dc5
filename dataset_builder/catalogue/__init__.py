"""The catalogue: sources, properties and tasks, declared as YAML and validated by pydantic."""

from .lookup import (
    declare_source,
    get_benchmark,
    get_source,
    get_task,
    list_sources,
    list_tasks,
    load_source_file,
    match_tasks,
)
from .meanings import Meaning, meaning_of
from .models import MODALITIES, SPLITS, Kind, Modality, PossibleRange, Property, Source, SplitSizes, Task

__all__ = [
    "MODALITIES",
    "SPLITS",
    "Kind",
    "Meaning",
    "Modality",
    "PossibleRange",
    "Property",
    "Source",
    "SplitSizes",
    "Task",
    "declare_source",
    "get_benchmark",
    "get_source",
    "get_task",
    "list_sources",
    "list_tasks",
    "load_source_file",
    "match_tasks",
    "meaning_of",
]
