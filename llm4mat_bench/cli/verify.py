"""``verify``: recompute everything that stands in the records."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, WorkersOption, cores, open_places, tell_unused

if TYPE_CHECKING:
    from ..metrics.results.seeds import Copy

_MEANS = {
    "runs": "other answers than {}, of which it is said to be a repetition; the worse counts",
    "seeds": "{answers} {}, another seed; they count once",
    "models": "{answers} {}, another model",
    "protocols": "{answers} {}, another protocol; was a control or a limit struck out?",
    "settings": "{answers} {}, with other settings",
}
"""What is said of a run that has the answers of another where it should not, or the other way round."""


def verify(
    results: Annotated[Path, typer.Argument(help="A run's folder, a folder of many, or a repo on the Hub.")],
    data: PlacesOption = None,
    source: OldSourceOption = None,
    workers: WorkersOption = None,
    require_data: Annotated[
        bool, typer.Option("--require-data", help="Fail where the data of a run is not at hand.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Fail, too, where two seeds, models or protocols have the same answers (but for noise), or where two "
            "runs that should be the same have not.",
        ),
    ] = False,
    beside: Annotated[
        Path | None,
        typer.Option("--beside", help="Results that are there already: compare answers with theirs, too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute every metric from the predictions; check hashes, ids and targets. Fails on any difference."""
    from ..metrics.results.names import visible
    from ..metrics.results.seeds import copies
    from ..metrics.results.verify import find_runs, verify_results
    from .progress import show_progress

    truths = open_places(data, source)
    if not results.exists():
        from ..hub.predictions_push import results_folder

        results = results_folder(str(results))
    with show_progress(quiet=as_json) as progress:
        found = verify_results(results, truths, progress, workers=workers or cores())
        there = []
        if beside is not None and find_runs(beside, needed=False):
            there = verify_results(beside, truths, progress, workers=workers or cores())
    tell_unused(truths)
    failed = [one for one in found if one.faults]
    asked_for = {one.folder for one in found}
    copied = [pair for pair in copies([*there, *found]) if pair.later in asked_for]
    unseen = sum(not one.data_checked and one.report is not None for one in found)
    if as_json:
        of_folder: dict[Path, list[dict[str, object]]] = {one.folder: [] for one in found}
        for pair in copied:
            of_folder[pair.later].append(_told(pair))
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
                    "copies": of_folder[one.folder],
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
        for pair in copied:
            answers = "the very answers of" if pair.exact else "much the same answers as"
            means = _MEANS[pair.of].format(visible(str(pair.earlier)), answers=answers)
            err.print(
                f"no two {pair.of}: {visible(str(pair.later))} has {means}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        out.print(f"{len(found) - len(failed)} of {len(found)} runs are sound.")
        if unseen:
            out.print(f"{unseen} were checked without their data: give --data to compare ids and targets with it.")
    if failed or (require_data and unseen) or (strict and any(pair.suspicious for pair in copied)):
        raise typer.Exit(1)


def _told(pair: "Copy") -> dict[str, object]:
    from ..metrics.results.names import visible

    return {"of": pair.of, "exact": pair.exact, "folder": visible(str(pair.earlier))}
