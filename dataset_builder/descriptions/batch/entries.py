"""Rows to be described, and sources of them."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAX_TEXT = 64 * 2**20
"""Bytes. A longer text is reported and not read: a CIF of a million atoms is shorter."""


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


class Scan(NamedTuple):
    """What one reading of a source found."""

    rows: int
    weight: int
    """Length of all texts: what progress is measured in."""
    sha256: str


class Fingerprint:
    """Size and hash of the entries seen so far."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0
        self._weight = 0

    def add(self, entry: Entry) -> None:
        """Take one entry in."""
        for part in entry:
            data = b"" if part is None else part.encode("utf-8", "surrogatepass")
            self._hash.update(b"%d:" % (-1 if part is None else len(data)))
            self._hash.update(data)
        self._rows += 1
        self._weight += weight(entry)

    def result(self) -> Scan:
        """Sum up."""
        return Scan(self._rows, self._weight, self._hash.hexdigest())


def weight(entry: Entry) -> int:
    """Estimate the work in an entry: the length of its text, and a little for each row."""
    return len(entry.text or "") + 100


def text_entry(identifier: str, origin: str | None, text: str | bytes) -> Entry:
    """Make an entry of a text, or of the reason why it is not taken. Bytes that are no UTF-8 are replaced."""
    if len(text) > MAX_TEXT:
        return Entry(identifier, origin, None, f"longer than {MAX_TEXT // 2**20} MiB")
    return Entry(identifier, origin, text if isinstance(text, str) else text.decode("utf-8", "replace"))
