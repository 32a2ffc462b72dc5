"""How long work says where it is. All of the package speaks this one protocol; ``cli.progress`` shows it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 where nobody knows).

What is being done is a name; behind it may stand, in brackets, what changes as the work goes on, such as a loss.
"""

Advance = Callable[[int], None]
"""Called with how much more has been done."""


def silent(*_: object) -> None:
    """Tell nobody: the `Progress` and the `Advance` of those who do not want to know."""


def advance_of(step: str, total: int, progress: Progress) -> Advance:
    """Make an `Advance` that sums up and reports to a `Progress`.

    Args:
        step: What is being done.
        total: How much there is of it, 0 if unknown.
        progress: Who is told.
    """
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(step, done, total)

    return advance
