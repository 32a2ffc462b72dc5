"""``describe``: crystals to text."""

from pathlib import Path
from typing import Annotated

import typer

from ..dataset_builder.descriptions.batch.defaults import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT, DESCRIBER
from ..dataset_builder.descriptions.batch.table import Form
from ..dataset_builder.descriptions.style import Style
from .console import JsonOption


def describe(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="CIFs (.cif, .mcif, .cif.gz), POSCARs, .json of pymatgen or JARVIS (their texts are printed); or a "
            "folder or zip of them, a CSV or Parquet table, a dataset folder; - for standard input.",
        ),
    ],
    result: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where the descriptions go: .parquet, .jsonl or .csv; - prints."
        ),
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Form of FILE; by its ending if left out, jsonl for -.")
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
    allow_formula_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-formula-mismatch",
            help="Describe CIFs whose atoms do not make their formula (hydrogens not located, say); the row says so.",
        ),
    ] = False,
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
        sources,
        result,
        form=form,
        allow_formula_mismatch=allow_formula_mismatch,
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
