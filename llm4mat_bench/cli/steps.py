"""Progress bars for work that goes in steps, each announced as it comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .console import err


@contextmanager
def steps(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each step on standard error; only the one at work stays visible.

    Args:
        quiet: Show nothing.

    Yields:
        A function of the step's title, how much of it is done, and how much there is.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bars:
        shown: dict[str, TaskID] = {}

        def report(title: str, done: int, total: int) -> None:
            if title not in shown:
                for task in shown.values():
                    bars.update(task, visible=False)
                shown[title] = bars.add_task(title, total=total)
            bars.update(shown[title], completed=done)

        yield report
