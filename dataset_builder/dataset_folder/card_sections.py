"""Sections that commands write into a dataset card, between marks by which a later run finds them again."""

import re
from pathlib import Path

from ...errors import DataError

_BEGIN = re.compile(
    r"^<!-- (?P<name>[\w-]+): written by `llm4mat-bench [\w-]+`, do not edit -->[ \t]*\r?$", re.MULTILINE
)


def begin_mark(name: str, command: str = "check") -> str:
    """The line before a section."""
    return f"<!-- {name}: written by `llm4mat-bench {command}`, do not edit -->"


def end_mark(name: str) -> str:
    """The line behind a section."""
    return f"<!-- {name}: end -->"


def card_sections(card: Path) -> dict[str, str]:
    """Read the marked sections of a card by name, marks included; none where there is no card.

    Raises:
        DataError: The card cannot be read, or a section has no end.
    """
    return _find(_read(card), card) if card.exists() else {}


def put_section(text: str, section: str) -> str:
    """Put a marked section into the text of a card: in place of the one of its name, else at the end.

    Args:
        text: The card; what is put in ends its lines as most of the card's do.
        section: The section with its marks.
    """
    name = next(iter(_find(section, Path("section"))))
    here = _find(text, Path("card"))
    end = line_end(text)
    section = section.rstrip().replace("\r\n", "\n").replace("\n", end)
    if name in here:
        return text.replace(here[name], section)
    return text.rstrip("\r\n") + 2 * end + section + end


def line_end(text: str) -> str:
    """How most lines of a text end."""
    return "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"


def update_card(card: Path, section: str) -> str | None:
    """Text of a card with the section put in; None where that changes nothing.

    Raises:
        DataError: The card cannot be read, or holds an opening mark without the closing one.
    """
    text = _read(card)
    _find(text, card)
    new = put_section(text, section)
    return None if new == text else new


def mark_outdated(section: str, changed: list[str]) -> str:
    """Say in a section that it was written before some sources were built; a later check writes the section anew."""
    begin, _, rest = section.partition("\n")
    note = f"> Written before {', '.join(changed)} was last built; `llm4mat-bench check` writes it anew."
    rest = re.sub(r"\A> Written before .*\n\n", "", rest)
    return f"{begin}\n{note}\n\n{rest}"


def _read(card: Path) -> str:
    try:
        return card.read_bytes().decode()  # with the ends of lines that it has
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{card}: {error}") from error


def _find(text: str, card: Path) -> dict[str, str]:
    sections = {}
    for begin in _BEGIN.finditer(text):
        end = text.find(end_mark(begin["name"]), begin.end())
        if end < 0:
            raise DataError(
                f"{card}: the section on {begin['name']} has no end ({end_mark(begin['name'])}). Remove it and check "
                "again."
            )
        sections[begin["name"]] = text[begin.start() : end + len(end_mark(begin["name"]))]
    return sections
