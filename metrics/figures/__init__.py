"""Figures of results, drawn by matplotlib: what ``plot`` writes and what the leaderboard page shows."""

from .style import available, save_figure, svg_for_page

__all__ = ["available", "save_figure", "svg_for_page"]
