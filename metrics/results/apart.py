"""What sets things of one name apart: of their settings only those that differ."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

_MISSING = object()


def differing(settings: Mapping[str, Mapping[str, JsonValue]]) -> list[str]:
    """Names of the settings that are not the same everywhere, in the order in which they stand.

    Args:
        settings: Of each thing.
    """
    names = dict.fromkeys(name for one in settings.values() for name in one)
    return [name for name in names if len({repr(one.get(name, _MISSING)) for one in settings.values()}) > 1]


def leaves(value: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Settings as dotted names and values; the kind of protocol is left out."""
    for name, inner in value.items():
        path = f"{above}{name}"
        if isinstance(inner, dict):
            yield from leaves(inner, f"{path}.")
        elif path != "kind":
            yield path, inner
