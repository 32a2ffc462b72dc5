"""What the steps of a push hand to each other."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

RepoType = Literal["dataset", "space", "model"]
ChangeState = Literal["new", "changed", "unchanged", "removed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RemoteFile(_Record):
    """A file as the Hub lists it.

    Attributes:
        path: Path in the repository, with ``/``.
        size: Bytes of the content (of the file itself, not of its LFS pointer).
        blob_id: Git's id of the blob (SHA-1); for a large file that of the pointer.
        sha256: SHA-256 of the content, which the Hub has for large files only.
    """

    path: str
    size: int
    blob_id: str
    sha256: str | None = None


class HubState(_Record):
    """What the Hub holds of one repository at one branch.

    Attributes:
        exists: Whether the repository is there, as far as we may see.
        private: Whether it is private; none where there is no repository.
        branch_exists: Whether the branch is there. If not, the files are those of ``main``, from which a branch starts.
        commit: The commit the files were listed at.
        files: Every file, sorted by path.
    """

    exists: bool
    private: bool | None = None
    branch_exists: bool = False
    commit: str | None = None
    files: tuple[RemoteFile, ...] = ()


class FileChange(_Record):
    """One file of a plan.

    Attributes:
        path: Path in the repository.
        size: Bytes, here; of a removed file, on the Hub.
        state: ``new`` (not on the Hub), ``changed`` (other content there), ``unchanged``, or ``removed`` (on the Hub
            but not here).
        action: What a push does with it. A removed file is kept unless deletion was asked for.
        reason: Why, in words.
    """

    path: str
    size: int
    state: ChangeState
    action: Literal["send", "skip", "keep", "delete"]
    reason: str


class PushPlan(_Record):
    """What a push would do, file by file."""

    repo: str
    repo_type: RepoType
    revision: str
    exists: bool
    branch_exists: bool
    private: bool
    parent_commit: str | None
    files: tuple[FileChange, ...]

    def having(self, action: str) -> tuple[FileChange, ...]:
        """Return the files with one action."""
        return tuple(file for file in self.files if file.action == action)

    @property
    def bytes_to_send(self) -> int:
        """Bytes of the files to send; what the Hub's storage already has of them does not travel again."""
        return sum(file.size for file in self.having("send"))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send and nothing to delete."""
        return not self.having("send") and not self.having("delete")


class PushResult(_Record):
    """How a push ended.

    Attributes:
        plan: The plan that was carried out (or, in a dry run, was not).
        dry_run: Whether nothing was written.
        created: Whether the repository was made by this push.
        commit: The commit that holds the files now; none in a dry run of a repository that is not there yet.
        url: The repository's page.
        pull_request: The page of the pull request that was opened instead of changing the branch.
    """

    plan: PushPlan
    dry_run: bool
    created: bool
    commit: str | None
    url: str
    pull_request: str | None = None


class FolderSummary(_Record):
    """What the checks before a push found in a folder that is fit to go.

    Attributes:
        configs: Config names of a dataset, in the order of its card; empty for other folders.
        patterns: For each config, the file patterns of its card.
        rows: Rows in the tables below ``data/``.
        space_sdk: The ``sdk`` in the card of a Space.
        files: Paths of the files to publish, sorted.
        sha256: SHA-256 of those files that were read whole, by path.
        gone: Files that must not stay on the Hub beside the others: they speak of what is not published any more.
    """

    configs: tuple[str, ...] = ()
    patterns: dict[str, tuple[str, ...]] = {}
    rows: int = 0
    space_sdk: str | None = None
    files: tuple[str, ...]
    sha256: dict[str, str] = {}
    gone: tuple[str, ...] = ()
