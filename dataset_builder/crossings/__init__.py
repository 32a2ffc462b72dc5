"""Duplicates: the same crystal twice, inside a split and, worse, in two splits."""

from .models import DuplicatesReport, KeyReport, SharedKeys, SourceDuplicates, StructureReport
from .report import find_duplicates

__all__ = [
    "DuplicatesReport",
    "KeyReport",
    "SharedKeys",
    "SourceDuplicates",
    "StructureReport",
    "find_duplicates",
]
