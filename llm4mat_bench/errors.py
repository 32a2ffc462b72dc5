"""What can go wrong and be mended by the user: one line, no traceback."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


class LLM4MatError(Exception):
    """A failure that is explained in one line; the command line exits with ``exit_code``."""

    exit_code = 1


class UsageError(LLM4MatError, ValueError):
    """The call itself is wrong (an unknown name, options that exclude each other): exit status 2."""

    exit_code = 2


class DataError(LLM4MatError, ValueError):
    """A file does not hold what it should; the message names file, column and count."""


def without_credentials(text: str) -> str:
    """Take name and password out of the addresses in a text; that of a mirror of the Hub may have them."""
    return _CREDENTIALS.sub("", text)


def require_name(what: str, name: object) -> str:
    """Return a name that is text.

    Args:
        what: What it is the name of, for example ``"task"``.
        name: The name as given.

    Raises:
        UsageError: It is no text: None, a number, a list.
    """
    if isinstance(name, str):
        return name
    raise UsageError(f"a {what} is named by text, not by {said_value(name)} ({type(name).__name__})")


def said_value(value: object, limit: int = 60) -> str:
    """Write a value as one short line."""
    line = " ".join(repr(value).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def unknown_name(what: str, name: str, known: Iterable[str]) -> UsageError:
    """Build the error for a name that does not exist, with the nearest ones that do.

    Args:
        what: What the name should have been, for example ``"task"``.
        name: The name as given.
        known: All valid names.
    """
    choices = list(known)
    by_folded = {choice.casefold(): choice for choice in choices}
    near = [by_folded[folded] for folded in get_close_matches(name.casefold(), by_folded, n=4, cutoff=0.5)]
    hint = f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(choices[:12])}"
    if not near and len(choices) > 12:
        hint += f" and {len(choices) - 12} more"
    return UsageError(f"unknown {what} '{name}'. {hint}")


def one_line(error: BaseException) -> str:
    """Write an exception as one line with its type."""
    message = said(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def said(error: BaseException, limit: int = 300) -> str:
    """Write what an exception says as one line without memory addresses, so that two runs write the same."""
    line = _ADDRESS.sub("0x…", " ".join(str(error).split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"
