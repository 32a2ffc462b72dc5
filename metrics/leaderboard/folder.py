"""The folder of the page: many small files, those of an earlier call that are no longer needed removed."""

import json
from pathlib import Path

from ...errors import DataError
from ...files import said_of_system, write_json, write_text

LISTING = "files.json"
CARD = "README.md"
_CARD = """---
title: {title} leaderboard
emoji: 💎
colorFrom: blue
colorTo: indigo
sdk: static
app_file: index.html
pinned: false
---

The leaderboard of {title}, written by `llm4mat-bench leaderboard`: open `index.html`. Every ranked number was
recomputed from its predictions; `records/` holds the records, `leaderboard.csv` and `leaderboard.json` all numbers.
"""


class PageFolder:
    """Writes files of a page and remembers their names.

    Files of an earlier page that are not written again are removed at the end; what is not ours is left alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: set[str] = set()
        self._made: set[Path] = set()
        self._earlier = _listed(path / LISTING)

    def holds(self, name: str) -> bool:
        """Whether an earlier page that was finished left a file here."""
        return name in self._earlier and (self.path / name).is_file()

    def keep(self, name: str) -> None:
        """Let a file of an earlier page stay as it is."""
        self._written.add(name)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file that other files refer to."""
        path = self.path / name
        if isinstance(content, str):
            content = content.encode()
        try:
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            path.write_bytes(content)
        except OSError as error:
            raise DataError(f"{path}: {said_of_system(error)}") from error
        self._written.add(name)

    def finish(self, page: str, text: str, title: str) -> None:
        """Write the first page whole when all else is there, then remove what is left of an earlier one."""
        card = self.path / CARD
        if not card.exists():  # people may have written into it
            write_text(card, _CARD.format(title=title))
        write_text(self.path / page, text)
        self._written.add(page)
        for name in self._earlier - self._written:
            path = self.path / name
            if path.is_file() and path.resolve().is_relative_to(self.path.resolve()):
                path.unlink()
        write_json(self.path / LISTING, sorted(self._written))


def _listed(path: Path) -> set[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()
