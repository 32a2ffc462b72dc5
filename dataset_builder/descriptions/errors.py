"""What can go wrong when a structure is described."""

from __future__ import annotations

from typing import Literal

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
