"""``verify``: recompute everything that stands in the records."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, WorkersOption, cores, open_places, tell_unused

if TYPE_CHECKING:
    from ..metrics.results.seeds import Copy

_MEANS = {
    "seeds": "; no mean over them is taken",
    "models": "",
    "protocols": "; was a control, a limit or a setting struck out?",
}
"""What follows where two runs that should differ have the same answers."""


def verify(
    results: Annotated[Path, typer.Argument(help="A run's folder, a folder of many, or a repo on the Hub.")],
    data: PlacesOption = None,
    source: OldSourceOption = None,
    workers: WorkersOption = None,
    require_data: Annotated[
        bool, typer.Option("--require-data", help="Fail where the data of a run is not at hand.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail, too, where two runs have the very same answers to a task.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Recompute every metric from the predictions; check hashes, ids and targets. Fails on any difference."""
    from ..metrics.results.names import visible
    from ..metrics.results.seeds import copies
    from ..metrics.results.verify import verify_results
    from .progress import show_progress

    truths = open_places(data, source)
    if not results.exists():
        from ..hub.predictions_push import results_folder

        results = results_folder(str(results))
    with show_progress(quiet=as_json) as progress:
        found = verify_results(results, truths, progress, workers=workers or cores())
    tell_unused(truths)
    failed = [one for one in found if one.faults]
    same = copies(found)
    unseen = sum(not one.data_checked for one in found)
    copied = {pair.later: pair for pair in same}
    if as_json:
        print_json(
            [
                {
                    "folder": visible(str(one.folder)),
                    "task": one.record.task if one.record else None,
                    "model": one.record.model.id if one.record else None,
                    "sound": not one.faults,
                    "data_checked": one.data_checked,
                    "data": one.place,
                    "faults": list(one.faults),
                    "same_predictions_as": _earlier(copied.get(one.folder), "seeds"),
                    "other_model_with_same_predictions": _earlier(copied.get(one.folder), "models"),
                    "other_protocol_with_same_predictions": _earlier(copied.get(one.folder), "protocols"),
                }
                for one in found
            ]
        )
    else:
        for one in failed:
            err.print("[bold red]fault[/] ", end="")
            err.print(visible(str(one.folder)), markup=False, highlight=False, soft_wrap=True)
            for fault in one.faults:
                err.print(f"  {fault}", markup=False, highlight=False, soft_wrap=True)
        for pair in same:
            err.print(
                f"no two {pair.of}: {visible(str(pair.later))} has the very predictions of "
                f"{visible(str(pair.earlier))}{_MEANS[pair.of]}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        out.print(f"{len(found) - len(failed)} of {len(found)} runs are sound.")
        if unseen:
            out.print(f"{unseen} were checked without their data: give --data to compare ids and targets with it.")
    if failed or (require_data and unseen) or (strict and same):
        raise typer.Exit(1)


def _earlier(pair: "Copy | None", of: str) -> str | None:
    from ..metrics.results.names import visible

    return visible(str(pair.earlier)) if pair is not None and pair.of == of else None
