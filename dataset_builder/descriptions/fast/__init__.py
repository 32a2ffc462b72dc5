"""The describer itself: one crystal in, its summary and its text out, each step computed once."""
