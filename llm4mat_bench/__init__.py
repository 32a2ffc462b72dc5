"""LLM4Mat-Bench: how well does a language model predict the properties of crystals?"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset_builder.catalogue import get_source, get_task, list_sources, list_tasks
    from .dataset_builder.dataset_folder import load_task
    from .hub.trained import load_model

__all__ = ["__version__", "get_source", "get_task", "list_sources", "list_tasks", "load_model", "load_task"]
__version__ = version("llm4mat-bench")

_HOMES = {
    "get_source": ".dataset_builder.catalogue",
    "get_task": ".dataset_builder.catalogue",
    "list_sources": ".dataset_builder.catalogue",
    "list_tasks": ".dataset_builder.catalogue",
    "load_model": ".hub.trained",
    "load_task": ".dataset_builder.dataset_folder",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name asked for
    """Import a public name when it is first used, so that ``import llm4mat_bench`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'llm4mat_bench' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
