"""Where data lies: the options that `verify`, `score` and `leaderboard` share."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import err

if TYPE_CHECKING:
    from ..metrics.results.places import Place, Truths

PlacesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="[NAME=]DIR_OR_REPO",
        help="Where data is: a folder made by `build`, or a dataset repo on the Hub; repeat for more. NAME is a source "
        "or what records call their data. The embedded sample needs none.",
    ),
]
OldSourceOption = Annotated[
    str | None, typer.Option("--source", hidden=True, help="The old name of --data, for one place.")
]


def places_of(data: list[str] | None, source: str | None) -> "tuple[Place, ...]":
    """Read the places given, by the old option too.

    Raises:
        UsageError: A place does not exist or holds no data; or both options are given.
    """
    from ..metrics.results.places import read_places

    if source is None:
        return read_places(data or [])
    if data:
        raise UsageError("--source is the old name of --data: give all places by --data")
    err.print("--source is the old name of --data: use that, --source will go.", style="yellow", highlight=False)
    return read_places([source])


WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes that share many runs; as many as there are cores if left out.")
]


def cores() -> int:
    """How many processes can be at work at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_places(data: list[str] | None, source: str | None) -> "Truths":
    """As `places_of`, opened."""
    from ..metrics.results.places import Truths

    return Truths(places_of(data, source))


def tell_unused(truths: "Truths") -> None:
    """Say which of the places given served nothing."""
    for place in truths.places:
        if place not in truths.used:
            # A repo may well hold the embedded sample, too; its runs are compared with the package's own.
            line = f"--data {place}: no run was compared with this data; those on the embedded sample need none"
            err.print(line, markup=False, highlight=False, soft_wrap=True)
