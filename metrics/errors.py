"""The one error that scoring raises."""

from ..errors import LLM4MatError


class ScoreError(LLM4MatError, ValueError):
    """A score cannot be computed from these values; the message says why, in one line."""
