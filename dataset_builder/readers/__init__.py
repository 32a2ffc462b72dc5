"""One reader a raw form; all give the same table of raw cells, a piece of a file at a time."""
