"""Answers that decline to answer."""

from .words import WORDS

_DECLINED = WORDS.declined


def declines(lowered: str) -> bool:
    """Whether a text in lower case says that it gives no answer."""
    return any(phrase in lowered for phrase in _DECLINED)
