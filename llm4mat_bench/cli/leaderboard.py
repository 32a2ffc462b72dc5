"""``leaderboard``: a static page of verified results."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, WorkersOption, cores, open_places, tell_unused


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Folder of results.")],
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page.")] = Path("leaderboard"),
    data: PlacesOption = None,
    source: OldSourceOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify all runs and write the leaderboard page: index.html, needs no server.

    Runs that do not verify are named on the page and left out; the exit status is then 1.
    """
    from ..metrics.leaderboard import write_leaderboard
    from ..metrics.results.names import visible
    from .progress import show_progress

    truths = open_places(data, source)
    with show_progress(quiet=as_json) as progress:
        written = write_leaderboard(results, folder, truths, progress, workers=workers or cores())
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
