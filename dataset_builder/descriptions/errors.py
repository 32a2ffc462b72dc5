"""What can go wrong with a whole run, as opposed to one structure: the message says what to do."""


class DescribeInputError(ValueError):
    """The input cannot be read as structures; the message names the file, the row and the remedy."""

    exit_code = 1


class DescribeUsageError(ValueError):
    """The call itself is wrong (a missing column, options that exclude each other)."""

    exit_code = 2


class JournalError(RuntimeError):
    """The journal beside the output belongs to another input or other settings, or is in use."""

    exit_code = 1


class PoolError(RuntimeError):
    """The processes that describe cannot be started or keep dying; no fault of one structure."""

    exit_code = 1
