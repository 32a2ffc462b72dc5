"""The two ways to write a description.

`published`: as in the published benchmark. Bond names and ranges have an en dash (as Robocrystallographer printed before
its version 0.2.8), kinds of sharing come in the order face, edge, corner, and directions hold plain integers.

`upstream`: as the installed Robocrystallographer prints, except that words it joins in the order of a Python set, which
changes from process to process, come in the same fixed order.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, Literal, get_args

from robocrys.describe import describer as _upstream

Style = Literal["published", "upstream"]
STYLES: tuple[str, ...] = get_args(Style)
EN_DASH = "\N{EN DASH}"
SHARING = {"face": 0, "edge": 1, "corner": 2}


class _Words:
    """The inflect engine behind a cache, joining words that upstream takes from a set in a fixed order."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        for name in ("number_to_words", "ordinal", "plural", "plural_verb", "a", "an"):
            setattr(self, name, lru_cache(maxsize=4096)(getattr(engine, name)))

    def join(self, words: Iterable[str]) -> str:
        parts = list(words)
        if all(word in SHARING for word in parts):
            parts.sort(key=SHARING.__getitem__)
        elif all(word.startswith("(") for word in parts):
            parts.sort()
        return str(self._engine.join(parts))


def _private_copy(module: ModuleType) -> ModuleType:
    """A second instance of a module, so that what is set in it does not change what others import."""
    name = f"{__name__}._{module.__name__.rpartition('.')[2]}"
    spec = importlib.util.spec_from_file_location(name, module.__file__)
    assert spec is not None and spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    sys.modules[name] = copy
    spec.loader.exec_module(copy)
    return copy


_module = _private_copy(_upstream)
_module.en = _Words(_upstream.en)  # type: ignore[attr-defined]


class UpstreamDescriber(_module.StructureDescriber):  # type: ignore[name-defined,misc]
    """Robocrystallographer's describer with cached and ordered words."""


class PublishedDescriber(UpstreamDescriber):
    """The same with the dashes of the published descriptions."""

    def get_bond_length_description(self, from_site: int, to_sites: list[int]) -> str:
        """Bond lengths; the only hyphens in them are those of bond names and ranges."""
        return str(super().get_bond_length_description(from_site, to_sites)).replace("-", EN_DASH)

    def _angle_range_to_string(self, angle_a: float, angle_b: float) -> str:
        return str(super()._angle_range_to_string(angle_a, angle_b)).replace("-", EN_DASH)


def _plain(orientation: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return None if orientation is None else tuple(getattr(x, "item", lambda x=x: x)() for x in orientation)


@cache
def _describer(style: str) -> Any:
    return PublishedDescriber() if style == "published" else UpstreamDescriber()


def write(condensed: dict[str, Any], style: str) -> str:
    """The text for a condensed structure.

    Args:
        condensed: As Robocrystallographer's condenser gives it.
        style: `published` or `upstream`.
    """
    if style == "published":
        components = {
            index: {**component, "orientation": _plain(component["orientation"])}
            for index, component in condensed["components"].items()
        }
        condensed = {**condensed, "components": components}
    return str(_describer(style).describe(condensed))
