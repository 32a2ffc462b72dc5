"""``score``: metrics of any predictions file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .console import JsonOption, out, print_json
from .places import OldSourceOption, PlacesOption, open_places, tell_unused
from .train import RevisionOption


class ScoreKindName(StrEnum):
    """What the scores of a classifier are."""

    probability = "probability"
    logit = "logit"
    hard_label = "hard_label"


class KindName(StrEnum):
    """What a task asks for."""

    regression = "regression"
    classification = "classification"


def score(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="Parquet, CSV, TSV or JSON lines: material_id, prediction (or score); target without a task.",
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", help="The task: checks that the ids are exactly those of its test split."),
    ] = None,
    kind: Annotated[KindName | None, typer.Option(help="Needed where no task is given.")] = None,
    score_kind: Annotated[
        ScoreKindName | None,
        typer.Option(
            help="What the scores of a classifier are; probability if left out. All 0 or 1 are hard labels.",
            show_default=False,
        ),
    ] = None,
    train_mean: Annotated[
        float | None,
        typer.Option(help="What a missing answer counts as in regression, where no data says it."),
    ] = None,
    data: PlacesOption = None,
    source: OldSourceOption = None,
    revision: RevisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute every metric of predictions files, both protocols, with intervals.

    A missing answer is an empty (null) prediction or NaN. A file beside a result.json needs no --task.
    """
    from ..metrics.results.score_file import score_file
    from .tables import report_table

    if task is not None and kind is not None:
        raise UsageError("--task says what kind it is: leave out --kind")
    truths = open_places(data, source)
    if revision is not None and all(place.is_folder for place in truths.places):
        raise UsageError("--revision is that of a dataset repo on the Hub: give one by --data, or leave it out")
    if kind is not None and truths.places:
        raise UsageError("--data serves a task: give --task, or leave --data out")
    answers = []
    for path in predictions:
        scored = score_file(
            path,
            task=task,
            kind=kind.value if kind else None,
            score_kind=score_kind.value if score_kind else None,
            train_mean=train_mean,
            truths=truths,
            revision=revision,
        )
        if as_json:
            named = {
                "file": str(path),
                "task": scored.task,
                "ids_checked": scored.ids_checked,
                "data": scored.place,
            }
            answers.append(named | scored.report.model_dump(mode="json"))
            continue
        out.print(
            report_table(
                scored.report, title=f"{path}" + (f" · {scored.task}" if scored.task else ""), unit=scored.unit
            )
        )
        if scored.ids_checked:
            out.print(f"Compared with the test split of {scored.task} in {scored.place}.", style="dim", highlight=False)
        else:
            out.print("The ids were not compared with the test split: give --task to do so.", style="dim")
    tell_unused(truths)
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
