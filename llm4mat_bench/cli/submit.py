"""``submit``: anyone's predictions become a record."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .console import JsonOption, out, print_json
from .places import PlacesOption, places_of
from .score import ScoreKindName
from .train import ResultsOption, RevisionOption, read_pairs


class ModelKindName(StrEnum):
    """What kind a model is."""

    finetuned = "finetuned"
    prompted = "prompted"
    gnn = "gnn"
    classical = "classical"
    dummy = "dummy"
    other = "other"


class OverlapName(StrEnum):
    """Whether a model's weights had seen test materials."""

    none = "none"
    known = "known"
    unknown = "unknown"


def submit(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="CSV, TSV, JSON lines or Parquet: material_id, prediction (a number; of a class 0/1, or its score).",
        ),
    ],
    *,
    task: Annotated[str, typer.Option("--task", "-t", help="What was predicted, for example mp/band_gap.")],
    modality: Annotated[
        str, typer.Option("--modality", "-m", help="What the model read: composition, cif or description.")
    ],
    model_id: Annotated[str, typer.Option(metavar="NAME", help="The model's name.")],
    model_url: Annotated[
        str, typer.Option(metavar="https://...", help="Where the model, its code or its description is.")
    ],
    model_revision: Annotated[str, typer.Option(metavar="TEXT", help="Its version or commit.")] = "not stated",
    model_kind: Annotated[ModelKindName, typer.Option(help="What kind of model it is.")] = ModelKindName.other,
    parameters: Annotated[int | None, typer.Option(min=0, help="Number of its parameters.")] = None,
    pretraining_overlap: Annotated[
        OverlapName, typer.Option(help="Whether its weights had seen test materials before.")
    ] = OverlapName.unknown,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="How it was trained or asked; repeat for more."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which of several seeds.")] = 0,
    score_kind: Annotated[
        ScoreKindName | None,
        typer.Option(
            help="What the scores of a classifier are; probability if left out. All 0 or 1 are hard labels.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many test rows were asked: a trial, which is not ranked.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(metavar="shuffled", help="shuffled: each crystal got another one's text; not ranked.")
    ] = None,
    data: PlacesOption = None,
    revision: RevisionOption = None,
    results: ResultsOption = Path("results"),
    overwrite: Annotated[bool, typer.Option(help="Make the record again where it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a result record from your predictions: compared with the test split, scored, ready to be verified.

    A test material that the file does not name, or whose cell is empty, counts as missing. An id that is not in the
    test split, or stands twice, is refused.
    """
    from ..dataset_builder.dataset_folder import check_modality
    from ..metrics.results.names import visible
    from ..metrics.results.places import data_of, task_among
    from ..metrics.results.submission import Author
    from ..metrics.results.submission import submit as make
    from .progress import show_progress
    from .tables import score_table

    if control not in (None, "none", "shuffled"):
        raise UsageError(f"--control {control}: there is one, shuffled")
    places = places_of(data, None)
    wanted = task_among(task, places)
    view = check_modality(modality)
    author = Author(
        model_id=model_id,
        model_url=model_url,
        revision=model_revision,
        kind=model_kind.value,
        parameters=parameters,
        pretraining_overlap=pretraining_overlap.value,
        settings=dict(read_pairs(settings or [])),
        seed=seed,
        limit=limit,
        shuffled=control == "shuffled",
    )
    with show_progress(quiet=as_json) as progress:
        made = make(
            predictions,
            wanted,
            view,
            author,
            results,
            score_kind=score_kind.value if score_kind else None,
            data=data_of(wanted, places),
            revision=revision,
            overwrite=overwrite,
            progress=progress,
        )
    counts = made.record.counts
    if as_json:
        print_json(
            {
                "folder": str(made.folder),
                "already_there": made.already_there,
                "n_absent": made.n_absent,
                **made.record.model_dump(mode="json"),
            }
        )
        return
    if made.already_there:
        out.print("These answers were submitted before; --overwrite makes the record again.", soft_wrap=True)
    out.print(score_table([made.record], title=f"{visible(model_id, 80)} on {wanted.name}"))
    out.print(
        f"{counts.n_scored} of {counts.n_total} test materials answered ({made.n_absent} not in the file, "
        f"{counts.n_missing - made.n_absent} empty, {counts.n_invalid} unreadable); those without count as missing.",
        highlight=False,
        soft_wrap=True,
    )
    out.print(str(made.folder), highlight=False, soft_wrap=True)
