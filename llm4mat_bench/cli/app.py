"""The program ``llm4mat-bench``: its commands, and how it fails."""

import os
import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import LLM4MatError, UsageError, without_credentials
from ..files import said_of_system
from .build import build
from .catalogue import sources, tasks
from .check import check
from .console import err
from .demo import demo
from .describe import describe
from .export import export
from .leaderboard import leaderboard
from .models import models
from .plan import plan
from .plot import plot
from .predict import predict
from .probe import probe
from .prompt import prompt
from .push_results import app as push
from .report import report
from .score import score
from .stats import stats
from .submit import submit
from .train import ModelCommand, train
from .verify import verify

EXTRAS = {
    "evaluate": "evaluate",
    "lightgbm": "baselines",
    "matminer": "describe",
    "matplotlib": "plots",
    "pymatgen": "baselines",
    "ray": "ray",
    "robocrys": "describe",
    "sklearn": "baselines",
    "tokenizers": "stats",
    "torch": "prompting",
    "transformers": "prompting",
}
"""Which extra brings a library that a command asked for."""

app = typer.Typer(
    name="llm4mat-bench",
    help="How well does a language model predict the properties of crystals?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llm4mat-bench {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


for command in (
    demo,
    sources,
    tasks,
    build,
    describe,
    check,
    stats,
    models,
    plan,
    train,
    predict,
    prompt,
    probe,
    report,
    export,
    score,
    submit,
    verify,
    leaderboard,
    plot,
):
    app.command(cls=ModelCommand if command in (train, models) else None)(command)
app.add_typer(push)


def main() -> None:
    """Run the program; a failure is one line on standard error and a non-zero exit status."""
    try:
        app()
    except LLM4MatError as error:
        err.print(f"[bold red]{'usage' if isinstance(error, UsageError) else 'error'}:[/] ", end="")
        err.print(without_credentials(str(error)), markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        err.print(f"error: {error.name} is not installed: pip install 'llm4mat-bench[{extra}]'", markup=False)
        sys.exit(1)
    except SystemExit as leaving:
        if leaving.code in (130, 143):  # typer makes the first of Ctrl-C, without a word; a push the other of SIGTERM
            err.print("stopped. What was finished is kept.")
        raise
    except BrokenPipeError:
        # A reader such as `head` has had enough; close standard output quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # of a file or a connection that nobody on the way had a better word for
        err.print(f"error: {without_credentials(said_of_system(error))}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
