"""Publish a leaderboard page as a static Space."""

import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import DataError
from ..files import write_text
from .front_matter import comments_that_go, with_keys
from .preflight import list_folder
from .records import FolderSummary, HubState, PushResult
from .staging import staging_folder
from .state import check_repo_name, hub_api, read_state, text_on_hub
from .upload import push_folder

CARD = "README.md"
_PAGE = "index.html"
_DATA = "leaderboard.json"


def push_leaderboard(
    folder: Path,
    repo: str,
    *,
    private: bool | None = None,
    revision: str = "main",
    message: str | None = None,
    delete: bool = False,
    create_pr: bool = False,
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> PushResult:
    """Publish a page that `leaderboard` wrote. A card that is in the Space stays but for what a static Space needs.

    Args:
        folder: The page's folder.
        repo: ``owner/name`` of a Space.
        private: Whether a new Space is private (the default).
        revision: The branch.
        message: Of the commit.
        delete: Delete what is in the Space and not in the folder.
        create_pr: Open a pull request instead.
        dry_run: Write nothing.
        tell: Takes a line on each step.

    Raises:
        UsageError: The call is at fault, or it is no folder.
        DataError: It is no page's folder.
        HubError: The Hub refused or could not be reached.
    """
    check_repo_name(repo)
    paths, problems = list_folder(folder)
    missing = [name for name in (_PAGE, _DATA) if name not in paths]
    if missing:
        problems.insert(0, f"{', '.join(missing)} missing; `llm4mat-bench leaderboard RESULTS --out DIR` writes a page")
    if problems:
        raise DataError(f"{folder} is not fit to be published: {'; '.join(problems[:5])}")
    state = read_state(hub_api(), repo, "space", revision)
    with staging_folder() as staged:
        for name in paths:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, staged / name)
        card = _card(repo, state, folder / CARD if CARD in paths else None, tell)
        write_text(staged / CARD, card)
        return push_folder(
            staged,
            FolderSummary(files=tuple(sorted({*paths, CARD})), space_sdk="static"),
            repo,
            "space",
            private=private,
            revision=revision,
            message=message or "Leaderboard page",
            delete=delete,
            dry_run=dry_run,
            made_from=state.commit,
            create_pr=create_pr,
            tell=tell,
        )


def _card(repo: str, state: HubState, own: Path | None, tell: Callable[[str], None]) -> str:
    """The card: that of the Space with what a static Space needs, else the one that the page came with."""
    needed = {"sdk": "static", "app_file": _PAGE}
    present = text_on_hub(hub_api(), repo, "space", state, CARD)
    if present is None:
        return with_keys(_text(own) if own else "---\ntitle: LLM4Mat-Bench leaderboard\n---\n", needed, CARD)
    card = with_keys(present, needed, f"{repo}/{CARD}")
    for line in comments_that_go(present, card, CARD):
        tell(line)
    return card


def _text(card: Path) -> str:
    try:
        return card.read_bytes().decode()
    except UnicodeDecodeError:
        raise DataError(f"{card}: no UTF-8 text; write it as such") from None
