"""Descriptions: the text that Robocrystallographer writes for a crystal, and the structured summary behind it.

    from llm4mat_bench.dataset_builder.descriptions import describe
    text = describe(structure)

The libraries behind it take long to import, so they are imported by the first call; `prepare()` does it at once, for
instance before worker processes are forked.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import DescriptionError, Reason

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from .batch.many import describe_many
    from .batch.records import DescriptionRecord, Status
    from .style import Style

__all__ = [
    "DescriptionError",
    "DescriptionRecord",
    "Reason",
    "Status",
    "condense",
    "describe",
    "describe_and_condense",
    "describe_many",
    "prepare",
]

MAX_SITES = 3000


def describe(structure: Structure, style: Style = "published", *, max_sites: int = MAX_SITES) -> str:
    """Describe a crystal in words, as Robocrystallographer does.

    The structure is taken as it is: no oxidation states are guessed, nothing is looked up online, and molecules get no
    names.

    Args:
        structure: An ordered crystal structure.
        style: `published` writes as the published benchmark does (en dashes in bond names and ranges, a fixed order of
            "face, edge, corner", plain integers in directions); `upstream` exactly as the installed
            Robocrystallographer, with a fixed order where its own changes from process to process.
        max_sites: How many sites the conventional cell may have.

    Returns:
        The description.

    Raises:
        DescriptionError: There is no description; its `reason` says in one word why.
        ValueError: An unknown style.
    """
    text: str = _describer().text(structure, style, max_sites)
    return text


def condense(structure: Structure, *, max_sites: int = MAX_SITES) -> dict[str, Any]:
    """The structured summary behind a description, ready for JSON.

    Args:
        structure: An ordered crystal structure.
        max_sites: How many sites the conventional cell may have.

    Returns:
        Formula, space group, mineral, dimensionality, sites, distances (Å), angles (degrees), distances to next
        neighbours (Å) and components, in Robocrystallographer's format; keys that are numbers there are strings here.

    Raises:
        DescriptionError: There is no description; its `reason` says in one word why.
    """
    summary: dict[str, Any] = _describer().summary(structure, max_sites)
    return summary


def describe_and_condense(
    structure: Structure, style: Style = "published", *, max_sites: int = MAX_SITES
) -> tuple[str, dict[str, Any]]:
    """Both in one go, for little more than the price of one. See `describe` and `condense`."""
    both: tuple[str, dict[str, Any]] = _describer().text_and_summary(structure, style, max_sites)
    return both


def prepare() -> None:
    """Import and load everything that a description needs."""
    _describer().prepare()


def _describer() -> Any:  # noqa: ANN401
    from .fast import quick_imports

    quick_imports.load()
    from .fast import describer

    return describer


_HOMES = {"describe_many": ".batch.many", "DescriptionRecord": ".batch.records", "Status": ".batch.records"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name asked for
    """Import what runs of many need when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
