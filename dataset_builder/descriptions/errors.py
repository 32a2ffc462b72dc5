"""What can go wrong when a structure is described, and with a whole run of many."""

from __future__ import annotations

from typing import Literal

from ...errors import DataError, LLM4MatError, UsageError

Reason = Literal[
    "bad_structure",
    "disordered",
    "empty",
    "too_many_sites",
    "overlapping_atoms",
    "unknown_species",
    "symmetry",
    "robocrys_error",
]


class DescriptionError(ValueError):
    """A structure that has no description.

    Attributes:
        reason: A short fixed word for the kind of failure, fit for a table.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[type[DescriptionError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class DescribeInputError(DataError):
    """The input cannot be read as structures; the message names the file, the row and the remedy."""


class DescribeUsageError(UsageError):
    """The call itself is wrong (a missing column, options that exclude each other)."""


class JournalError(LLM4MatError, RuntimeError):
    """The journal beside the output belongs to another input or other settings, or is in use."""


class PoolError(LLM4MatError, RuntimeError):
    """The processes that describe cannot be started or keep dying; no fault of one structure."""
