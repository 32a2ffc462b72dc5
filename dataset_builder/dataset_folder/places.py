"""Where the data of a task is: in the package, in a folder, or in a dataset repo on the Hub."""

from collections.abc import Mapping
from pathlib import Path

from ...errors import DataError, UsageError
from ..catalogue import SPLITS, Task
from ..sample import sample_files
from .layout import DATA, ID_COLUMN, REPORT, shard_pattern
from .reading import SourceFiles, describe_source, open_dataset_folder, open_source
from .report import BuildReport, read_report
from .shard_files import HubFile, ShardFile

EMBEDDED = "embedded sample"


def find_data(task: Task, data: str | Path | None, revision: str | None = None) -> SourceFiles:
    """Find the files of a task's source and check that they are whole.

    Args:
        task: The task.
        data: A dataset folder, the id of a dataset repo on the Hub, or None for the embedded sample.
        revision: Revision of the Hub repo.

    Returns:
        The files of all three splits, with the id and the task's property among their columns.

    Raises:
        UsageError: There is no such folder or repo, it does not hold the source, or a revision is asked of a folder.
        DataError: It is damaged, not whole, or lacks a split or a column.
    """
    name = task.source.id
    local = data is None or Path(data).is_dir()
    if revision is not None and local:
        raise UsageError(
            f"--revision {revision}: only a dataset repo on the Hub has revisions, and the data is "
            f"{'the ' + EMBEDDED if data is None else f'the folder {data}'}; leave it out"
        )
    if data is None:
        if name != "sample":
            raise UsageError(
                f"the data of {task.name} is not in the package. Give data= (--data): a folder made by "
                f"`llm4mat-bench build {name}`, or a dataset repo on the Hub"
            )
        source: SourceFiles | None = describe_source(name, {split: (path,) for split, path in sample_files().items()})
    elif Path(data).is_dir():
        source = open_dataset_folder(Path(data), only=[name]).sources.get(name)
    else:
        source = _find_on_hub(str(data), name, revision)
    where = EMBEDDED if data is None else str(data)
    if source is None:
        raise UsageError(f"{where}: no {shard_pattern(name, 'train')}; build it with `llm4mat-bench build {name}`")
    for split in SPLITS:
        if split not in source.shards:
            raise DataError(f"{where}: no {shard_pattern(name, split)}, though other splits are there. Build it again.")
    has_columns(source, (task.property.name,), where)
    return source


def has_columns(source: SourceFiles, columns: tuple[str, ...], where: str) -> None:
    """Refuse a source that lacks a column.

    Raises:
        DataError: It lacks one.
    """
    missing = set(columns) - {ID_COLUMN, *source.modalities, *source.properties}
    if missing:
        raise DataError(f"{where}/{DATA}/{source.name}: no column {', '.join(sorted(missing))}; build the folder again")


def _find_on_hub(repo: str, name: str, revision: str | None) -> SourceFiles | None:
    """List the shards of a source in a repo; without a connection, take what the Hub's cache holds of it."""
    import httpx2
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.hf_api import RepoFile

    if repo.startswith((".", "/", "~")):
        raise UsageError(f"{repo}: no such folder")
    try:
        commit = str(HfApi().dataset_info(repo, revision=revision).sha)
        tree = HfApi().list_repo_tree(repo, recursive=True, repo_type="dataset", revision=commit)
        sizes = {entry.path: int(entry.size) for entry in tree if isinstance(entry, RepoFile)}
        report: BuildReport | None = None
        if REPORT in sizes:
            report = read_report(Path(hf_hub_download(repo, REPORT, repo_type="dataset", revision=commit)))
            # By the name that was given as well, so that the cache knows what it stands for when there is no network.
            hf_hub_download(repo, REPORT, repo_type="dataset", revision=revision)
    except (OfflineModeIsEnabled, ConnectionError, httpx2.TransportError) as error:
        return _find_in_cache(repo, name, revision, error)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{repo}: neither a folder here nor a dataset repo on the Hub ({first})") from None
    prefix = f"{DATA}/{name}/"
    files: Mapping[str, ShardFile] = {
        path.removeprefix(prefix): HubFile(repo=repo, commit=commit, path=path, size_bytes=size)
        for path, size in sizes.items()
        if path.startswith(prefix) and path.endswith(".parquet")
    }
    return open_source(name, files, report, repo)


def _find_in_cache(repo: str, name: str, revision: str | None, error: Exception) -> SourceFiles | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(repo, repo_type="dataset", revision=revision, local_files_only=True)
    except (LocalEntryNotFoundError, OSError):
        raise UsageError(
            f"{repo}: no such folder here, and the Hub cannot be reached ({type(error).__name__})"
        ) from None
    return open_dataset_folder(Path(folder), only=[name]).sources.get(name)
