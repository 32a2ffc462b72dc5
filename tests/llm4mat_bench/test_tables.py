"""What is printed on a narrow terminal: names of tasks stay whole."""

import io

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from llm4mat_bench import list_tasks
from llm4mat_bench.cli.app import app
from llm4mat_bench.cli.tables import add_task_column

NAMES = [task.name for task in list_tasks()]
LONGEST = max(NAMES, key=len)


@pytest.mark.parametrize("command", [["tasks"], *(["tasks", one] for one in ("jarvis_dft", "gnome", "snumat"))])
def test_task_names_are_whole_on_80_columns(command: list[str]) -> None:
    done = CliRunner().invoke(app, command, env={"COLUMNS": "80"})
    words = done.output.split()
    wanted = NAMES if len(command) == 1 else [name for name in NAMES if name.startswith(f"{command[1]}/")]
    assert [name for name in wanted if name not in words] == []
    assert max(map(len, done.output.splitlines())) <= 80


@pytest.mark.parametrize("others", [2, 4, 7])
def test_a_task_column_gives_way_to_no_other(others: int) -> None:
    table = Table(title="x")
    add_task_column(table)
    for number in range(others):
        table.add_column(f"heading {number}", overflow="fold")
    table.add_row(LONGEST, *["some words of a long cell"] * others)
    out = io.StringIO()
    Console(width=80, file=out).print(table)
    assert LONGEST in out.getvalue()
