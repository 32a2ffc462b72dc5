"""Answers that decline to answer."""

from .words import WORDS

_DECLINED = WORDS.declined


def declines(lowered: str) -> bool:
    """Whether a text in lower case says that it gives no answer."""
    for phrase in _DECLINED:  # noqa: SIM110 - a third of the time that any() takes, for every answer
        if phrase in lowered:
            return True
    return False
