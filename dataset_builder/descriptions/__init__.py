"""Descriptions: the text that Robocrystallographer writes for a crystal."""
