"""What every kind of input gives: entries, the same ones each time they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAX_TEXT = 64 * 2**20
"""Bytes. A longer text is reported and not read: a CIF of a million atoms is shorter."""

MAX_ZIP_RATIO = 200
"""CIFs shrink to a tenth; what unpacks to more than this (and to more than ``MAX_TEXT``) is made to fill a disk."""


class Entry(NamedTuple):
    """One row to be: a name, where it came from, and a text or the reason why there is none."""

    id: str
    origin: str | None
    text: str | None
    problem: str | None = None


@dataclass(frozen=True)
class Source:
    """Something that yields entries, the same ones each time."""

    kind: str
    entries: Callable[[], Iterator[Entry]]
    passed_over: tuple[str, ...] = ()
    """Files beside the crystals."""

    @property
    def ignored(self) -> int:
        """How many files are passed over."""
        return len(self.passed_over)
