"""``verify``: recompute everything that stands in the records."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, WorkersOption, cores, open_places, tell_unused


def verify(
    results: Annotated[Path, typer.Argument(help="A run's folder, a folder of many, or a repo on the Hub.")],
    data: PlacesOption = None,
    source: OldSourceOption = None,
    workers: WorkersOption = None,
    require_data: Annotated[
        bool, typer.Option("--require-data", help="Fail where the data of a run is not at hand.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Recompute every metric from the predictions; check hashes, ids and targets. Fails on any difference."""
    from ..metrics.results.names import visible
    from ..metrics.results.seeds import same_files
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
    copies = same_files((one.folder, one.record) for one in found if one.record is not None and not one.faults)
    unseen = sum(not one.data_checked for one in found)
    copied = {later: earlier for earlier, later in copies}
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
                    "same_predictions_as": visible(str(copied[one.folder])) if one.folder in copied else None,
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
        for later, earlier in copied.items():
            err.print(
                f"no two seeds: {visible(str(later))} has the very predictions of {visible(str(earlier))}; no mean "
                "over them is taken",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        out.print(f"{len(found) - len(failed)} of {len(found)} runs are sound.")
        if unseen:
            out.print(f"{unseen} were checked without their data: give --data to compare ids and targets with it.")
    if failed or (require_data and unseen):
        raise typer.Exit(1)
