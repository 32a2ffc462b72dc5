"""``report``: what went wrong in runs of language models."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import PlacesOption, open_places, tell_unused


def report(
    results: Annotated[Path, typer.Argument(help="Folder of one run, or of all results.")],
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pages.")] = Path("report"),
    data: PlacesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at what language models answered: index.html and a page for each run, needs no server.

    Which answers could be read, which repeat themselves or the shots, which lie outside the training data, what the
    controls say, with examples. Works on every run that keeps the model's own words.
    """
    from ..prompting.report.build import write_report
    from .progress import show_progress

    truths = open_places(data, None)
    with show_progress(quiet=as_json) as progress:
        written = write_report(results, folder, truths, progress)
    tell_unused(truths)
    if as_json:
        print_json(
            {
                "page": str(written.page),
                "runs": [one.model_dump(mode="json") for one in written.runs],
                "passed_over": [str(one) for one in written.passed_over],
            }
        )
        return
    for run in written.runs:
        apart = f", control {run.control}" if run.control != "none" else ""
        title = f"{run.model} on {run.task}, {run.modality}, {run.shots} shots{apart}"
        out.print(title, markup=False, highlight=False, soft_wrap=True)
        for sentence in run.sentences:
            out.print(f"  {sentence}", markup=False, highlight=False, soft_wrap=True)
    if written.passed_over:
        err.print(f"{len(written.passed_over)} runs keep no answers in words and were passed over.")
    out.print(str(written.page), highlight=False, soft_wrap=True)
