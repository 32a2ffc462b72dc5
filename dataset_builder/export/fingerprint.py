"""A name for the code that makes tables, so that nothing made by other code is reused."""

import hashlib
from functools import cache
from pathlib import Path

from ... import __version__

_ROOM = Path(__file__).resolve().parent.parent
_MAKERS = ("readers", "cleaning", "export", "crystals", "splits.py", "catalogue/models.py")


@cache
def code_fingerprint() -> str:
    """SHA-256 over the package version, pyarrow's version and the source files that shape a table."""
    import pyarrow as pa

    digest = hashlib.sha256(f"{__version__} {pa.__version__}".encode())
    for maker in _MAKERS:
        path = _ROOM / maker
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(_ROOM).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
