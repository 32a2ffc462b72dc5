"""What sets things of one name apart: of their settings only those that differ."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

_MISSING = "–"


def most_telling_first(rows: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str]]:
    """Names of settings that differ: first those by which no two rows are left alike, then the others.

    Of two that tell as much, the one that more rows have.
    """
    names = dict.fromkeys(name for one in rows for name in one)
    values = {name: [one.get(name, _MISSING) for one in rows] for name in names}
    left = [name for name in names if len(set(values[name])) > 1]
    chosen: list[str] = []
    classes: Sequence[object] = [0] * len(rows)
    while left:
        splits = {name: list(zip(classes, values[name], strict=True)) for name in left}
        name = max(left, key=lambda one: (len(set(splits[one])), -values[one].count(_MISSING)))
        if len(set(splits[name])) == len(set(classes)):
            break
        numbers = {one: number for number, one in enumerate(dict.fromkeys(splits[name]))}
        classes = [numbers[one] for one in splits[name]]
        chosen.append(name)
        left.remove(name)
    return chosen, left


def leaves(value: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Settings as dotted names and values; the kind of protocol is left out."""
    for name, inner in value.items():
        path = f"{above}{name}"
        if isinstance(inner, dict):
            yield from leaves(inner, f"{path}.")
        elif path != "kind":
            yield path, inner
