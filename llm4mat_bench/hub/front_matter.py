"""The YAML block at the top of a card: single keys are replaced in its text, everything else stays letter by letter.

Reading a block into a library's object and writing it back loses comments, the order people chose, and every field that
the library does not know.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ..errors import DataError

_BLOCK = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*$\r?\n?", re.DOTALL | re.MULTILINE)


def split_card(text: str) -> tuple[str, str]:
    """Take a card apart into the YAML of its block, without the dashes, and the rest.

    Args:
        text: A card; one without a block is all rest.
    """
    found = _BLOCK.match(text)
    return (found["yaml"], text[found.end() :]) if found else ("", text)


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
    if not isinstance(value, dict):
        raise DataError(f"{where}: its YAML is no mapping; mend it first")
    return value


def put_keys(block: str, changes: Mapping[str, Any], where: str) -> str:
    """Set keys of a block in its text.

    Args:
        block: The YAML.
        changes: Keys with new values; one that has this value already is not touched, a new one comes at the end.
        where: The card, for messages.

    Returns:
        The new YAML. What is not among the keys is the same text as before.

    Raises:
        DataError: The block cannot be read, or a key cannot be set in it without changing others.
    """
    present = read_block(block, where)
    if block and not block.endswith("\n"):
        block += "\n"
    flow = block.lstrip().startswith("{")
    for key, value in changes.items():
        if key in present and present[key] == value:
            continue
        if flow:  # a block in one pair of braces has no lines of its own
            present = {**read_block(block, where), key: value}
            block = _written(present)
            continue
        lines = _written({key: value})
        if key in present:
            start, end = _extent(block, key)
            block = block[:start] + lines + block[end:]
        else:
            block += lines
    _check_result(block, {**present, **changes}, where)
    return block


def _check_result(block: str, wanted: Mapping[str, Any], where: str) -> None:
    """Read what was written again: anchors, indented blocks and the like are beyond what is replaced by its place.

    Raises:
        DataError: It does not say what it should.
    """
    try:
        found = yaml.safe_load(block) or {}
    except yaml.YAMLError:
        found = None
    if found != yaml.safe_load(_written(wanted)):
        odd = next((name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]), "a key")
        raise DataError(
            f"{where}: '{odd}' cannot be set in its YAML without changing what else stands there; write the block "
            "plainly, each key once at the beginning of a line, without anchors"
        )


def _extent(block: str, key: str) -> tuple[int, int]:
    """Where a top-level key and its value stand; comments and blank lines behind them are not theirs."""
    node = yaml.compose(block, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - it was read as a mapping
    places = [(name.start_mark.index, value.end_mark.index) for name, value in node.value if name.value == key]
    start, end = places[-1]  # of a key that stands twice the last counts
    end = start + len(block[start:end].rstrip())
    lines = block[start:end].split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    end = start + len("\n".join(lines))
    rest = block.find("\n", end)
    tail = block[end : len(block) if rest < 0 else rest]
    if not tail.strip():  # else a comment on the same line, which stays
        end = len(block) if rest < 0 else rest + 1
        return start, end
    return start, end if rest < 0 else rest + 1


def _written(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=1000)
