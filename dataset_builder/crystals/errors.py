"""What is wrong with a text that should be a crystal."""


class StructureError(ValueError):
    """The text holds no usable crystal structure; the message says why, fit for a table."""
