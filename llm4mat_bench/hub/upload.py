"""Send a folder to the Hub: large files first, then one commit, then a look whether all arrived.

Why not the library's ``upload_folder``: it commits a large folder in several parts, and between two of them users would
load a dataset whose card and shards do not belong together; and it sends along files that have not changed, to drop
them later. Here only the files of the plan are touched and the branch changes once. What resumes: content is stored on
the Hub under its own hash as soon as it is uploaded, before any commit, so that a repeated call finds it there and does
not send it again (with Xet, the storage is asked chunk by chunk; without, file by file).
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..dataset_builder.dataset_folder.layout import CARD
from ..errors import UsageError
from .commits import differences, make_commit, open_request
from .errors import HubError, causes, hub_errors, shown_endpoint
from .patience import patiently
from .plan import make_plan
from .preflight import stale_but_read
from .pull_request import PullRequest, open_request_like
from .records import FileChange, FolderSummary, HubState, PushPlan, PushResult, RepoType
from .state import check_repo_name, hub_api, read_state, require_token

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

# An upload is finished (findable by the next call) batch by batch: small enough to lose little, large enough to keep
# the library's upload threads busy.
_BATCH_FILES = 16
_BATCH_BYTES = 2_000_000_000


def push_folder(
    folder: Path,
    summary: FolderSummary,
    repo: str,
    repo_type: RepoType,
    *,
    private: bool | None = None,
    revision: str = "main",
    message: str | None = None,
    delete: bool = False,
    dry_run: bool = False,
    made_from: str | None = None,
    create_pr: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> PushResult:
    """Make a repository on the Hub hold what a folder holds, sending only what differs.

    Args:
        folder: The folder.
        summary: What `check_dataset_folder` or `check_metric_folder` found in it.
        repo: ``owner/name``.
        repo_type: What kind of repository.
        private: Whether a new repository is private (the default) or public. An existing one must be as asked for.
        revision: The branch; made from ``main`` if it is not there.
        message: The commit's message.
        delete: Whether to delete files on the Hub that are not in the folder.
        dry_run: Only look: nothing is written, here or there.
        made_from: The commit whose files went into the folder (a card that was merged), if any: where the branch has
            moved on since, nothing is sent.
        create_pr: Open a pull request instead of changing the branch, for a repository of others.
        tell: Takes a line for the user on each step.

    Returns:
        The plan and the commit that holds it.

    Raises:
        UsageError: No token, a bad name, or a repository that is public where private was asked for or the reverse.
        HubError: The Hub refused, could not be reached, or does not hold what was sent.
    """
    check_repo_name(repo)
    if not dry_run:
        require_token()
    api = hub_api()
    # Predictions beside a model are meant: they are what its card's numbers are computed from.
    warnings.filterwarnings("ignore", "It seems that you are about to commit a data file", UserWarning)
    if create_pr and revision != "main":
        raise UsageError("a pull request is opened against main: leave out --revision")
    state = read_state(api, repo, repo_type, revision)
    if made_from is not None and state.commit != made_from:
        raise HubError(f"{repo}: somebody else changed it meanwhile. Look at it, then push again.")
    if create_pr and not state.exists and not dry_run:
        raise UsageError(f"{repo} is not there (or not visible to you): a pull request needs a repository")
    if state.exists and private is not None and private != state.private:
        now, wanted = ("private", "public") if state.private else ("public", "private")
        raise UsageError(
            f"{repo} is {now} and --{wanted} was asked for. A push does not change that: do it on the repository's "
            f"settings page, or leave out --{wanted}."
        )

    def plan_for(state: HubState) -> PushPlan:
        return make_plan(
            folder,
            summary,
            state,
            repo=repo,
            repo_type=repo_type,
            revision=revision,
            private=private is not False,
            delete=delete,
        )

    plan = plan_for(state)
    url = _url(repo, repo_type)
    if dry_run:
        return PushResult(plan=plan, dry_run=True, created=False, commit=state.commit, url=url)
    _refuse_mixture(summary, plan)
    if state.exists and state.branch_exists and plan.empty:
        return PushResult(plan=plan, dry_run=False, created=False, commit=state.commit, url=url)

    _validate_card(repo, repo_type, folder)
    if not state.exists:
        tell(f"making the {'private' if plan.private else 'public'} {repo_type} repository {repo}")
        with hub_errors(repo, "making"):
            # A lost answer may have made it; that somebody else did meanwhile is seen by its visibility and its files.
            tried = False

            def make() -> None:
                nonlocal tried
                again, tried = tried, True
                api.create_repo(
                    repo, repo_type=repo_type, private=plan.private, space_sdk=summary.space_sdk, exist_ok=again
                )

            patiently(make)
        state = read_state(api, repo, repo_type, revision)
    if not state.branch_exists:
        tell(f"making the branch {revision}")
        with hub_errors(repo, f"making the branch {revision} of"):
            patiently(lambda: api.create_branch(repo, repo_type=repo_type, branch=revision, exist_ok=True))
        state = read_state(api, repo, repo_type, revision)
    created = not plan.exists
    if state.commit != plan.parent_commit:
        plan = plan_for(state)
    if plan.empty:
        return PushResult(plan=plan, dry_run=False, created=created, commit=state.commit, url=url)

    text = message or default_message(summary)

    def proposed() -> PullRequest | None:
        return open_request_like(api, repo, repo_type, text.partition("\n")[0], lambda there: plan_for(there).empty)

    if create_pr and (request := proposed()):
        tell("a pull request with just this is open already")
        return _proposed(plan_for(read_state(api, repo, repo_type, request.branch)), request, url)
    additions = _upload(api, folder, plan, summary, tell, create_pr=create_pr)
    tell(f"committing {len(plan.having('send'))} files" + _and_deletions(plan))
    if create_pr:
        request = open_request(api, plan, additions, text, proposed)
        _verify(api, plan.model_copy(update={"revision": request.branch}), state, additions, request.commit)
        return _proposed(plan, request, url)
    commit = make_commit(api, plan, additions, text)
    _verify(api, plan, state, additions, commit)
    return PushResult(plan=plan, dry_run=False, created=created, commit=commit, url=url)


def _proposed(plan: PushPlan, request: PullRequest, url: str) -> PushResult:
    return PushResult(plan=plan, dry_run=False, created=False, commit=request.commit, url=url, pull_request=request.url)


def default_message(summary: FolderSummary) -> str:
    """Return the message of a commit for which the user gave none."""
    from .. import __version__

    what = (
        f"{len(summary.configs)} configs, {summary.rows:,} rows" if summary.configs else f"{len(summary.files)} files"
    )
    return f"Upload {what} with llm4mat-bench {__version__}"


def _refuse_mixture(summary: FolderSummary, plan: PushPlan) -> None:
    stale = stale_but_read(summary, [file.path for file in plan.having("keep")])
    if stale:
        path, config = next(iter(stale.items()))
        more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
        raise UsageError(
            f"{plan.repo} holds {path}{more}, not in this folder, and the config '{config}' would read it along with "
            "the new files. Push with --delete, or to another --revision."
        )


def _validate_card(repo: str, repo_type: RepoType, folder: Path) -> None:
    """Let the Hub judge the card before gigabytes are sent, not after."""
    from huggingface_hub import RepoCard

    with hub_errors(repo, f"checking the card {CARD} of"):
        content = (folder / CARD).read_text(encoding="utf-8")
        card = RepoCard(content, ignore_metadata_errors=True)  # what people wrote is for the Hub to judge
        patiently(lambda: card.validate(repo_type=repo_type))


def _upload(
    api: "HfApi",
    folder: Path,
    plan: PushPlan,
    summary: FolderSummary,
    tell: Callable[[str], None],
    *,
    create_pr: bool = False,
) -> "list[CommitOperationAdd]":
    """Put the content of the large files into the Hub's storage; the small ones travel in the commit."""
    from huggingface_hub import CommitOperationAdd

    files = plan.having("send")
    additions: list[CommitOperationAdd] = []
    sent = 0
    for batch in batches(files):
        size = sum(file.size for file in batch)
        tell(
            f"uploading files {len(additions) + 1}–{len(additions) + len(batch)} of {len(files)} "
            f"({size / 1e6:,.1f} MB; {sent / 1e6:,.1f} of {plan.bytes_to_send / 1e6:,.1f} MB done)"
        )
        operations = [CommitOperationAdd(file.path, folder / file.path) for file in batch]
        for operation in operations:
            if sha256 := summary.sha256.get(operation.path_in_repo):
                operation.upload_info.sha256 = bytes.fromhex(sha256)  # else the library reads the file once more
        _store(api, plan, operations, create_pr=create_pr)
        additions += operations
        sent += size
    return additions


