"""Numbers of a built dataset: rows, words, missing values, distributions, and how they compare with the publication."""

from .models import StatisticsReport
from .page import statistics_page
from .report import compute_statistics
from .tokens import TokenCounter, load_tokenizer

__all__ = ["StatisticsReport", "TokenCounter", "compute_statistics", "load_tokenizer", "statistics_page"]
