"""Robocrystallographer's describer with its English kept, since it asks for the same few words again and again."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from robocrys.describe import describer as upstream

from .private_copy import private_copy

CACHED = ("number_to_words", "ordinal", "plural", "plural_verb", "a", "an")


class _Words:
    def __init__(self, engine: Any) -> None:  # noqa: ANN401
        self._engine = engine
        for name in CACHED:
            setattr(self, name, lru_cache(maxsize=4096)(getattr(engine, name)))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._engine, name)


@cache
def _describer() -> Any:  # noqa: ANN401
    module = private_copy(upstream)
    module.en = _Words(upstream.en)  # type: ignore[attr-defined]
    return module.StructureDescriber()


def write(condensed: dict[str, Any]) -> str:
    """The text for a condensed structure, exactly as upstream's StructureDescriber prints it."""
    return str(_describer().describe(condensed))
