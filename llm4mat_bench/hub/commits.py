"""Make a commit or open a pull request, once: where the answer is lost, what was made is looked for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from . import patience
from .errors import HubError, explain, redact
from .patience import may_pass, wait_of
from .plan import git_blob_id_of
from .pull_request import PullRequest
from .records import HubState, PushPlan
from .state import read_state

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi

_T = TypeVar("_T")
_COMMIT_WAITS = (2.0, 8.0)
"""Seconds before the second and third try of a commit whose answer did not come."""


def make_commit(api: "HfApi", plan: PushPlan, additions: "list[CommitOperationAdd]", message: str) -> str:
    """Make the commit; on a lost answer, look whether it was made before trying again.

    ``parent_commit`` lets the Hub refuse where somebody else has pushed since the plan was made.
    """

    def arrived() -> str | None:
        state = read_state(api, plan.repo, plan.repo_type, plan.revision)
        there = state.commit is not None and state.commit != plan.parent_commit
        return state.commit if there and not differences(additions, plan, state) else None

    return _insistently(
        plan,
        "committing to",
        lambda: str(_create_commit(api, plan, additions, message, revision=plan.revision).oid),
        arrived,
    )


def open_request(
    api: "HfApi",
    plan: PushPlan,
    additions: "list[CommitOperationAdd]",
    message: str,
    proposed: Callable[[], PullRequest | None],
) -> PullRequest:
    """Open a pull request with the commit; on a lost answer, look whether it is open: each call would open another."""

    def make() -> PullRequest:
        info = _create_commit(api, plan, additions, message, create_pr=True)
        return PullRequest(str(info.oid), redact(str(info.pr_url)), str(info.pr_revision))

    return _insistently(plan, "opening a pull request at", make, proposed)


def _insistently(plan: PushPlan, doing: str, make: Callable[[], _T], made: Callable[[], _T | None]) -> _T:
    """Make what must not be made twice; where the failure may pass, wait and look whether it was made, then try again.

    Raises:
        HubError: The failure does not pass, or does so too often.
    """
    for wait in (*_COMMIT_WAITS, None):
        try:
            return make()
        except Exception as error:
            failure, passing = explain(error, repo=plan.repo, doing=doing), may_pass(error)
            seconds = wait_of(error, wait or 0.0)
        if wait is None or not passing:
            raise HubError(failure)
        patience.pause(seconds)
        if (found := made()) is not None:
            return found
    raise AssertionError("the last try returns or raises")


def _create_commit(
    api: "HfApi",
    plan: PushPlan,
    additions: "list[CommitOperationAdd]",
    message: str,
    revision: str | None = None,
    create_pr: bool | None = None,
) -> "CommitInfo":
    info: CommitInfo = api.create_commit(
        plan.repo,
        _operations(plan, additions),
        commit_message=message,
        repo_type=plan.repo_type,
        parent_commit=plan.parent_commit,
        revision=revision,
        create_pr=create_pr,
    )
    return info


def _operations(
    plan: PushPlan, additions: "list[CommitOperationAdd]"
) -> "list[CommitOperationAdd | CommitOperationDelete]":
    from huggingface_hub import CommitOperationDelete

    return [*additions, *(CommitOperationDelete(file.path) for file in plan.having("delete"))]


def differences(additions: "list[CommitOperationAdd]", plan: PushPlan, state: HubState) -> list[str]:
    """List the files that the Hub does not hold as they were sent, or holds though they were to be deleted."""
    remote = {file.path: file for file in state.files}
    wrong = []
    for sent in additions:
        found = remote.get(sent.path_in_repo)
        # The hash of a large file is that of the bytes that went, so that it need not be read a third time.
        if found is None or (
            found.sha256 != sent.upload_info.sha256.hex()
            if found.sha256
            else found.blob_id != git_blob_id_of(Path(str(sent.path_or_fileobj)))
        ):
            wrong.append(sent.path_in_repo)
    wrong += [file.path for file in plan.having("delete") if file.path in remote]
    return wrong
