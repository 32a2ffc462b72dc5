"""The YAML block at the top of a card: single keys are replaced in its text, everything else stays letter by letter.

Reading a block into a library's object and writing it back loses comments, the order people chose, and every field that
the library does not know.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from ..dataset_builder.dataset_folder.card_sections import line_end
from ..errors import DataError
from .yaml_edit import edit_yaml, lost_comments, says

# As the Hub finds it: blank lines may stand before it, and line ends are those of any system.
_BLOCK = re.compile(r"\A(?P<before>\ufeff?\s*)---[ \t]*\r?\n(?P<yaml>(?:.*?\n)??)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


_OPENED = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?P<yaml>(?:[^\r\n]+\r?\n?)+)")


def split_card(text: str) -> tuple[str, str]:
    """Take a card apart into the YAML of its block, without the dashes, and the rest.

    Args:
        text: A card; one without a block is all rest.
    """
    found = _BLOCK.match(text)
    return (found["yaml"], text[found.end() :]) if found else ("", text)


def with_keys(text: str, changes: Mapping[str, Any], where: str) -> str:
    """Set keys of a card's block in its text.

    Args:
        text: A card; one without a block gets one.
        changes: As in `put_keys`.
        where: The card, for messages.

    Returns:
        The card with line ends and blank lines as they were. A byte order mark goes: with it the Hub's own library
        finds no block.

    Raises:
        DataError: As `put_keys`.
    """
    found = _BLOCK.match(text)
    if found is None and (opened := _OPENED.match(text)) is not None and _is_mapping(opened["yaml"]):
        raise DataError(f"{where}: its YAML is opened by --- and never closed; mend it first")
    block, body = split_card(text) if found else ("", text.removeprefix("\ufeff"))
    before = found["before"].removeprefix("\ufeff") if found else ""
    end = line_end(text)
    return f"{before}---{end}{put_keys(block, changes, where, end)}---{end}{body}"


def read_block(block: str, where: str) -> dict[str, Any]:
    """Read a block as a mapping.

    Raises:
        DataError: It is no YAML, or no mapping.
    """
    try:
        value = yaml.safe_load(block)
    except yaml.YAMLError as error:
        raise DataError(f"{where}: its YAML cannot be read ({' '.join(str(error).split())}); mend it first") from error
    if value is None:
        return {}
    try:
        json.dumps(value, default=str, skipkeys=True)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: its YAML holds itself by an anchor; mend it first") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: its YAML is no mapping; mend it first")
    return value


def _is_mapping(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def put_keys(block: str, changes: Mapping[str, Any], where: str, end: str = "\n") -> str:
    """Set keys of a block in its text.

    Args:
        block: The YAML.
        changes: Keys with new values; one that has this value already is not touched, a new one comes at the end.
        where: The card, for messages.
        end: How lines end.

    Returns:
        The new YAML. What need not change is the same text as before, comments included, inside of values too.

    Raises:
        DataError: The block cannot be read, or a key cannot be set in it without changing others.
    """
    present = read_block(block, where)
    wanted = {**present, **changes}
    for deep in (True, False):
        written = edit_yaml(block, wanted, end, deep=deep)
        if says(written, wanted):
            return written
    odd = next((name for name in changes if present.get(name) != changes[name]), "a key")
    raise DataError(
        f"{where}: '{odd}' cannot be set in its YAML without changing what else stands there; write the block plainly, "
        "each key once at the beginning of a line, without anchors"
    )


def comments_that_go(before: str, after: str, where: str) -> list[str]:
    """A line for each comment in a card's YAML that its new text does not have."""
    gone = lost_comments(split_card(before)[0], split_card(after)[0])
    return [f"{where}: this comment goes, what it stands in is written anew: {one}" for one in gone]
