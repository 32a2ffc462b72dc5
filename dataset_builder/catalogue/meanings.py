"""What a property means, beyond its title: a sentence, its other names, the bounds of its definition."""

import re
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from ...yaml_files import read_yaml
from .models import Declaration, Property

MEANINGS = Path(__file__).resolve().parent.parent / "meanings.yaml"
_METHOD = re.compile(r"\s*\([^()]*\)\s*$")


class ClassWords(Declaration):
    """Words that say one class or the other, in lower case."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]


class Meaning(Declaration):
    """What a quantity is.

    ``lowest`` and ``highest`` are in the unit of the task, both ends allowed; only what the definition itself forbids
    lies beyond them. A property's ``possible`` range is narrower: beyond it a value of the data is a fault.
    """

    title: str
    meaning: str = Field(pattern=r"\.$")
    also: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    words: ClassWords | None = None

    @model_validator(mode="after")
    def bounds_are_in_order(self) -> Self:
        """Refuse bounds that leave nothing between them."""
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError(f"{self.title}: lowest is not below highest")
        return self


def title_without_method(title: str) -> str:
    """``band gap (TB-mBJ)`` is a ``band gap``."""
    return _METHOD.sub("", title)


@cache
def _meanings() -> dict[str, Meaning]:
    return {entry.title.casefold(): entry for entry in read_yaml(MEANINGS, list[Meaning])}


def meaning_of(prop: Property) -> Meaning | None:
    """What a property means; None for one of a user's own source that no entry is about."""
    return _meanings().get(title_without_method(prop.title).casefold())
