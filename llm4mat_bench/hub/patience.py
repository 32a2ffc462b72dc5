"""Waiting out what passes: too many requests, faults of the Hub's own, a network that comes back."""

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import client_was_closed

_T = TypeVar("_T")

WAITS = (1.0, 4.0, 15.0)
"""Seconds before the second, third and fourth try, where the Hub does not say how long."""
LONGEST = 330.0
"""Seconds that the Hub may ask for; the Hub counts requests by windows of five minutes."""


def patiently(call: Callable[[], _T]) -> _T:
    """Make a call that may be made twice, again where its failure may pass.

    Args:
        call: The call: reading, or asking for something that may be there already.

    Raises:
        Exception: Its failure, where it does not pass or does so too often.
    """
    for wait in (*WAITS, None):
        try:
            return call()
        except Exception as error:
            if wait is None or not may_pass(error):
                raise
            seconds = wait_of(error, wait)
        pause(seconds)
    raise AssertionError("the last try returns or raises")


def may_pass(error: Exception) -> bool:
    """Say whether what failed so may succeed when it is tried again (or may even have succeeded)."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        asked = _asked(error)
        return status >= 500 or status == 408 or (status == 429 and (asked is None or asked <= LONGEST))
    return isinstance(error, httpx2.TransportError) or client_was_closed(error)


def wait_of(error: Exception, wait: float) -> float:
    """Seconds to wait: as the Hub asks, else as given."""
    asked = _asked(error)
    return wait if asked is None else max(asked, 0.0)


def pause(seconds: float) -> None:
    """Wait; in one place, so that tests need not."""
    time.sleep(seconds)


def _asked(error: Exception) -> float | None:
    """Seconds that the Hub asks for, by the window of its rate limit or in plain words."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # not re-exported

    if not isinstance(error, HfHubHTTPError):
        return None
    headers = error.response.headers
    limit = parse_ratelimit_headers(headers)  # what the library's own retries go by first
    if error.response.status_code == 429 and limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds) + 1
    said = headers.get("Retry-After", "").strip()
    return float(said) if said.isdigit() else None
