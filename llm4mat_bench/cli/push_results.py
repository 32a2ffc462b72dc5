"""``push results|predictions|leaderboard``: what came of runs, on the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import JsonOption, err, out, print_json
from .places import PlacesOption, WorkersOption, cores, open_places, tell_unused
from .push import (
    DeleteOption,
    DryRunOption,
    MessageOption,
    PrivateOption,
    RepoOption,
    RevisionOption,
    app,
    print_result,
    result_record,
    tell,
)

__all__ = ["app"]

if TYPE_CHECKING:
    from ..hub.model_push import ModelPush

ResultsArgument = Annotated[Path, typer.Argument(metavar="RESULTS", help="A run's folder, or a folder of many.")]
RequestOption = Annotated[
    bool, typer.Option("--create-pr", help="Open a pull request instead, at a repository of others.")
]
LicenceOption = Annotated[
    str | None, typer.Option("--license", metavar="ID", help="Licence for the card, such as apache-2.0, cc-by-4.0.")
]


@app.command()
def results(
    folder: ResultsArgument,
    *,
    repo: RepoOption,
    data: PlacesOption = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME[@REVISION]", help="The model, where RESULTS holds several.")
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(metavar="ID", help="A row of the setting to show, where the model was run with several settings."),
    ] = None,
    licence: LicenceOption = None,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Send the trained models along, where there are any.")
    ] = True,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Draw figures into the card, where matplotlib is installed.")
    ] = True,
    workers: WorkersOption = None,
    private: PrivateOption = None,
    revision: RevisionOption = "main",
    message: MessageOption = None,
    create_pr: RequestOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a model's results as a model repository: card, metadata, records, predictions, the trained model.

    Every run is verified first; one that fails stops it all. A card that is there keeps what people wrote. The metadata
    points at the dataset repo among --data that holds the very data of a run. --dry-run shows what would change.
    """
    from ..hub.model_push import push_results
    from .progress import show_progress

    truths = open_places(data, None)
    with show_progress(quiet=as_json) as progress:
        pushed = push_results(
            folder,
            repo,
            truths,
            model=model,
            row=row,
            licence=licence,
            weights=weights,
            figures=figures,
            private=private,
            revision=revision,
            message=message,
            create_pr=create_pr,
            dry_run=dry_run,
            progress=progress,
            workers=workers or cores(),
            tell=tell,
        )
    tell_unused(truths)
    _say(pushed, dry_run=dry_run, as_json=as_json)


@app.command()
def predictions(
    folder: ResultsArgument,
    *,
    repo: RepoOption,
    data: PlacesOption = None,
    licence: LicenceOption = None,
    workers: WorkersOption = None,
    private: PrivateOption = None,
    revision: RevisionOption = "main",
    message: MessageOption = None,
    create_pr: RequestOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish records and predictions as a dataset repository: `verify OWNER/NAME` reads them back.

    Every run is verified first; one that fails stops it all.
    """
    from ..hub.predictions_push import push_predictions
    from .progress import show_progress

    truths = open_places(data, None)
    with show_progress(quiet=as_json) as progress:
        result = push_predictions(
            folder,
            repo,
            truths,
            licence=licence,
            private=private,
            revision=revision,
            message=message,
            create_pr=create_pr,
            dry_run=dry_run,
            progress=progress,
            workers=workers or cores(),
            tell=tell,
        )
    tell_unused(truths)
    print_json(result_record(result)) if as_json else print_result(result, deletes=False)


@app.command()
def leaderboard(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The page's folder, as `leaderboard` writes it.")],
    *,
    repo: RepoOption,
    private: PrivateOption = None,
    revision: RevisionOption = "main",
    message: MessageOption = None,
    delete: DeleteOption = False,
    create_pr: RequestOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a leaderboard page as a static Space."""
    from ..hub.space_push import push_leaderboard

    result = push_leaderboard(
        folder,
        repo,
        private=private,
        revision=revision,
        message=message,
        delete=delete,
        create_pr=create_pr,
        dry_run=dry_run,
        tell=tell,
    )
    print_json(result_record(result)) if as_json else print_result(result)


def _say(pushed: "ModelPush", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        shown = {"diff": pushed.diff, "left_out": list(pushed.left_out), "not_shown": list(pushed.results.left_out)}
        print_json({**result_record(pushed.result), **shown})
        return
    if dry_run and pushed.diff:
        typer.echo(pushed.diff, nl=False)
    for line in pushed.results.left_out:
        err.print(f"not shown: {line}", markup=False, highlight=False, soft_wrap=True)
    for line in pushed.left_out:
        err.print(f"not among the Hub's entries: {line}", markup=False, highlight=False, soft_wrap=True)
    print_result(pushed.result, deletes=False)
    if not dry_run:
        out.print(f"{len(pushed.results.runs)} runs of {pushed.results.model}", markup=False, highlight=False)