def _store(api: "HfApi", plan: PushPlan, operations: "list[CommitOperationAdd]", *, create_pr: bool) -> None:
    """Upload a batch; the library waits out most faults itself, and asks again for what did not arrive whole."""

    def upload() -> None:
        api.preupload_lfs_files(
            plan.repo,
            operations,
            repo_type=plan.repo_type,
            revision=plan.revision,
            create_pr=create_pr,
            free_memory=False,
        )

    with hub_errors(plan.repo, "uploading to"):
        try:
            patiently(upload)
        except Exception as error:
            if not _arrived_damaged(error):
                raise
            patiently(upload)


def _arrived_damaged(error: Exception) -> bool:
    """Say whether the storage refused a content because it has not the hash that it was announced with."""
    from huggingface_hub.errors import HfHubHTTPError

    return any(
        isinstance(cause, HfHubHTTPError)
        and cause.response.status_code == 400
        and cause.response.request.method == "PUT"
        for cause in causes(error)
    )


def batches(files: Sequence[FileChange]) -> Iterator[list[FileChange]]:
    """Cut a list of files into batches of limited number and size; a larger file is a batch of its own."""
    batch: list[FileChange] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _BATCH_FILES or size + file.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _verify(api: "HfApi", plan: PushPlan, before: HubState, additions: "list[CommitOperationAdd]", commit: str) -> None:
    """Read the Hub's list of files back; a file that a ``.gitignore`` there kept out would else be lost in silence."""
    after = read_state(api, plan.repo, plan.repo_type, plan.revision)
    if after.commit != commit:
        return  # somebody pushed after us; what they did is theirs
    wrong = differences(additions, plan, after)
    unchanged = {file.path for file in plan.having("skip")}
    wrong += [file.path for file in before.files if file.path in unchanged and file not in after.files]
    if wrong:
        raise HubError(
            f"{plan.repo} does not hold {len(wrong)} of the files as they are here (first: {wrong[0]}), though the Hub "
            f"accepted commit {commit[:8]}. Is there a .gitignore in it?"
        )


def _and_deletions(plan: PushPlan) -> str:
    deleted = len(plan.having("delete"))
    return f", deleting {deleted}" if deleted else ""


def _url(repo: str, repo_type: RepoType) -> str:
    prefix = {"dataset": "datasets/", "space": "spaces/", "model": ""}[repo_type]
    return f"{shown_endpoint()}/{prefix}{repo}"
