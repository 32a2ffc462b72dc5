"""Which releases and which code make a description what it is."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("llm4mat-bench", "robocrys", "pymatgen", "pymatgen-core", "matminer", "spglib", "gemmi", "numpy", "scipy")


def library_versions() -> dict[str, str | None]:
    """Look up the installed releases, nothing for one that is not installed, and the hash of this package's code."""

    def find(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {"python": platform.python_version(), **{name: find(name) for name in PACKAGES}, "code": code_hash()}


@cache
def code_hash() -> str:
    """Hash what makes the text of a crystal, so that work in progress on it is not mixed in one file."""
    digest = hashlib.sha256()
    room = Path(__file__).parents[2]
    for folder in (room / "descriptions", room / "crystals"):  # all of the parts that read and describe
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(room).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
