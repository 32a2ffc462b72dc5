"""``plot``: figures of results, as PNG and SVG."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import DataError, UsageError
from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, open_places

if TYPE_CHECKING:
    from ..metrics.results.verify import Verification

Kind = Literal["parity", "residuals", "elements", "calibration", "coverage", "learning"]


def plot(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="parity: predicted against true (ROC for classes). residuals: errors against true values. elements: "
            "errors by element on the periodic table. calibration: what answers promise and what is so. coverage: how "
            "much was answered. learning: scores against training rows."
        ),
    ],
    results: Annotated[Path, typer.Argument(help="A run's folder, or a folder of many.")],
    target: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the figures, or one file (.png, .svg) for one figure.")
    ] = Path("plots"),
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    modality: Annotated[
        Literal["composition", "cif", "description"] | None,
        typer.Option("--modality", "-m", help="Only this modality."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only the model of this id.")] = None,
    form: Annotated[
        Literal["both", "png", "svg"], typer.Option("--format", help="What is written into a folder.")
    ] = "both",
    data: PlacesOption = None,
    source: OldSourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw figures of results; runs are verified first, those that fail are left out (exit status 1)."""
    from ..drawing.style import FORMATS, available, save_figure
    from ..metrics.figures.of_runs import OF_MANY, choose_runs, draw_figures
    from ..metrics.results.counted import once
    from ..metrics.results.names import visible
    from ..metrics.results.record import ResultRecord, read_record
    from ..metrics.results.verify import find_runs, verify_run
    from .progress import show_progress

    one_file = target.suffix.lower().lstrip(".") in FORMATS and not target.is_dir()
    if not available():
        raise UsageError("figures are drawn by matplotlib: pip install 'llm4mat-bench[plots]'")
    truths = open_places(data, source)
    name = truths.task(task).name if task is not None else None

    def wanted(record: ResultRecord) -> bool:
        return (
            (name is None or record.task == name)
            and (modality is None or record.modality == modality)
            and (model is None or record.model.id == model)
        )

    folders = choose_runs(find_runs(results), read_record, wanted)
    if not folders:
        raise UsageError(f"{results}: no run of this choice in it (--task, --modality, --model)")
    written: list[Path] = []
    none: list[DataError] = []
    with show_progress(quiet=as_json) as progress:
        found: list[Verification] = []
        for done, folder in enumerate(folders):
            progress("verifying", done, len(folders))
            found.append(verify_run(folder, truths))
        progress("verifying", len(folders), len(folders))
        failed = [one for one in found if one.faults]
        sound, same = once([one for one in found if not one.faults])
        total = len({one.record.task for one in sound if one.record}) if kind in OF_MANY else len(sound)
        if one_file and total > 1:
            what = "tasks" if kind in OF_MANY else "runs"
            raise UsageError(
                f"{target}: one file takes one figure, these are {total} {what}; choose one (--task, --modality, "
                "--model, or a run's folder), or give a folder"
            )
        for done, (stem, figure) in enumerate(draw_figures(kind, sound, truths)):
            progress("drawing", done, total)
            if isinstance(figure, DataError):
                none.append(figure)
                continue
            endings = FORMATS if form == "both" else (form,)
            for path in [target] if one_file else [target / f"{kind}-{stem}.{ending}" for ending in endings]:
                save_figure(figure, path)
                written.append(path)
        progress("drawing", total, total)
    unchecked = [one for one in sound if not one.data_checked]
    if as_json:
        print_json(
            {
                "written": [str(path) for path in written],
                "without": [str(reason) for reason in none],
                "drawn_once": [{"folder": visible(str(one)), "as": visible(str(first))} for one, first in same],
                "not_compared": [visible(str(one.folder)) for one in unchecked],
                "refused": [{"folder": visible(str(one.folder)), "faults": list(one.faults)} for one in failed],
            }
        )
    else:
        for line in (
            *(f"no figure: {reason}" for reason in none),
            *(f"left out: {visible(str(one.folder))}: {one.faults[0]}" for one in failed),
            *(f"drawn once: {visible(str(one))} holds the same record as {visible(str(first))}" for one, first in same),
            *_not_compared(unchecked),
        ):
            err.print(line, markup=False, highlight=False, soft_wrap=True)
        for path in written:
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)
    if failed or not written:
        raise typer.Exit(1)


def _not_compared(runs: "list[Verification]") -> Iterator[str]:
    tasks = Counter(one.record.task for one in runs if one.record is not None)
    for task, count in sorted(tasks.items()):
        yield (
            f"data not compared: {count} {'run' if count == 1 else 'runs'} of {task}, whose data is not at hand: the "
            "true values are those of the runs' own files; --data says where the data is"
        )
