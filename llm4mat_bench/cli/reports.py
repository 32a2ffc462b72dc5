"""Write the reports of commands: whole or not at all, and what goes wrong in one line."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError
from ..files import write_text

if TYPE_CHECKING:
    from pydantic import BaseModel


def report_json(report: "BaseModel") -> str:
    """Write a report as JSON: the same report gives the same bytes."""
    return json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def write_report(path: Path, text: str) -> None:
    """Write a report file.

    Raises:
        DataError: The folder cannot be made or written to.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}. --out names another folder.") from error
