"""Compare scores that a record states with those that were computed again."""

from collections.abc import Iterator

from pydantic import JsonValue

RELATIVE_TOLERANCE = 1e-9
"""Sums may be taken in another order by another NumPy; any honest change of a prediction is far larger."""


def differences(stated: JsonValue, found: JsonValue, where: str = "", *, exact_intervals: bool) -> Iterator[str]:
    """Leaves in which two JSON values differ, numbers beyond the tolerance."""
    if stated == found:
        return
    if isinstance(stated, dict) and isinstance(found, dict):
        if where.endswith("interval") and not exact_intervals and _near(stated, found):
            return
        for key in sorted(stated.keys() | found.keys()):
            inner = f"{where}.{key}" if where else key
            yield from differences(stated.get(key), found.get(key), inner, exact_intervals=exact_intervals)
        return
    if not _close(stated, found):
        yield f"{where}: the record says {stated}, the predictions give {found}"


def _close(stated: JsonValue, found: JsonValue) -> bool:
    if not (isinstance(stated, int | float) and isinstance(found, int | float)):
        return False
    return abs(float(stated) - float(found)) <= 1e-15 + RELATIVE_TOLERANCE * abs(float(found))


def _near(stated: dict[str, JsonValue], found: dict[str, JsonValue]) -> bool:
    """Whether two intervals are the same but for the draw of the resamples, which another NumPy may make otherwise.

    The ends of an interval from 1,000 resamples scatter by about 4 % of its width, by more where tails are heavy.
    """
    ends = [stated.get("low"), stated.get("high"), found.get("low"), found.get("high")]
    numbers = [float(end) for end in ends if isinstance(end, int | float)]
    if len(numbers) < 4 or stated.get("level") != found.get("level") or stated.get("method") != found.get("method"):
        return False
    slack = 0.2 * (numbers[3] - numbers[2])
    return abs(numbers[0] - numbers[2]) <= slack and abs(numbers[1] - numbers[3]) <= slack
