"""Descriptions: the text that Robocrystallographer writes for a crystal."""

from .many import describe_many
from .records import DescriptionRecord, Status

__all__ = ["DescriptionRecord", "Status", "describe_many"]
