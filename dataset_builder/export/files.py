"""Write a file whole or not at all, and name it by what is in it."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its name when the block ends without an error.

    The temporary name holds the process id, so two processes never write into the same one; what a killed process left
    behind is removed by whoever clears the work folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, answer: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write JSON with stable layout; a value that is no number (nan, inf) is refused."""
    write_text(path, json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def shard_name(split: str, index: int, count: int) -> str:
    """Name of one Parquet shard, as the Hub's tools name them."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"
