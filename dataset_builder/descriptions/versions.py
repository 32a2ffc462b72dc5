"""Which releases make a description what it is."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("llm4mat-bench", "robocrys", "pymatgen", "pymatgen-core", "matminer", "spglib", "numpy", "scipy")


def library_versions() -> dict[str, str | None]:
    """Look up the installed releases; nothing for one that is not installed."""

    def find(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {"python": platform.python_version(), **{name: find(name) for name in PACKAGES}}
