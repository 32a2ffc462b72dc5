"""The one error that scoring raises."""


class ScoreError(ValueError):
    """A score cannot be computed from these values; the message says why, in one line."""
