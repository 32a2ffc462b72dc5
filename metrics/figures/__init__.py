"""Figures of results, drawn by matplotlib: what ``plot`` writes and what the leaderboard page shows."""
