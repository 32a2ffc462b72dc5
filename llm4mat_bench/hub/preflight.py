"""Is a folder fit to be published? Looked at before anything is sent."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..dataset_builder.dataset_folder.layout import CARD, DATA, REPORT, SPLITS_FILE, shard_name, sort_shards
from ..dataset_builder.dataset_folder.report import read_listed_tables
from ..errors import DataError, UsageError
from ..faults import first_fault
from ..files import file_sha256
from ..progress import Advance, silent
from .records import FolderSummary

# Left by tools, never meant for publishing, never worth a word.
_SKIPPED_FOLDERS = frozenset({".git", "__pycache__"})
_SKIPPED_FILES = frozenset({".DS_Store", "Thumbs.db"})
_DOWNLOAD_CACHE = (".cache", "huggingface")
# What an interrupted writer leaves behind: x.parquet.tmp, x.part-3, x~, tmpab12.parquet.
_TEMPORARY = re.compile(
    r"\.(tmp|temp|part|partial|incomplete|crdownload|lock|swp|bak)([.\-_].*)?$|~$|^tmp", re.IGNORECASE
)
_MADE_BY_BUILD = (CARD, REPORT, SPLITS_FILE)
_SHOWN = 5


class _Config(BaseModel):
    """An entry of ``configs:``; the keys that say which files it reads, and which of their columns."""

    model_config = ConfigDict(frozen=True, extra="allow")

    config_name: str = Field(min_length=1)
    data_files: str | list[Any] | dict[str, Any] | None = None
    data_dir: str | None = None
    columns: list[str] | None = None

    def patterns(self) -> tuple[str, ...]:
        """Return the file patterns of all splits, below ``data_dir`` where there is one."""
        found = tuple(_patterns(self.data_files)) if self.data_files is not None else ("**",)
        base = f"{self.data_dir.strip('/')}/" if self.data_dir else ""
        return tuple(base + pattern.removeprefix("./") for pattern in found)


def list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """List the files of a folder that a push would publish.

    Args:
        folder: The folder.

    Returns:
        The paths relative to it, sorted; and what is wrong with some of them (temporary or hidden files, links that
        lead out of the folder), each as a sentence that begins with the path.

    Raises:
        UsageError: It is not a folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    root = folder.resolve()
    paths, problems = [], []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        name = relative.as_posix()
        if _SKIPPED_FOLDERS.intersection(relative.parts) or relative.name in _SKIPPED_FILES:
            continue
        if relative.parts[:2] == _DOWNLOAD_CACHE or path.suffix == ".pyc":
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            problems.append(f"{name} is a link that leads out of the folder; put the file itself there")
        elif path.is_dir():
            continue
        elif not path.is_file():
            problems.append(f"{name} is no regular file")
        elif name != ".gitattributes" and (hidden := _first_part(relative, lambda part: part.startswith("."))):
            problems.append(
                f"{hidden} is hidden and not for publishing: an unfinished build? Finish it or move it away"
            )
        elif temporary := _first_part(relative, lambda part: _TEMPORARY.search(part) is not None):
            problems.append(f"{temporary} looks temporary; finish or repeat what wrote it, or delete it")
        else:
            paths.append(name)
    return paths, list(dict.fromkeys(problems))


