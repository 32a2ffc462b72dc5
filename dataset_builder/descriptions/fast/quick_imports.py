"""More than half of the time to import Robocrystallographer goes into two modules that a description hardly needs.

- pymatgen reads its whole AFLOW library (Robocrystallographer only wants a base class from beside it). Its loading is
  put off here until somebody looks at it.
- inflect has each of its functions rewritten to check argument types at run time. Those checks are left out.

Both are done only while these modules are imported for the first time, and nothing is done where they already are.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LIBRARY = "aflow_prototypes.json.gz"


class Deferred(Sequence[Any]):
    """A list that is loaded when it is first used."""

    def __init__(self, load: Callable[[], Sequence[Any]]) -> None:
        self._load = load
        self._items: Sequence[Any] | None = None

    @property
    def _loaded(self) -> Sequence[Any]:
        if self._items is None:
            self._items = self._load()
        return self._items

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401
        return self._loaded[index]

    def __len__(self) -> int:
        return len(self._loaded)


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:  # noqa: ANN401
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


def _import_prototypes() -> None:
    serialization = importlib.import_module("monty.serialization")
    loadfn = serialization.loadfn

    def load(path: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if str(path).endswith(LIBRARY):
            return Deferred(lambda: loadfn(path, *arguments, **options))
        return loadfn(path, *arguments, **options)

    with _replaced(serialization, "loadfn", load):
        importlib.import_module("pymatgen.analysis.prototypes")


def _unchecked(target: Any = None, **_options: Any) -> Any:  # noqa: ANN401
    return target if target is not None else lambda decorated: decorated


def _import_inflect() -> None:
    with _replaced(importlib.import_module("typeguard"), "typechecked", _unchecked):
        importlib.import_module("inflect")


def load() -> None:
    """Import both, unless they are imported already; a library that has changed is simply imported as usual."""
    for name, quickly in {"pymatgen.analysis.prototypes": _import_prototypes, "inflect": _import_inflect}.items():
        if name not in sys.modules:
            try:
                quickly()
            except (ImportError, AttributeError):  # the plain import that follows says what is wrong
                continue
