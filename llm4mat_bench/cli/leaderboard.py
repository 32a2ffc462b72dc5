"""``leaderboard``: a static page of verified results."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import UsageError
from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, WorkersOption, cores, open_places, tell_unused


def leaderboard(
    results: Annotated[
        Path | None, typer.Argument(help="Folder of results, or a repo on the Hub.", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page.")] = Path("leaderboard"),
    data: PlacesOption = None,
    source: OldSourceOption = None,
    workers: WorkersOption = None,
    plots: Annotated[bool, typer.Option(help="Draw parity, ROC, element and learning plots for each task.")] = True,
    duplicates: Annotated[
        bool,
        typer.Option(help="Score without duplicates of training rows too: reads all texts of the data once."),
    ] = True,
    published: Annotated[
        Literal["beside", "all", "none"],
        typer.Option(help="Published rows: for sources with runs, for all sources, for none."),
    ] = "beside",
    check_published: Annotated[
        bool,
        typer.Option(
            "--check-published",
            help="Write no page: recompute the published averages from their tables, list what does not follow.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify all runs and write the leaderboard page: index.html, needs no server.

    Runs that do not verify are named on the page and left out; the exit status is then 1.
    """
    from ..metrics.leaderboard import write_leaderboard
    from ..metrics.results.names import visible
    from .progress import show_progress

    if check_published:
        if results is not None:
            raise UsageError("--check-published reads the published tables, no results: leave RESULTS out")
        _check_published(as_json=as_json)
        return
    if results is None:
        raise UsageError("give the folder of results, for example results/")
    truths = open_places(data, source)
    if not results.exists():
        from ..hub.predictions_push import results_folder

        results = results_folder(str(results))
    with show_progress(quiet=as_json) as progress:
        written = write_leaderboard(
            results,
            folder,
            truths,
            progress,
            workers=workers or cores(),
            plots=plots,
            duplicates=duplicates,
            reported=published,
        )
    tell_unused(truths)
    refused = [{"folder": visible(str(one.folder)), "faults": list(one.faults)} for one in written.refused]
    if as_json:
        print_json({"page": str(written.page), "runs": written.n_runs, "apart": written.n_apart, "refused": refused})
    else:
        for one in written.refused:
            err.print(
                f"left out: {visible(str(one.folder))}: {one.faults[0]}", markup=False, highlight=False, soft_wrap=True
            )
        out.print(f"{written.n_runs} runs on {written.page}", highlight=False, soft_wrap=True)
        if written.n_apart:
            out.print(
                f"{written.n_apart} of them are not ranked: controls, trials, or runs whose data was not at hand "
                "(--data says where it is)."
            )
    if refused:
        raise typer.Exit(1)


def _check_published(*, as_json: bool) -> None:
    """Say which published averages do not follow; that is a fact about the publication, and no failure."""
    from ..metrics.published import check_averages, get_publication

    found = check_averages()
    if as_json:
        print_json({"citation": get_publication().citation.model_dump(mode="json"), **found.model_dump(mode="json")})
        return
    sound = found.checked - len(found.faults)
    out.print(
        f"{sound} of {found.checked} published averages follow from their tables, as means weighted by samples, within "
        f"{found.tolerance:g}.",
        highlight=False,
        soft_wrap=True,
    )
    for fault in found.faults:
        printed = "Inval." if fault.published is None else f"{fault.published:.3f}"
        out.print(
            f"{fault.source} {fault.kind}, {fault.model} reading {fault.modality}: {printed} is printed, the table "
            f"gives {fault.shown}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for header in found.headers:
        out.print(
            f"{header.source}: the header says {header.stated_tasks} tasks, the table has {header.tasks}",
            highlight=False,
            soft_wrap=True,
        )
