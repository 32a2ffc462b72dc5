"""The two ways to write a description, as changes to the text that Robocrystallographer prints.

`upstream`: as the installed Robocrystallographer prints it, except that words which it takes from a Python set, in an order
that changes from process to process, come in a fixed order: face, edge, corner for kinds of sharing, and directions sorted.

`published`: as in the published benchmark. The same order; an en dash in bond names and ranges, as Robocrystallographer
printed before its version 0.2.8; plain integers in directions, as it printed with NumPy 1.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Style = Literal["published", "upstream"]
STYLES: tuple[str, ...] = get_args(Style)
EN_DASH = "\N{EN DASH}"
SHARING = ("face", "edge", "corner")

_kind = "(?:" + "|".join(SHARING) + ")"
_label = r"\([\d,]+\)"
_direction = r"\((?:[^()]|\([^()]*\))*\)"
_MIXTURE = re.compile(rf"(a mixture of (?:distorted )?)((?:{_kind}, )*{_kind},? and {_kind})(-sharing)")
_DIRECTIONS = re.compile(rf"(oriented in the )((?:{_direction}, )*{_direction},? and {_direction})( directions)")
_NUMPY = re.compile(r"np\.(?:int|float)\d+\(([^()]*)\)")
_BOND = re.compile(rf"({_label})-([A-Z][a-z]?{_label} bond )")
_DISTANCES = re.compile(r"(ranging from \d+\.\d+)-(\d+\.\d+ Å)")
_ANGLES = re.compile(r"(angles range from \d+)-(\d+°)")


def _joined(words: list[str]) -> str:
    if len(words) == 2:
        return f"{words[0]} and {words[1]}"
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def settle(text: str) -> str:
    """Give the words that come from sets a fixed order."""

    def sharing(match: re.Match[str]) -> str:
        words = sorted(re.findall(_kind, match[2]), key=SHARING.index)
        return f"{match[1]}{_joined(words)}{match[3]}"

    def directions(match: re.Match[str]) -> str:
        return f"{match[1]}{_joined(sorted(re.findall(_direction, match[2])))}{match[3]}"

    return _DIRECTIONS.sub(directions, _MIXTURE.sub(sharing, text))


def publish(text: str) -> str:
    """Write dashes and directions as the published descriptions have them."""
    text = _NUMPY.sub(r"\1", text)
    for pattern in (_BOND, _DISTANCES, _ANGLES):
        text = pattern.sub(rf"\1{EN_DASH}\2", text)
    return text


def styled(text: str, style: str) -> str:
    """The text that upstream printed, in a style.

    Args:
        text: As Robocrystallographer printed it.
        style: `published` or `upstream`.

    Raises:
        ValueError: An unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"Unknown style {style!r}; choose one of {', '.join(STYLES)}")
    return settle(publish(text)) if style == "published" else settle(text)
