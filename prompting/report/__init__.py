"""What went wrong when a language model was asked: a page for each run."""
