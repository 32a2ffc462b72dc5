"""Names that others chose: shown as what they are, never obeyed."""

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that nobody sees and that a terminal or page obeys: controls, direction marks."""


_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


def is_repo_name(text: str) -> bool:
    """Say whether a text may be the name of a repo on the Hub, ``owner/name``; the Hub itself is stricter."""
    return _REPO.fullmatch(text) is not None


def visible(text: str, longest: int | None = None) -> str:
    r"""Spell out what cannot be seen, for example U+202E as ``\u202e``; everything else stays.

    Args:
        text: A name from a file of anybody's making.
        longest: Cut after that many characters.
    """
    spelt = "".join(_spelt(one) if unicodedata.category(one) in _HIDDEN else one for one in text)
    return spelt if longest is None or len(spelt) <= longest else spelt[: longest - 1] + "…"


def slug(text: str, longest: int = 80) -> str:
    """Make a name fit for a folder: letters, digits, ``.``, ``_`` and ``-``, never empty, never hidden."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:longest].lstrip(".-_") or "run"


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else (f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")
