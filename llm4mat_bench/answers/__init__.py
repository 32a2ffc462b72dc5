"""What a language model is asked to answer, and how its answer is read, whether it was trained or only asked."""
