"""The leaderboard: a static page of verified, recomputed results."""

from .build import Leaderboard, write_leaderboard

__all__ = ["Leaderboard", "write_leaderboard"]
