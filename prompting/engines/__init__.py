"""What answers: one small interface, and the engines behind it."""