def check_dataset_folder(folder: Path, watch: Advance = silent) -> FolderSummary:
    """Check that a folder is a whole, readable dataset folder as ``llm4mat-bench build`` writes it.

    The card's configs must refer to files that exist and to columns those files have; every Parquet footer must be
    readable, every shard of a numbered set present, every file below ``data/`` read by some config, every table byte
    for byte what the build report says, and nothing temporary or hidden among the files.

    Args:
        folder: The folder.
        watch: Called with the bytes of each table once it has been read.

    Returns:
        The configs, the rows, the files to publish and the SHA-256 of the tables.

    Raises:
        UsageError: It is not a folder.
        DataError: It is not fit to be published; the message names the first problems and counts the rest.
    """
    paths, problems = list_folder(folder)
    missing = [name for name in _MADE_BY_BUILD if name not in paths]
    if missing:
        raise DataError(
            f"{folder} is not a finished dataset folder: {', '.join(missing)} missing. `llm4mat-bench build` makes one."
        )
    configs, card_problems = _read_configs(folder / CARD)
    problems += card_problems
    columns, rows, parquet_problems = _read_footers(folder, paths)
    problems += parquet_problems
    problems += _missing_shards(paths)
    read: set[str] = set()
    for config in configs:
        for pattern in config.patterns():
            matched = [path for path in paths if matches(pattern, path)]
            read.update(matched)
            if not matched:
                problems.append(f"{CARD}: config '{config.config_name}' reads '{pattern}', which matches no file")
            for path in matched:
                unknown = [name for name in config.columns or () if path in columns and name not in columns[path]]
                if unknown:
                    problems.append(
                        f"{CARD}: config '{config.config_name}' names the column '{unknown[0]}', which {path} lacks"
                    )
    unread = sorted(path for path in columns if path.startswith(f"{DATA}/") and path not in read)
    problems += [f"{path} is read by no config of {CARD} (left from an earlier build?)" for path in unread]
    _refuse(folder, problems)  # before the tables are read whole
    sha256, report_problems = _compare_with_report(folder, paths, watch)
    _refuse(folder, report_problems)
    return FolderSummary(
        configs=tuple(config.config_name for config in configs),
        patterns={config.config_name: config.patterns() for config in configs},
        rows=rows,
        files=tuple(paths),
        sha256=sha256,
    )


def check_metric_folder(folder: Path, repo: str) -> FolderSummary:
    """Check that a folder is an ``evaluate`` module that ``evaluate.load(repo)`` will find once it is a Space.

    Args:
        folder: The folder with the module.
        repo: ``owner/name``; ``evaluate.load`` looks for ``name.py`` in it.

    Returns:
        The ``sdk`` of the Space and the files to publish.

    Raises:
        UsageError: It is not a folder, or the module's name is not that of the repository.
        DataError: The card is missing or does not say what a Space needs.
    """
    paths, problems = list_folder(folder)
    wanted = repo.rsplit("/", maxsplit=1)[-1] + ".py"
    if wanted not in paths:
        modules = [path.removesuffix(".py") for path in paths if path == f"{folder.resolve().name}.py"]
        hint = f" Push it as --repo {repo.split('/', maxsplit=1)[0]}/{modules[0]}." if modules else ""
        raise UsageError(f"evaluate.load('{repo}') looks for {wanted}, which {folder} lacks.{hint}")
    metadata, card_problems = _read_metadata(folder / CARD)
    problems += card_problems
    sdk = metadata.get("sdk")
    if not card_problems and sdk not in ("static", "gradio", "docker"):
        problems.append(f"{CARD}: `sdk:` in its YAML must be static, gradio or docker, as the Hub asks of a Space")
    _refuse(folder, problems)
    return FolderSummary(space_sdk=str(sdk), files=tuple(paths))


def stale_but_read(summary: FolderSummary, paths: Iterable[str]) -> dict[str, str]:
    """Find files that are only on the Hub but that a config of the new card would read along with the new ones.

    A build with another number of shards has other file names; the old shards, left beside the new, would silently
    double the rows.

    Args:
        summary: What the card says.
        paths: Files that would stay on the Hub without being in the folder.

    Returns:
        For each such file, the first config that would read it.
    """
    found = {}
    for path in paths:
        for config, patterns in summary.patterns.items():
            if any(matches(pattern, path) for pattern in patterns):
                found[path] = config
                break
    return found


def matches(pattern: str, path: str) -> bool:
    """Say whether a ``data_files`` pattern matches a path, by the rules of fsspec, which ``datasets`` uses."""
    from fsspec.utils import glob_translate

    return re.match(glob_translate(pattern), path) is not None


def _patterns(data_files: Any) -> Iterator[str]:  # noqa: ANN401 - whatever the YAML holds
    match data_files:
        case str():
            yield data_files
        case list():
            for item in data_files:
                yield from _patterns(item)
        case {"path": path}:
            yield from _patterns(path)
        case dict():
            for item in data_files.values():
                yield from _patterns(item)


