"""``leaderboard``: a static page of verified results."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, err, out, print_json
from .train import SourceOption


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Folder of results.")],
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page.")] = Path("leaderboard"),
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify all runs and write the leaderboard page: index.html, needs no server.

    Runs that do not verify are named on the page and left out; the exit status is then 1.
    """
    from ..metrics.leaderboard import write_leaderboard
    from .progress import progress_bar

    with progress_bar("leaderboard") as progress:
        written = write_leaderboard(results, folder, source, progress)
    refused = [{"folder": str(one.folder), "faults": list(one.faults)} for one in written.refused]
    if as_json:
        print_json({"page": str(written.page), "runs": written.n_runs, "refused": refused})
    else:
        for one in written.refused:
            err.print(f"left out: {one.folder}: {one.faults[0]}", markup=False, highlight=False, soft_wrap=True)
        out.print(f"{written.n_runs} runs on {written.page}", highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(1)
