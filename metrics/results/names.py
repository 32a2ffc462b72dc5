"""Names that others chose: shown as what they are, never obeyed."""

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Categories of characters that nobody sees and that a terminal or page obeys: controls, direction marks, blanks other
than the one on every keyboard."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Letters and marks of other categories that leave no trace: fillers, the empty Braille cell, variation selectors."""
_LIKE_LATIN = frozenset("аеорсухіјѕһԁԛԝҮүАВЕКМНОРСТХІЈЅԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυɡɑ")
"""Cyrillic, Greek and phonetic letters that look like Latin ones."""
_MOST_MARKS = 2
"""Marks over and under one letter; no language has more that cannot be done without here."""
_WORD = re.compile(r"\w+")

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


def is_repo_name(text: str) -> bool:
    """Say whether a text may be the name of a repo on the Hub, ``owner/name``; the Hub itself is stricter."""
    return _REPO.fullmatch(text) is not None


def visible(text: str, longest: int | None = None) -> str:
    r"""Spell out what cannot be seen or told apart, for example U+202E as ``\u202e``; everything else stays.

    That is: what has no shape, marks heaped on a letter, and letters that look like Latin ones in words with such.

    Args:
        text: A name from a file of anybody's making.
        longest: Cut after that many characters.
    """
    spelt = text if text.isascii() and text.isprintable() else _spelt_out(text)
    return spelt if longest is None or len(spelt) <= longest else spelt[: longest - 1] + "…"


def slug(text: str, longest: int = 80) -> str:
    """Make a name fit for a folder: letters, digits, ``.``, ``_`` and ``-``, never empty, never hidden."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:longest].lstrip(".-_") or "run"


def has_shape(text: str) -> bool:
    """Say whether anything of a text is seen, and no blank stands at its ends, where nobody sees it."""
    return text == text.strip() and any(
        one not in _UNSEEN and unicodedata.category(one)[0] not in "CZM" for one in text
    )


def _spelt_out(text: str) -> str:
    latin = any(one.isascii() and one.isalpha() for one in text)
    mixed = {
        place
        for word in _WORD.finditer(text)
        if latin and _passes_for_latin(word.group())
        for place in range(*word.span())
        if text[place] in _LIKE_LATIN or _is_latin_in_costume(text[place])
    }
    found, marks = [], 0
    for place, one in enumerate(text):
        category = unicodedata.category(one)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        hidden = (category in _HIDDEN and one != " ") or one in _UNSEEN or marks > _MOST_MARKS or place in mixed
        found.append(_spelt(one) if hidden else one)
    return "".join(found)


def _passes_for_latin(word: str) -> bool:
    """Whether a word has Latin letters, or no other ones than those that look like some."""
    letters = [one for one in word if one.isalpha()]
    return any(one.isascii() for one in letters) or all(
        one in _LIKE_LATIN or _is_latin_in_costume(one) for one in letters
    )


def _is_latin_in_costume(letter: str) -> bool:
    """Whether a letter is a Latin one of another form: of full width, or of mathematics."""
    return letter.isalpha() and not letter.isascii() and unicodedata.normalize("NFKC", letter).isascii()


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else (f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")
