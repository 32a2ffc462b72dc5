"""Pull requests of ours that are open already: a repeated call must not open another."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .errors import hub_errors, redact
from .patience import patiently
from .records import HubState, RepoType
from .state import read_state

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_MOST = 10
"""Requests of the same title that are looked into, the newest first."""


class PullRequest(NamedTuple):
    """A pull request: its commit, its page, its branch."""

    commit: str
    url: str
    branch: str


def open_request_like(
    api: "HfApi", repo: str, repo_type: RepoType, title: str, holds: Callable[[HubState], bool]
) -> PullRequest | None:
    """Find an open pull request of a title that holds what would be proposed.

    Args:
        api: The client.
        repo: ``owner/name``.
        repo_type: What kind of repository.
        title: The title: the first line of the commit's message.
        holds: Says whether a branch does.

    Raises:
        HubError: The Hub refused or could not be reached.
    """
    with hub_errors(repo, "looking at the pull requests of"):
        open_ones = patiently(
            lambda: list(
                api.get_repo_discussions(
                    repo, repo_type=repo_type, discussion_type="pull_request", discussion_status="open"
                )
            )
        )
    alike = [one for one in open_ones if one.title.strip() == title.strip()]
    for one in sorted(alike, key=lambda one: -one.num)[:_MOST]:
        branch = f"refs/pr/{one.num}"
        state = read_state(api, repo, repo_type, branch)
        if state.branch_exists and state.commit is not None and holds(state):
            return PullRequest(state.commit, redact(one.url), branch)
    return None
