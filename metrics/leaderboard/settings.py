"""What sets rows of one model apart: of their settings only those that differ."""

from collections import defaultdict
from collections.abc import Sequence

from ..results.apart import differing, leaves
from ..results.names import visible
from .models import Entry

_LONGEST = 110


def told_apart(entries: Sequence[Entry]) -> dict[str, str]:
    """Say for each row what distinguishes it from other rows of its model in its modality; the preset always.

    Args:
        entries: All rows of a page.

    Returns:
        By row: empty where there is nothing to say.
    """
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.model, entry.modality, entry.origin].append(entry)
    told = {}
    for its in groups.values():
        flat = {entry.id: {"revision": entry.model_revision, **dict(leaves(entry.protocol))} for entry in its}
        apart = differing(flat)
        for entry in its:
            own = flat[entry.id]
            parts = [
                f"{name.removeprefix('settings.')} {own[name]}"
                for name in apart
                if name in own and (name, own[name]) != ("control", "none")  # nothing is: a control says that it is one
            ]
            if "preset" in own and "preset" not in apart:
                parts.insert(0, f"preset {own['preset']}")
            if entry.origin == "published" and entry.settings:
                parts.append(entry.settings)
            told[entry.id] = visible(", ".join(parts), _LONGEST)
    return told
