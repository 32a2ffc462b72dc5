"""``build``: published files or raw dumps to a dataset folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .console import JsonOption, out, print_json

if TYPE_CHECKING:
    from ..dataset_builder.export import SourceReport


def build(
    sources: Annotated[
        list[str], typer.Argument(help="Sources to build, by id or alias; `sample` is the embedded one.")
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="Dataset folder to make or add to.")],
    as_json: JsonOption = False,
) -> None:
    """Build a dataset folder that `load_dataset` reads and `push` publishes."""
    from ..dataset_builder.export.sample import build_sample

    reports = [build_sample(out_folder) for source in sources if source == "sample"]
    if as_json:
        print_json([report.model_dump(mode="json") for report in reports])
        return
    _print_reports(reports, out_folder)


def _print_reports(reports: "list[SourceReport]", folder: Path) -> None:
    table = Table(title=str(folder))
    for heading in ("source", "split"):
        table.add_column(heading)
    for heading in ("read", "written", "published"):
        table.add_column(heading, justify="right")
    for heading in ("dropped", "repaired", "marked"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        for name, split in report.splits.items():
            table.add_row(
                report.declaration.id,
                name,
                f"{split.read:,}",
                f"{split.written:,}",
                "–" if split.expected is None else f"{split.expected:,}",
                *(
                    "\n".join(f"{rule}: {count:,}" for rule, count in counts.items()) or "–"
                    for counts in (split.dropped, split.repaired, split.marked)
                ),
            )
        table.add_section()
    out.print(table)
    first = reports[0].declaration.id
    out.print(f'load_dataset("{folder}", "{first}-description")', markup=False, highlight=False, soft_wrap=True)
