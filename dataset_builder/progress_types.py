"""How long work says where it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Advance = Callable[[int], None]
"""Called with how much more has been done."""


def silent(*_: object) -> None:
    """Tell nobody."""


def advance_of(title: str, total: int, progress: Progress) -> Advance:
    """Make an `Advance` that sums up and reports to a `Progress`."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(title, done, total)

    return advance
