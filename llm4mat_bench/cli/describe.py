"""``describe``: crystals to text."""

from pathlib import Path
from typing import Annotated

import typer

from ..dataset_builder.descriptions.batch.defaults import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT, DESCRIBER
from ..dataset_builder.descriptions.style import Style
from .console import JsonOption


def describe(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A CIF (its text is printed), a folder or zip of CIFs, a CSV or Parquet table, or a dataset folder.",
        ),
    ],
    result: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.parquet", help="Where the descriptions go.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-j", min=1, help="Processes. As many as there are processors if left out."),
    ] = None,
    style: Annotated[
        Style, typer.Option(help="The text as published, or as the installed robocrys prints it.")
    ] = "published",
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds a structure may take.")] = DEFAULT_TIMEOUT,
    memory: Annotated[
        int, typer.Option(min=16, help="MiB a worker may add to what it began with.")
    ] = DEFAULT_MEMORY_MB,
    condensed: Annotated[
        bool, typer.Option("--condensed/--no-condensed", help="Also write the condensed structure, as JSON.")
    ] = True,
    column: Annotated[
        str | None,
        typer.Option(help="Column of a table with the structures; cif, cif_structure or structure if left out."),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Column with their names; material_id, id or the row number if left out.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Work on this Ray cluster: auto, HOST:6379, ray://HOST:10001.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE, and discard a journal of another input or settings.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if any structure has no description.")] = False,
    describer: Annotated[str, typer.Option(hidden=True, help="module:function that describes.")] = DESCRIBER,
    as_json: JsonOption = False,
) -> None:
    """Describe crystals in words, as Robocrystallographer does.

    Killed at any moment, a run goes on with the same call, to the same bytes. A failure is a row with its reason.
    """
    from .describing import describe_input

    describe_input(
        source,
        result,
        workers=workers,
        style=style,
        timeout=timeout,
        memory=memory,
        condensed=condensed,
        column=column,
        id_column=id_column,
        ray=ray,
        overwrite=overwrite,
        strict=strict,
        describer=describer,
        as_json=as_json,
    )
