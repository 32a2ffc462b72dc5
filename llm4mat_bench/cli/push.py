"""``push``: publish on the Hugging Face Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..progress import Advance, advance_of
from .console import JsonOption, err, out, print_json

if TYPE_CHECKING:
    from ..hub import PushResult

app = typer.Typer(
    name="push",
    help="Publish on the Hugging Face Hub; only what has changed is sent, and an interrupted push goes on.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RepoOption = Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository on the Hub.")]
PrivateOption = Annotated[
    bool | None,
    typer.Option(
        "--private/--public",
        help="How a new repository is made: private unless said otherwise. An existing one stays as it is.",
        show_default=False,
    ),
]
RevisionOption = Annotated[
    str, typer.Option("--revision", "--branch", help="The branch; made from main if it is not there.")
]
MessageOption = Annotated[str | None, typer.Option("--message", "-m", help="The message of the commit.")]
DeleteOption = Annotated[
    bool, typer.Option("--delete", help="Delete files on the Hub that are not in the folder. Else they stay.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="List what would go, with sizes and reasons; write nothing.")
]


@app.command()
def dataset(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder, as `build` makes it.")],
    *,
    repo: RepoOption,
    private: PrivateOption = None,
    revision: RevisionOption = "main",
    message: MessageOption = None,
    delete: DeleteOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a built dataset folder as a dataset repository.

    The token is that of HF_TOKEN or of `hf auth login`.
    """
    from ..hub import check_dataset_folder, push_folder
    from ..hub.state import check_repo_name

    check_repo_name(repo)
    with _reading(folder, quiet=as_json) as watch:
        summary = check_dataset_folder(folder, watch)
    tell(f"{folder}: {len(summary.configs)} configs, {summary.rows:,} rows, {len(summary.files)} files; sound")
    result = push_folder(
        folder,
        summary,
        repo,
        "dataset",
        private=private,
        revision=revision,
        message=message,
        delete=delete,
        dry_run=dry_run,
        tell=tell,
    )
    print_json(result_record(result)) if as_json else print_result(result)


@app.command()
def metrics(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The folder of an evaluate module.", show_default="the package's own"),
    ] = None,
    *,
    repo: RepoOption,
    private: PrivateOption = None,
    revision: RevisionOption = "main",
    message: MessageOption = None,
    delete: DeleteOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish the evaluate module as a Space, where evaluate.load("OWNER/NAME") finds it.

    NAME must be the name of the module's file without .py.
    """
    from ..hub import check_metric_folder, push_folder
    from ..hub.state import check_repo_name
    from ..metrics import module_path

    check_repo_name(repo)
    folder = folder or module_path()
    summary = check_metric_folder(folder, repo)
    result = push_folder(
        folder,
        summary,
        repo,
        "space",
        private=private,
        revision=revision,
        message=message,
        delete=delete,
        dry_run=dry_run,
        tell=tell,
    )
    print_json(result_record(result)) if as_json else print_result(result)


def tell(line: str) -> None:
    """Say a step on standard error."""
    err.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _reading(folder: Path, *, quiet: bool) -> Iterator[Advance]:
    """Show a bar while the tables are read; it goes away when that is done, as the upload has its own."""
    from .progress import show_progress

    total = sum(path.stat().st_size for path in folder.rglob("*.parquet") if path.is_file())
    with show_progress(quiet=quiet) as progress:
        yield advance_of("checking the tables", total, progress)


def result_record(result: "PushResult") -> dict[str, object]:
    """What a push did, for a program to read."""
    plan = result.plan
    counts = {state: sum(file.state == state for file in plan.files) for state in _STATES}
    return {
        **result.model_dump(mode="json", exclude={"plan"}),
        **plan.model_dump(mode="json", exclude={"files"}),
        "counts": counts,
        "bytes_to_send": plan.bytes_to_send,
        "files": [file.model_dump(mode="json") for file in plan.files],
    }


_STATES = ("new", "changed", "unchanged", "removed")


def print_result(result: "PushResult", *, deletes: bool = True) -> None:
    """Say what a push did.

    Args:
        result: What it did.
        deletes: Whether the command can delete files on the Hub.
    """
    from rich.filesize import decimal
    from rich.table import Table

    plan = result.plan
    send, kept, deleted = plan.having("send"), plan.having("keep"), plan.having("delete")
    if result.dry_run:
        table = Table(title=f"{plan.repo} ({plan.repo_type}, branch {plan.revision})")
        table.add_column("file", overflow="fold")
        table.add_column("size", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("reason", overflow="fold")
        for file in plan.files:
            table.add_row(file.path, decimal(file.size), file.state, file.reason)
        out.print(table)
    lines = []
    if result.dry_run and not plan.exists:
        seen = "is not there (or not visible to you)"
        lines.append(f"{plan.repo} {seen}; it would be made, {'private' if plan.private else 'public'}")
    elif result.dry_run and not plan.branch_exists:
        lines.append(f"the branch {plan.revision} is not there; it would be made from main")
    verb = "would be sent" if result.dry_run else "sent"
    skipped = len(plan.having("skip"))
    lines.append(f"{len(send)} files {verb} ({decimal(plan.bytes_to_send)}), {skipped} unchanged")
    if deleted:
        lines.append(f"{len(deleted)} files {'would be deleted' if result.dry_run else 'deleted'} on the Hub")
    if kept:
        remedy = " (--delete removes them)" if deletes else ""
        lines.append(f"{len(kept)} files on the Hub are not in the folder and stay{remedy}")
    lines.append(f"dry run: nothing was written. {result.url}" if result.dry_run else result.url)
    if not result.dry_run and result.commit:
        lines[-1] += f"  commit {result.commit[:12]}"
    if result.pull_request:
        lines.append(f"pull request: {result.pull_request}")
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
