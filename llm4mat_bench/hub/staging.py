"""The folder in which a push puts together what goes: it holds copies of weights, and must not stay behind."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

_TERMINATED = 128 + signal.SIGTERM
"""Exit status of a program that ends on SIGTERM, as shells count."""


@contextmanager
def staging_folder() -> Iterator[Path]:
    """Give an empty temporary folder, which goes on the way out, also where the program is asked to end (SIGTERM)."""
    with tempfile.TemporaryDirectory(prefix="llm4mat-push-") as folder, _ending_in_order():
        yield Path(folder)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(_TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # only the main thread may; another one leaves signals to whoever started it
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
