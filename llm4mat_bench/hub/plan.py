"""What differs between a folder and the Hub."""

import hashlib
from pathlib import Path

from ..files import file_sha256
from .records import ChangeState, FileChange, FolderSummary, HubState, PushPlan, RemoteFile, RepoType

_CHUNK = 1 << 20
# The Hub writes this file itself when a repository is made.
_HUBS_OWN = frozenset({".gitattributes"})


def git_blob_id_of(path: Path) -> str:
    """Return git's id of a file's content: SHA-1 over ``blob``, the length, a zero byte and the content."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def same_content(path: Path, remote: RemoteFile, sha256: str | None = None) -> bool:
    """Say whether a local file holds what the Hub holds.

    Args:
        path: The file.
        remote: What the Hub says of it.
        sha256: Its SHA-256, if that is known already.
    """
    if path.stat().st_size != remote.size:
        return False
    if remote.sha256:
        return (sha256 or file_sha256(path)) == remote.sha256
    return git_blob_id_of(path) == remote.blob_id


def make_plan(
    folder: Path,
    summary: FolderSummary,
    state: HubState,
    *,
    repo: str,
    repo_type: RepoType,
    revision: str = "main",
    private: bool = True,
    delete: bool = False,
) -> PushPlan:
    """Compare a folder with the Hub, file by file.

    Args:
        folder: The folder.
        summary: The files to publish, and hashes that are known.
        state: What the Hub holds.
        repo: ``owner/name``.
        repo_type: What kind of repository.
        revision: The branch.
        private: Whether a repository that is not there yet is to be private.
        delete: Whether files on the Hub that are not here are to be deleted.
    """
    remote = {file.path: file for file in state.files}
    changes = []
    local = sorted(summary.files)
    for name in local:
        path = folder / name
        size = path.stat().st_size
        change: ChangeState
        if name not in remote:
            change, reason = "new", "not on the Hub"
        elif same_content(path, remote[name], summary.sha256.get(name)):
            change, reason = "unchanged", "the same on the Hub"
        elif size == remote[name].size:
            change, reason = "changed", "same size, other content on the Hub"
        else:
            change, reason = "changed", f"{remote[name].size:,} bytes on the Hub"
        action = "skip" if change == "unchanged" else "send"
        changes.append(FileChange(path=name, size=size, state=change, action=action, reason=reason))
    for name in sorted(remote.keys() - set(local) - _HUBS_OWN):
        gone = name in summary.gone
        changes.append(
            FileChange(
                path=name,
                size=remote[name].size,
                state="removed",
                action="delete" if delete or gone else "keep",
                reason=f"on the Hub but not here{'; out of date' if gone else '' if delete else '; kept'}",
            )
        )
    return PushPlan(
        repo=repo,
        repo_type=repo_type,
        revision=revision,
        exists=state.exists,
        branch_exists=state.branch_exists,
        private=private if state.private is None else state.private,
        parent_commit=state.commit,
        files=tuple(changes),
    )
