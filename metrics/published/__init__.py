"""The result tables of the publication, as printed: reported, not recomputed."""

from .averages import AverageCheck, AverageFault, HeaderFault, check_averages
from .tables import Publication, PublishedTable, get_publication, get_published_table

__all__ = [
    "AverageCheck",
    "AverageFault",
    "HeaderFault",
    "Publication",
    "PublishedTable",
    "check_averages",
    "get_publication",
    "get_published_table",
]
