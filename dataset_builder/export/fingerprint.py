"""A name for the code that makes tables, so that nothing made by other code is reused."""

import hashlib
from functools import cache
from pathlib import Path

from ... import __version__

_ROOM = Path(__file__).resolve().parent.parent


@cache
def code_fingerprint() -> str:
    """SHA-256 over the package version, pyarrow's version and every source file of this room.

    More than what shapes a table, so that nothing has to be listed here and forgotten when a file moves: an unfinished
    build that was begun by other code of any kind begins anew.
    """
    import pyarrow as pa

    digest = hashlib.sha256(f"{__version__} {pa.__version__}".encode())
    for file in sorted(_ROOM.rglob("*.py")):
        digest.update(file.relative_to(_ROOM).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
