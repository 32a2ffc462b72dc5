"""Sources of a user's own: the catalogue does not know them, the build report of their dataset folder declares them."""

from functools import cache
from pathlib import Path

from ...errors import LLM4MatError, UsageError
from ..catalogue import Source, Task, declare_source, get_task
from .layout import REPORT
from .report import read_report


def declared_in(data: str | Path) -> tuple[Source, ...]:
    """Give the declarations in the build report of a folder, or of a dataset repo on the Hub.

    Returns:
        None of them where there is no report, or none that can be read: whoever needs the data itself is told why.
    """
    path = Path(data) / REPORT if Path(data).is_dir() else _report_on_hub(str(data))
    if path is None or not path.is_file():
        return ()
    try:
        return tuple(source.declaration for source in read_report(path).sources.values())
    except (LLM4MatError, OSError, UnicodeDecodeError):
        return ()


def declare_data(data: str | Path) -> tuple[Source, ...]:
    """Let the sources of a folder or repo be known by their names, those of the catalogue aside.

    Returns:
        The sources that are its own.
    """
    return tuple(source for one in declared_in(data) if (source := declare_source(one)) is not None)


def task_in(name: str | Task, data: str | Path | None) -> Task:
    """Return a task of the catalogue, or one that the build report of its data declares.

    Raises:
        UsageError: Neither knows it.
    """
    try:
        return get_task(name)
    except UsageError:
        if data is None or not declare_data(data):
            raise
        return get_task(name)


@cache
def _report_on_hub(repo: str) -> Path | None:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, REPORT, repo_type="dataset"))
    except Exception:  # whatever is wrong with it: who reads its data says so
        return None
