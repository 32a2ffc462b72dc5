"""``predict``: a trained model on crystals of one's own."""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import UsageError
from .console import JsonOption, err, out, print_json
from .train import RevisionOption

if TYPE_CHECKING:
    from ..baselines.artifacts import TrainedModel
    from ..baselines.inputs import Prediction

_SHOWN = 50
"""Rows printed; a file has them all."""


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_DIR...",
            help="Folder of a run, its model folder, or a model repo on the Hub; several of them, or a folder of "
            "runs that differ in their seed, for the mean and spread.",
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS...",
            help="Formulas; CIF files, folders or zips of them; a CSV or Parquet table; a file, a formula a line.",
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="Column of the tables; composition, formula, cif ... if left out.")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write all answers: .csv, .parquet or .jsonl.")
    ] = None,
    revision: RevisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict a property of crystals with a trained model: value and unit, or class and score.

    Several models of one task, for example the seeds of one, are asked as one: the value is their mean, the spread
    their standard deviation. A crystal that cannot be read is a row with the reason; the exit status is then 1.
    """
    import pyarrow as pa

    from ..baselines.ensembles import MeanOf, holds_model
    from ..baselines.inputs import predict_all, read_questions
    from ..hub.trained import load_model
    from .progress import show_progress
    from .rows_file import rows_file

    others = list(takewhile(lambda one: holds_model(Path(one)), inputs))
    inputs = inputs[len(others) :]
    if not inputs:
        raise UsageError("what to predict is missing: formulas, CIFs or tables behind the model")
    trained = load_model(model, *others, revision=revision)
    manifest = trained.manifest
    members = len(trained.fitted.members) if isinstance(trained.fitted, MeanOf) else 1
    columns = {"input": pa.string(), "name": pa.string(), "value": pa.float64()}
    columns |= {"spread": pa.float64()} if members > 1 else {}
    columns |= ({"class": pa.string()} if manifest.classes else {}) | {"error": pa.string()}
    shown: list[dict[str, Any]] = []
    total = failed = 0
    with show_progress(quiet=as_json) as progress, rows_file(out_file, columns) as add:
        for row in _rows(trained, members > 1, predict_all(trained, read_questions(inputs, manifest.modality, column))):
            total += 1
            failed += row["error"] is not None
            add(row)
            if as_json or len(shown) < _SHOWN:
                shown.append(row)
            progress("predicting", total, 0)
    if as_json:
        head: dict[str, Any] = {
            "model": manifest.model,
            "task": manifest.task,
            "unit": manifest.unit,
            "run_id": manifest.run_id,
        }
        if members > 1:
            head["models"] = members
        print_json({**head, "n_total": total, "n_failed": failed, "predictions": shown})
    else:
        _print(trained, members, shown, total)
        if out_file is not None:
            out.print(f"Written: {out_file}", highlight=False, soft_wrap=True)
    if failed:
        err.print(f"{failed} of {total} could not be predicted", highlight=False)
        raise typer.Exit(1)


def _rows(model: "TrainedModel", several: bool, predictions: "Iterable[Prediction]") -> Iterator[dict[str, Any]]:
    import numpy as np

    for one in predictions:
        row: dict[str, Any] = {"input": one.place, "name": one.name, "value": one.value}
        row |= {"spread": one.spread} if several else {}
        if model.manifest.classes is not None:
            positive = one.value is not None and bool(model.positive(np.array([one.value]))[0])
            row["class"] = None if one.value is None else model.manifest.classes[positive]
        yield row | {"error": one.error}


def _print(model: "TrainedModel", members: int, rows: list[dict[str, Any]], total: int) -> None:
    manifest = model.manifest
    by = manifest.model if members == 1 else f"{members} models ({manifest.model})"
    table = Table(title=f"{manifest.title}, by {by} trained on {manifest.task}", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("input", overflow="fold")
    table.add_column(manifest.score_kind if manifest.classes else "value", justify="right", no_wrap=True)
    if members > 1:
        table.add_column("spread", justify="right", no_wrap=True)
    table.add_column("class" if manifest.classes else "unit", overflow="fold")
    for row in rows:
        place, name = row["input"], row["name"]
        label = place if name == place or Path(place).stem == name or _counts(place, name) else f"{place}: {name}"
        said = row.get("class") if manifest.classes else manifest.unit
        if row["error"]:
            table.add_row(label, *["–"] * (1 + (members > 1)), f"[red]{_plain(row['error'])}[/]")
        else:
            numbers = [row["value"], row["spread"]] if members > 1 else [row["value"]]
            table.add_row(label, *(f"{number:.4g}" for number in numbers), said or "")
    out.print(table)
    if total > len(rows):
        out.print(f"... and {total - len(rows):,} more: --out FILE writes them all")


def _counts(place: str, name: str) -> bool:
    """Whether a name only counts the rows of a table that has no ids, from 0: the place says it, from 1."""
    return name.isdecimal() and place.endswith(f", row {int(name) + 1}")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
