"""The scoring room: scores, intervals, the result record, verification and the leaderboard."""
