"""``splits.json``: which ids a split has, and whether the tables still hold them."""

import json
from pathlib import Path

from ...errors import DataError
from ..splits import ids_sha256
from .layout import ID_COLUMN, SPLITS_FILE
from .reading import SourceFiles
from .shard_files import HubFile, read_column

_SOUND: set[tuple[str, str, str, int]] = set()
"""Splits that were found to be as stated, with the state of their files: one reading for all tasks of a source."""


def check_split(files: SourceFiles, split: str = "test") -> None:
    """Compare the ids in the tables of a split with those that ``splits.json`` names by their hash.

    A folder without the file (the embedded sample, a partial download) is not compared. Each source is read once, and
    again only where a file has changed.

    Args:
        files: The files of a source.
        split: The split.

    Raises:
        DataError: The tables hold other ids, or the file cannot be read.
    """
    path = _manifest(files, split)
    if path is None:
        return
    try:
        key = (files.state, split, str(path), path.stat().st_mtime_ns)
        if key in _SOUND:
            return
        stated = json.loads(path.read_text(encoding="utf-8"))[files.name][split]["ids_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: the {split} split of {files.name} is not in it ({type(error).__name__}); build the folder again"
        ) from error
    found = ids_sha256({str(one) for one in read_column(files.shards[split], ID_COLUMN).to_pylist() if one is not None})
    if found != stated:
        raise DataError(
            f"{path}: the tables of {files.name} hold other ids in split {split} than it names (SHA-256 of the sorted "
            "ids differs); build or download the folder again"
        )
    _SOUND.add(key)


def _manifest(files: SourceFiles, split: str) -> Path | None:
    """Where ``splits.json`` lies: at the top of the folder or repo that the shards are in."""
    first = files.shards[split][0]
    if isinstance(first, HubFile):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return Path(hf_hub_download(first.repo, SPLITS_FILE, repo_type="dataset", revision=first.commit))
        except EntryNotFoundError:  # also where there is no network and the cache does not hold it
            return None
    path = Path(first).resolve().parents[2] / SPLITS_FILE
    return path if path.is_file() else None
