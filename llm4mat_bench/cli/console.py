"""What the commands share: printing for people, printing for programs."""

from typing import Annotated, Any

import typer
from rich.console import Console

from ..files import json_text

out = Console()
err = Console(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


def print_json(answer: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Print an answer as JSON with stable key order, Unicode as it is."""
    typer.echo(json_text(answer), nl=False)


def number(value: float | None, digits: int = 3) -> str:
    """Write a score for a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
