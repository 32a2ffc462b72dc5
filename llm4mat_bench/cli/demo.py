"""``demo``: the whole chain on the embedded sample."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, out, print_json


def demo(
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for results and leaderboard.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option(help="Train again what an earlier call finished.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole chain on real crystals: train two models on every task, verify, write the leaderboard."""
    from ..demo import run_demo
    from .progress import show_progress
    from .tables import score_table

    with show_progress(quiet=as_json) as progress:
        done = run_demo(folder, overwrite=overwrite, progress=progress)
    if as_json:
        records = [record.model_dump(mode="json") for record in done.records]
        print_json({"page": str(done.page), "trained": done.trained, "records": records})
        return
    out.print(score_table(done.records, title="LLM4Mat-Bench on the embedded sample"))
    found = len(done.records) - done.trained
    out.print(f"{done.trained} runs trained, {found} found finished; all verified from their predictions.")
    if done.left_out:
        out.print(f"{done.left_out} older runs in {folder} no longer verify and were left out of the page.")
    out.print(f"Leaderboard: {done.page.resolve()}", highlight=False, soft_wrap=True)
