"""Runs and their results: the record, predictions, the data's truth, the frame of every run, verification."""
