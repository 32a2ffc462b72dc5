"""``train``: a baseline on a task."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .console import JsonOption, err, out, print_json

ResultsOption = Annotated[Path, typer.Option("--out", "-o", help="Folder of all results.")]
SourceOption = Annotated[
    str | None,
    typer.Option(help="Folder made by `build`, or a dataset repo on the Hub. The embedded sample needs none."),
]
RevisionOption = Annotated[str | None, typer.Option(help="Revision of the Hub repo.")]


def train(
    model: Annotated[str, typer.Argument(help="dummy or composition_gbm.")],
    task: Annotated[str, typer.Argument(help="SOURCE/PROPERTY, for example sample/band_gap.")],
    modality: Annotated[str, typer.Option("--modality", "-m", help="composition, cif or description.")] = "composition",
    results: ResultsOption = Path("results"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random in the model.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the model; repeat for more.")
    ] = None,
    source: SourceOption = None,
    revision: RevisionOption = None,
    overwrite: Annotated[bool, typer.Option(help="Train again where a finished run is found.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a baseline and write predictions and result record.

    The same call again finds the finished run and does nothing.
    """
    from ..baselines.registry import check_reads, get_baseline
    from ..baselines.run import read_settings, train_baseline
    from ..dataset_builder.catalogue import get_task
    from ..dataset_builder.loading import check_modality
    from ..metrics.results.record import RESULT_FILE, read_record
    from .progress import show_progress
    from .tables import score_table

    baseline, wanted, view = get_baseline(model), get_task(task), check_modality(modality)
    check_reads(baseline, view)
    chosen = read_settings(baseline, _pairs(settings or []))
    with show_progress(quiet=as_json) as progress:
        run = train_baseline(
            baseline,
            wanted,
            view,
            results,
            settings=chosen,
            seed=seed,
            source=source,
            revision=revision,
            overwrite=overwrite,
            progress=progress,
        )
    record = read_record(run.folder / RESULT_FILE)
    if as_json:
        print_json({"folder": str(run.folder), "already_there": run.already_there, **record.model_dump(mode="json")})
        return
    if run.already_there:
        err.print(f"found the finished run {run.folder}; --overwrite trains again", highlight=False, soft_wrap=True)
    out.print(score_table([record], title=f"{model} on {wanted.name}"))
    out.print(str(run.folder), highlight=False, soft_wrap=True)


def _pairs(settings: list[str]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: write NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs
