"""What is known of a model that lies in a folder or on the Hub, without loading it."""

import hashlib
from pathlib import Path

from ...files import file_sha256

_DECIDE = frozenset({".safetensors", ".json", ".jinja", ".model"})


def model_name(model: str) -> str:
    """What a model is called: its folder's name where it is a folder, since places are of one machine."""
    folder = Path(model)
    return folder.resolve().name if folder.is_dir() else model


def folder_revision(folder: Path) -> str:
    """16 digits of the SHA-256 of all that decides what a model answers: weights, settings, tokenizer."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _DECIDE)
    lines = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
