"""What sets rows of one model apart: of their settings only those that differ."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..results.apart import leaves, most_telling_first
from ..results.names import visible
from .models import Entry

_LONGEST, _LONGEST_VALUE = 110, 40
_MOST_SEARCHED = 600


class Told(NamedTuple):
    """What distinguishes a row from others of its model: as it is shown, and at length for the search."""

    shown: str
    searched: str


def told_apart(entries: Sequence[Entry]) -> dict[str, Told]:
    """Say for each row what distinguishes it from other rows of its model in its modality; the preset always.

    No two of them are told the same: settings come first that tell the most of them apart.

    Args:
        entries: All rows of a page.

    Returns:
        By row: empty where there is nothing to say.
    """
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.model, entry.modality, entry.origin].append(entry)
    told: dict[str, Told] = {}
    for its in groups.values():
        # As they are shown: two long values that are cut alike tell nothing apart.
        settings = {
            _line(one): {
                name: visible(str(value), _LONGEST_VALUE)
                for name, value in {"revision": one.model_revision, **dict(leaves(one.protocol))}.items()
            }
            for one in its
        }
        first, rest = most_telling_first(list(settings.values()))
        several = _on_several_data(its)
        texts = {}
        for one in its:
            data = [f"data {visible(one.dataset, _LONGEST_VALUE)}"] if _line(one) in several else []
            texts[_line(one), one.dataset if data else ""] = ", ".join(
                [*data, *_parts(settings[_line(one)], first, rest, one)]
            )
        alike = Counter(visible(text, _LONGEST) for text in texts.values())
        for one in its:
            text = texts[_line(one), one.dataset if _line(one) in several else ""]
            own = f"row {_line(one)[:6]}" if alike[visible(text, _LONGEST)] > 1 else ""
            text = ", ".join(filter(None, [own, text]))
            told[one.id] = Told(visible(text, _LONGEST), visible(text, _MOST_SEARCHED))
    return told


def _line(entry: Entry) -> str:
    return entry.line or entry.id


def _on_several_data(entries: Sequence[Entry]) -> set[str]:
    """Lines that have several rows in one source, each on other data."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in entries:
        for source in {task.partition("/")[0] for task in one.cells}:
            found[_line(one), source].add(one.dataset)
    return {line for (line, _), data in found.items() if len(data) > 1}


def _parts(own: Mapping[str, str], first: Sequence[str], rest: Sequence[str], entry: Entry) -> list[str]:
    preset = ["preset"] if "preset" in own and "preset" not in (*first, *rest) else []
    parts = [
        f"{name.removeprefix('settings.')} {own[name]}"
        for name in (*first, *preset, *rest)
        if name in own and (name, own[name]) != ("control", "none")  # nothing is: a control says that it is one
    ]
    if entry.origin == "published" and entry.settings:
        parts.append(entry.settings)
    return parts
