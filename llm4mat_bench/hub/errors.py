"""Failures of the Hub and of the way there, as one line that says what to do, without the token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LLM4MatError, without_credentials

_TOKEN_LIKE = re.compile(r"\bhf_[A-Za-z0-9]{6,}|\b(Bearer|Basic)\s+\S+", re.IGNORECASE)
_ASKED_OF_CLIENTS = ("request", "stream", "get", "post")
_RESUME = "The same call goes on where this one stopped."


class HubError(LLM4MatError):
    """The Hub refused, or could not be reached."""


def redact(text: str) -> str:
    """Take the user's token, anything that looks like one, and names and passwords in addresses out of a text."""
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = text.replace(token, "hf_***")
    return _TOKEN_LIKE.sub("hf_***", without_credentials(text))


def shown_endpoint() -> str:
    """The Hub's address, without a name and password that may be in it."""
    from huggingface_hub import constants

    return without_credentials(constants.ENDPOINT)


@contextmanager
def hub_errors(repo: str, doing: str) -> Iterator[None]:
    """Turn whatever the Hub's library raises inside the block into a `HubError`.

    The original error is dropped from the chain on purpose: it holds the request with its headers, so that a traceback
    printed by a caller could show the token.

    Args:
        repo: The repository, for the message.
        doing: What was being done, for the message: ``"uploading"``.

    Raises:
        HubError: In place of any error but our own.
    """
    try:
        yield
    except LLM4MatError:
        raise
    except Exception as error:
        failure = HubError(explain(error, repo=repo, doing=doing))
        try:
            raise failure from None
        finally:
            failure.__context__ = None


def explain(error: BaseException, *, repo: str, doing: str) -> str:
    """Say in one line what failed and what to do.

    Args:
        error: What the Hub's library raised; the causes it was raised from are looked through.
        repo: The repository.
        doing: What was being done.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    endpoint = shown_endpoint()
    for cause in causes(error):
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            return _one_line(_explain_status(status, cause.server_message or "", repo, doing, endpoint))
        if isinstance(cause, OfflineModeIsEnabled):
            return f"{doing} {repo}: the Hub is switched off by HF_HUB_OFFLINE. Unset it."
        if isinstance(cause, httpx2.TimeoutException):
            return _one_line(f"{doing} {repo}: {endpoint} did not answer in time. {_RESUME}")
        if isinstance(cause, httpx2.TransportError):
            return _one_line(f"{doing} {repo}: cannot reach {endpoint} ({cause}). Look at the network. {_RESUME}")
        if isinstance(cause, LocalTokenNotFoundError):
            return not_logged_in(endpoint)
        if isinstance(cause, HFValidationError):
            return _one_line(f"{doing} {repo}: {cause}")
    if client_was_closed(error):
        return f"{doing} {repo}: the connection to {endpoint} broke. Look at the network. {_RESUME}"
    return _one_line(f"{doing} {repo}: {type(error).__name__}: {error}. {_RESUME}")


def client_was_closed(error: BaseException) -> bool:
    """Say whether a request failed only because another thread's failure closed the client they share.

    On a refused connection the library closes its HTTP client, under the uploads of its other threads, whose retries
    then end in an error that names no network at all: they hold the closed client, or were given None in the moment
    between the old one and the next (huggingface_hub 2.4.0).
    """
    return any(
        (isinstance(cause, RuntimeError) and "client has been closed" in str(cause))
        or (isinstance(cause, AttributeError) and cause.obj is None and cause.name in _ASKED_OF_CLIENTS)
        for cause in causes(error)
    )


def not_logged_in(endpoint: str) -> str:
    """Return the message for a call without a token."""
    return (
        f"not logged in at {endpoint}. Make a token with write access at {endpoint}/settings/tokens and give it in the "
        "environment variable HF_TOKEN, or run `hf auth login`."
    )


def _explain_status(status: int, said: str, repo: str, doing: str, endpoint: str) -> str:
    answer = f"The Hub says: {said}" if said else ""
    match status:
        case 401:
            return (
                f"{doing} {repo}: the Hub does not accept the token (401). Make a new one with write access at "
                f"{endpoint}/settings/tokens and give it as HF_TOKEN, or run `hf auth login`. {answer}"
            )
        case 402:
            return f"{doing} {repo}: the Hub asks for a payment method or more storage (402). {answer}"
        case 403:
            return (
                f"{doing} {repo}: your token may not do this (403). Use a token with write access to "
                f"'{repo.split('/', maxsplit=1)[0]}', or ask its owners. {answer}"
            )
        case 404:
            return (
                f"{doing} {repo}: no such repository, branch or file at {endpoint}, or none that your token may see "
                f"(404). Look at the spelling of {repo} and at the token's access. {answer}"
            )
        case 409 | 412:
            return (
                f"{doing} {repo}: somebody else changed it meanwhile ({status}). Look at it, then push again. {answer}"
            )
        case 429:
            return f"{doing} {repo}: too many requests (429). Wait some minutes. {_RESUME} {answer}"
        case _ if status >= 500:
            return f"{doing} {repo}: the Hub has a fault of its own ({status}). {_RESUME} {answer}"
        case _:
            return f"{doing} {repo}: the Hub refused ({status}). {answer}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _one_line(text: str) -> str:
    return redact(" ".join(text.split()))
