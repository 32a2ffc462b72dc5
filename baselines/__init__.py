"""The training room: models that are fitted to a task."""
