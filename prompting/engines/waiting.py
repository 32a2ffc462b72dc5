"""How long to wait before a question is asked again."""

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 60.0
"""Seconds between two tries, where the server does not ask for more."""
_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*")


def back_off(attempt: int, first: float, spread: float) -> float:
    """Seconds before the next try: twice as long each time.

    Args:
        attempt: How many tries there were, from 1.
        first: Seconds after the first.
        spread: Between 0 and 1, another one for each question, so that not all come back at the same moment.
    """
    return float(min(first * 2 ** (attempt - 1), LONGEST_WAIT)) * (0.75 + spread / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait (``Retry-After``, in seconds or as a date); None where it does not."""
    written = headers.get("retry-after-ms")
    if written is not None and _SECONDS.fullmatch(written):
        return float(written) / 1000
    written = headers.get("retry-after")
    if written is None:
        return None
    if _SECONDS.fullmatch(written):
        return float(written)
    try:
        date = parsedate_to_datetime(written)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - time.time())
