"""What is wrong with a row, and what is done about it."""
