"""What can go wrong with a run of many, besides a structure's own fault."""

from ....errors import DataError, LLM4MatError, UsageError


class DescribeInputError(DataError):
    """The input cannot be read as structures; the message names the file, the row and the remedy."""


class DescribeUsageError(UsageError):
    """The call itself is wrong (a missing column, options that exclude each other)."""


class PoolError(LLM4MatError, RuntimeError):
    """The processes that describe cannot be started or keep dying; no fault of one structure."""
