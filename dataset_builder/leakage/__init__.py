"""Leakage: targets that can be read, or worked out by simple arithmetic, from the text a model is given.

Columns are judged by their numbers, never by their names.
"""

from .card import card_section, update_card
from .models import Finding, LeakageReport, Limits
from .report import check_leakage

__all__ = ["Finding", "LeakageReport", "Limits", "card_section", "check_leakage", "update_card"]
