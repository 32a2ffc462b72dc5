"""``export``: the benchmark's questions for other harnesses."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .console import JsonOption, out, print_json
from .places import PlacesOption, places_of
from .train import ModalityOption, PatternsArgument, RevisionOption, read_modalities


def export(
    harness: Annotated[str, typer.Argument(help="lm-eval, lighteval or inspect.")],
    tasks: PatternsArgument,
    modality: ModalityOption = "composition",
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the task files.")] = Path("harness"),
    template: Annotated[
        str | None, typer.Option(metavar="ID_OR_FILE", help="How to ask [json; lighteval: words].")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, max=1000, metavar="K", help="Solved examples before each question.")] = 0,
    shot_rule: Annotated[
        str, typer.Option(metavar="RULE", help="fixed, random, nearest, stratified or fixed_published.")
    ] = "fixed",
    seed: Annotated[int, typer.Option(min=0, help="Of the shots.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only so many test rows.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 256,
    data: PlacesOption = None,
    revision: RevisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write task files for lm-evaluation-harness, lighteval or Inspect.

    The questions are those of `prompt` with the same template, shots and seed; the answers are read by the same parser
    and scored by the same code, so llm4mat-bench must be installed beside the harness.
    """
    from ..dataset_builder.catalogue import match_tasks
    from ..metrics.results.places import data_of
    from ..prompting.export.rows import ExportSettings, open_export
    from ..prompting.export.write import HARNESSES, write_export
    from ..prompting.run import read_prompt_settings
    from .progress import show_progress

    wanted = next((one for one in HARNESSES if one == harness), None)
    if wanted is None:
        raise UsageError(f"{harness}: there are {', '.join(HARNESSES)}")
    template = template or ("words" if wanted == "lighteval" else "json")
    rule = read_prompt_settings(shot_rule=shot_rule).shot_rule
    places = places_of(data, None)
    written = []
    with show_progress(quiet=as_json) as progress:
        for task in match_tasks(tasks):
            for view in read_modalities(modality):
                settings = ExportSettings(
                    template, shots, rule, seed, limit, max_tokens, data_of(task, places), revision
                )
                opened = open_export(task, view, settings, progress)
                path, command = write_export(wanted, opened, folder)
                written.append({"task": task.name, "modality": view, "file": str(path), "run": command})
    if as_json:
        print_json(written)
        return
    for one in written:
        out.print(one["file"], markup=False, highlight=False, soft_wrap=True)
    out.print(f"run it: {written[0]['run']}", markup=False, highlight=False, soft_wrap=True)
