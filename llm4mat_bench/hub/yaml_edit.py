"""Let a YAML text say something else by changing the lines that differ: comments and form of the others stay.

Reading a text into objects and writing it back loses comments, the order and the form of numbers that people chose.
"""

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import yaml

_Edit = tuple[int, int, str]
"""Where a stretch begins and ends, and what comes in its place."""


def edit_yaml(text: str, wanted: Any, end: str = "\n", *, deep: bool = True) -> str:  # noqa: ANN401 - YAML
    """Change a text so that it says something else.

    Args:
        text: YAML that can be read.
        wanted: What it is to say.
        end: How lines that are written end.
        deep: Change what differs inside of a value; else each value of the outermost mapping is written anew as a
            whole. Anchors and the like may ask for that.

    Returns:
        The text. Whether it says what is wanted is for the caller to see: it may not, where anchors are in it.
    """
    if text and not text.endswith("\n"):
        text += end
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return text + (_block(wanted, 0, end) if wanted else "")
    edits = _Editor(text, end, deep).edits(node, yaml.safe_load(text), wanted, outermost=True)
    if edits is None:
        return _block(wanted, 0, end)
    for start, stop, _, new in sorted(((*edit[:2], n, edit[2]) for n, edit in enumerate(edits)), reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def says(text: str, wanted: Any) -> bool:  # noqa: ANN401 - YAML
    """Whether a text says what is wanted: anchors and the like are beyond what is changed by its place."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return bool((found or None) == (yaml.safe_load(yaml.safe_dump(wanted, allow_unicode=True)) or None))


def lost_comments(before: str, after: str) -> list[str]:
    """Comments of a YAML text that another one does not have."""
    return list((Counter(_comments(before)) - Counter(_comments(after))).elements())


def _comments(text: str) -> Iterator[str]:
    place = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        yield from _comments_between(text[place : token.start_mark.index])
        place = max(place, token.end_mark.index)
    yield from _comments_between(text[place:])


def _comments_between(gap: str) -> Iterator[str]:
    for line in gap.splitlines():
        _, sign, comment = line.partition("#")
        if sign:
            yield f"#{comment}".rstrip()


class _Editor:
    """Finds the edits of one text. A method answers None where a value must be written anew as a whole."""

    def __init__(self, text: str, end: str, deep: bool) -> None:
        self.text, self.end, self.deep = text, end, deep

    def edits(self, node: yaml.Node, old: Any, new: Any, *, outermost: bool = False) -> list[_Edit] | None:  # noqa: ANN401
        if old == new:
            return []
        if not outermost and not self.deep:
            return None
        if isinstance(node, yaml.MappingNode) and isinstance(old, dict) and isinstance(new, dict) and new:
            return self._of_mapping(node, old, new, outermost=outermost)
        if isinstance(node, yaml.SequenceNode) and isinstance(old, list) and isinstance(new, list) and new:
            return self._of_flow(node, old, new) if node.flow_style else self._of_sequence(node, old, new)
        if isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">") and not isinstance(new, (list, dict)):
            return [self._scalar(node, new)]
        return None

    def _of_mapping(
        self, node: yaml.MappingNode, old: dict[Any, Any], new: dict[Any, Any], *, outermost: bool
    ) -> list[_Edit] | None:
        pairs = {key.value: (key, value) for key, value in node.value}  # of a key that stands twice the last counts
        edits: list[_Edit] = []
        for name, before in old.items():
            if name in new and before == new[name]:
                continue
            if name not in pairs:
                return None  # it came from an anchor
            key, value = pairs[name]
            inside = self.edits(value, before, new[name]) if name in new else None
            if inside is None:
                if node.flow_style or self.text[self._line(key) : key.start_mark.index].strip():
                    return None
                written = _block({name: new[name]}, key.start_mark.column, self.end) if name in new else ""
                inside = [(self._line(key), self._next_line(_end(value)), written)]
            edits += inside
        added = {name: value for name, value in new.items() if name not in old}
        if not added:
            return edits
        if node.flow_style:
            here = _end(node.value[-1][1]) if node.value else node.start_mark.index + 1
            return [*edits, (here, here, (", " if node.value else "") + _flow(added))]
        here = len(self.text) if outermost else self._next_line(_end(node))
        return [*edits, (here, here, _block(added, node.start_mark.column, self.end))]

    def _of_sequence(self, node: yaml.SequenceNode, old: list[Any], new: list[Any]) -> list[_Edit] | None:
        column = node.start_mark.column
        starts = [self._dash(item, column) for item in node.value]
        stops = [self._next_line(_end(item)) for item in node.value]
        edits: list[_Edit] = []
        for tag, i, i_end, j, j_end in SequenceMatcher(None, [*map(repr, old)], [*map(repr, new)], False).get_opcodes():
            if tag == "equal":
                continue
            partners = _partners(old[i:i_end], new[j:j_end])
            written = j
            for place in range(i, i_end):
                if place - i not in partners:
                    edits.append((starts[place], stops[place], ""))
                    continue
                partner = j + partners[place - i]
                if written < partner:
                    edits.append((starts[place], starts[place], _block(new[written:partner], column, self.end)))
                inside = self.edits(node.value[place], old[place], new[partner])
                if inside is None:
                    inside = [(starts[place], stops[place], _block([new[partner]], column, self.end))]
                edits += inside
                written = partner + 1
            if written < j_end:
                here = stops[i_end - 1] if i_end else starts[0]
                edits.append((here, here, _block(new[written:j_end], column, self.end)))
        return edits

    def _of_flow(self, node: yaml.SequenceNode, old: list[Any], new: list[Any]) -> list[_Edit] | None:
        if new[: len(old)] != old:
            return None
        here = _end(node.value[-1]) if node.value else node.start_mark.index + 1
        return [(here, here, (", " if node.value else "") + _flow(new[len(old) :]))]

    def _scalar(self, node: yaml.ScalarNode, new: Any) -> _Edit:  # noqa: ANN401 - YAML
        start, stop = node.start_mark.index, node.end_mark.index
        space = "" if self.text[start - 1 : start].isspace() or start == 0 or start < stop else " "
        return start, stop, space + _flow([new])

    def _line(self, node: yaml.Node) -> int:
        return self.text.rfind("\n", 0, node.start_mark.index) + 1

    def _dash(self, item: yaml.Node, column: int) -> int:
        """Where the line of an item's dash begins."""
        line = self.text.rfind("\n", 0, max(item.start_mark.index, 1)) + 1
        while line and self.text[line + column : line + column + 1] != "-":
            line = self.text.rfind("\n", 0, line - 1) + 1
        return line

    def _next_line(self, place: int) -> int:
        found = self.text.find("\n", max(place, 0))
        return len(self.text) if found < 0 else found + 1


def _partners(old: list[Any], new: list[Any]) -> dict[int, int]:
    """Which items become which others: those most alike, in order. A scalar becomes none: what is said beside it goes.

    Returns:
        Places among the new by places among the old.
    """
    partners: dict[int, int] = {}
    first = 0
    for place, one in enumerate(new):
        alike = [_likeness(other, one) for other in old[first:]]
        if alike and max(alike) > (0, 0):
            found = first + alike.index(max(alike))
            partners[found], first = place, found + 1
    return partners


def _likeness(old: Any, new: Any) -> tuple[int, int]:  # noqa: ANN401 - YAML
    if not isinstance(old, dict) or not isinstance(new, dict):
        return 0, 0
    shared = old.keys() & new.keys()
    return sum(old[key] == new[key] for key in shared), len(shared)


def _end(node: yaml.Node) -> int:
    """Where the content of a node ends; comments and blank lines behind it are not its own."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    place: int = node.end_mark.index
    return place - 1 if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") else place


def _block(value: Any, column: int, end: str) -> str:  # noqa: ANN401 - YAML
    written = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return "".join(" " * column + line + end for line in written.splitlines())


def _flow(value: list[Any] | dict[Any, Any]) -> str:
    """Items or pairs on one line, without the brackets around them."""
    written = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=True)
    return written.strip()[1:-1]
