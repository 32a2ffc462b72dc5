"""What the Hub holds."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .errors import HubError, hub_errors, not_logged_in, shown_endpoint
from .patience import patiently
from .records import HubState, RemoteFile, RepoType

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_LARGEST_TEXT = 4 << 20
"""Bytes of a card or of entries that are read from the Hub."""


def hub_api() -> "HfApi":
    """Return the client of the Hub; endpoint and token are those of the environment or the login."""
    from huggingface_hub import HfApi

    from .. import __version__

    return HfApi(library_name="llm4mat-bench", library_version=__version__)


def check_repo_name(repo: str) -> None:
    """Raise a `UsageError` unless the name is ``owner/name`` as the Hub allows it."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented, not re-exported

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(" ".join(str(error).split())) from None
    if repo.count("/") != 1:
        raise UsageError(f"--repo takes OWNER/NAME, for example my-group/llm4mat-bench; got '{repo}'")


def require_token() -> None:
    """Raise a `UsageError` where neither the environment nor the login holds a token."""
    from huggingface_hub import get_token

    if not get_token():
        raise UsageError(not_logged_in(shown_endpoint()))


def read_state(api: "HfApi", repo: str, repo_type: RepoType, revision: str) -> HubState:
    """List what the Hub holds of a repository.

    Args:
        api: The client.
        repo: ``owner/name``.
        repo_type: What kind of repository.
        revision: The branch.

    Raises:
        HubError: The Hub refuses the token or cannot be reached. A repository that is not there is no error.
    """
    from huggingface_hub import RepoFile, get_token
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

    with hub_errors(repo, "looking at"):
        try:
            info = patiently(lambda: api.repo_info(repo, repo_type=repo_type))
        except HfHubHTTPError as error:
            # With a token, a missing repository is 404 and a refused token 401; without one, a missing repository and
            # a private one are both 401. The library's own error class for the latter depends on the address.
            status = error.response.status_code
            if status == 404 or (status == 401 and not get_token()):
                return HubState(exists=False)
            raise
        commit, branch_exists = info.sha, True
        if revision != "main":
            try:
                commit = patiently(lambda: api.repo_info(repo, repo_type=repo_type, revision=revision)).sha
            except RevisionNotFoundError:
                branch_exists = False
        if commit is None:
            raise HubError(f"looking at {repo}: the Hub names no commit for {revision}")
        entries = patiently(
            lambda: list(api.list_repo_tree(repo, repo_type=repo_type, revision=commit, recursive=True))
        )
        files = [
            RemoteFile(
                path=entry.path, size=entry.size, blob_id=entry.blob_id, sha256=entry.lfs.sha256 if entry.lfs else None
            )
            for entry in entries
            if isinstance(entry, RepoFile)
        ]
        return HubState(
            exists=True,
            private=bool(info.private),
            branch_exists=branch_exists,
            commit=commit,
            files=tuple(sorted(files, key=lambda file: file.path)),
        )


def text_on_hub(api: "HfApi", repo: str, repo_type: RepoType, state: HubState, name: str) -> str | None:
    """The text of a file in a repo at the commit that was listed; None where it is not there.

    Raises:
        HubError: It cannot be read.
    """
    listed = next((file for file in state.files if file.path == name), None)
    if listed is None:
        return None
    if listed.size > _LARGEST_TEXT:
        raise HubError(f"{repo}/{name}: {listed.size:,} bytes are too many")
    with hub_errors(repo, f"reading {name} of"):
        path = patiently(lambda: api.hf_hub_download(repo, name, repo_type=repo_type, revision=state.commit))
        try:
            return Path(path).read_bytes().decode()
        except UnicodeDecodeError:
            raise HubError(f"{repo}/{name}: no UTF-8 text; mend it first") from None
