"""Write files whole or not at all."""

import json
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel

from ..errors import DataError


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it, so that a reader never sees a part.

    Raises:
        DataError: The folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_json(path: Path, record: BaseModel) -> None:
    """Write a record as JSON: the same record gives the same bytes."""
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, indent=2, allow_nan=False)
    write_whole(path, text + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
