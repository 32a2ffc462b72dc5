"""The one progress display of all commands: bars on a terminal, now and then a line in a log."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from ..progress import Progress
from .console import err

BARS_SHOWN = 4
LINE_SECONDS = 60.0
"""Where standard error is not a terminal, a line this often stands for the bars; short work says nothing there."""
COUNTED = 10_000_000
"""More than this is bytes or the like, which people read as a share."""
REDRAW_SECONDS = 0.1


@contextmanager
def show_progress(*, quiet: bool = False, console: Console = err) -> Iterator[Progress]:
    """Show on standard error how far the work in the block is.

    A step has its bar from its first report to its last; steps may go on beside or within each other. One whose size
    is unknown makes room when another begins.

    Args:
        quiet: Show nothing.
        console: Where to show it.

    Yields:
        What the work reports to: the step's name, how much of it is done, how much there is (0 if unknown).
    """
    if quiet:
        yield _nothing
    elif console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            _Amount(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=console, transient=True, speed_estimate_period=600) as bars:
            yield _Terminal(bars)
    else:
        yield _Log(console)


def _name(step: str) -> str:
    """A step without what is told beside its name, which changes as it goes on."""
    return step.partition(" (")[0]


def _nothing(step: str, done: int, total: int) -> None:
    pass


def amount(done: int, total: int, speed: float | None) -> str:
    """Say how much is done: a count with its rate, or a share where counts would be long."""
    if total > COUNTED:
        return f"{100 * done / total:.0f} %"
    of = f" of {total:,}" if total else ""
    rate = "" if not speed else f", {speed:,.0f} a second" if speed >= 10 else f", {speed:.2g} a second"
    return f"{done:,}{of}{rate}"


class _Amount(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(amount(int(task.completed), int(task.total or 0), task.speed), style="progress.download")


@dataclass
class _Step:
    """One bar."""

    task: TaskID
    total: int
    done: int
    drawn: float


class _Terminal:
    """Draws steps as bars."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._steps: dict[str, _Step] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        with self._lock:
            self._report(step, done, total)

    def _report(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        name = _name(step)
        known = self._steps.pop(name, None)
        if known is None:
            self._make_room()
            task = self._bars.add_task(step, total=total or None, completed=done)
            self._steps[name] = _Step(task, total, done, now)
        else:
            self._steps[name] = known  # it was heard of last
            known.total, known.done = total, done
            if now - known.drawn < REDRAW_SECONDS and done != total:
                return
            known.drawn = now
            self._bars.update(known.task, completed=done, total=total or None, description=step)
        if total and done >= total:
            self._bars.remove_task(self._steps.pop(name).task)

    def _make_room(self) -> None:
        """Take away steps without a known end, and then those that were not heard of for longest."""
        ended = [name for name, one in self._steps.items() if not one.total]
        kept = [name for name in self._steps if name not in ended]
        for name in (*ended, *kept[: max(0, len(kept) - BARS_SHOWN + 1)]):
            self._bars.remove_task(self._steps.pop(name).task)


class _Log:
    """Writes a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()
        # When a step was first heard of, how much was done then, and how much when it was last heard of.
        self._heard: dict[str, tuple[float, int, int]] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        now, name = time.monotonic(), _name(step)
        since, before, last = self._heard.get(name, (now, done, done))
        if done < last:  # the same step of the next run
            since, before = now, done
        self._heard[name] = (since, before, done)
        if now - self._last < LINE_SECONDS:
            return
        self._last = now
        speed = (done - before) / (now - since) if now > since else 0.0
        left = f", {(total - done) / speed / 60:,.0f} min left" if speed and total > done else ""
        line = f"{step}: {amount(done, total, speed)}{left}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