def _read_metadata(card: Path) -> tuple[dict[str, Any], list[str]]:
    import yaml
    from huggingface_hub import metadata_load

    if not card.is_file():
        return {}, [f"{CARD} is missing"]
    try:
        metadata = metadata_load(card)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return {}, [f"{CARD}: its YAML cannot be read ({' '.join(str(error).split())})"]
    if not metadata:
        return {}, [f"{CARD} has no YAML block at its top"]
    return metadata, []


def _read_configs(card: Path) -> tuple[list[_Config], list[str]]:
    metadata, problems = _read_metadata(card)
    if problems:
        return [], problems
    entries = metadata.get("configs")
    if not isinstance(entries, list) or not entries:
        return [], [f"{CARD}: its YAML has no `configs:`, so load_dataset could not find a config"]
    configs = []
    for number, entry in enumerate(entries, start=1):
        try:
            configs.append(_Config.model_validate(entry))
        except ValidationError as error:
            fault = first_fault(error)
            problems.append(f"{CARD}: config number {number}: {fault.where} {fault.what}")
    names = [config.config_name for config in configs]
    problems += [
        f"{CARD}: the config '{name}' stands there twice" for name in sorted(set(names)) if names.count(name) > 1
    ]
    return configs, problems


def _read_footers(folder: Path, paths: Iterable[str]) -> tuple[dict[str, frozenset[str]], int, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, frozenset[str]] = {}
    rows, problems = 0, []
    for name in paths:
        if not name.endswith(".parquet"):
            continue
        try:
            metadata = pq.read_metadata(folder / name)
        except (pa.ArrowInvalid, OSError) as error:
            problems.append(f"{name} is no readable Parquet file ({' '.join(str(error).split())}); build it again")
            continue
        columns[name] = frozenset(metadata.schema.to_arrow_schema().names)
        rows += metadata.num_rows if name.startswith(f"{DATA}/") else 0  # others are lists of faults
    if not columns and not problems:
        problems.append("there is no Parquet file in the folder")
    return columns, rows, problems


def _compare_with_report(folder: Path, paths: Iterable[str], watch: Advance) -> tuple[dict[str, str], list[str]]:
    try:
        built = read_listed_tables(folder / REPORT)
    except DataError as error:
        return {}, [str(error)]
    found: dict[str, str] = {}
    here = set(paths)
    problems = [f"{path} is missing, though {REPORT} lists it" for path in sorted(built.keys() - here)]
    for path in sorted(path for path in here if path in built or path.endswith(".parquet")):
        if path not in built:
            problems.append(f"{path} is not in {REPORT}; build it again")
            continue
        size = (folder / path).stat().st_size
        found[path] = file_sha256(folder / path) if size == built[path].size_bytes else ""
        if found[path] != built[path].sha256:
            problems.append(f"{path} is not what was built ({REPORT} has another SHA-256); build it again")
        watch(size)
    return found, problems


def _first_part(path: Path, test: Callable[[str], bool]) -> str | None:
    """Return the path up to its first part that passes a test, so that a folder is named once and not file by file."""
    for depth, part in enumerate(path.parts, start=1):
        if test(part):
            return Path(*path.parts[:depth]).as_posix()
    return None


def _missing_shards(paths: Iterable[str]) -> list[str]:
    problems = []
    for (folder, split), found in sort_shards(paths).items():
        if len(found.counts) > 1:
            problems.append(
                f"{folder}/{split}: shards of several builds lie together ({sorted(found.counts)} shards); build it "
                "again"
            )
        elif found.missing:
            (total,) = found.counts
            problems.append(
                f"{folder}/{shard_name(split, found.missing[0], total)} is missing ({len(found.missing)} of {total} "
                "shards)"
            )
    return problems


def _refuse(folder: Path, problems: list[str]) -> None:
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{folder} is not fit to be published: {'; '.join(problems[:_SHOWN])}{more}")
