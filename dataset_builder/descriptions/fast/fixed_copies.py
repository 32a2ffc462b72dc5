"""Second instances of upstream's modules whose arithmetic is the same on every processor and Python.

Where pymatgen and Robocrystallographer are called, they must compute what they would on the reference processor. So the
modules named here are executed once more, with another `numpy` (see `fixed_numpy`), a plain `sum` (the built-in one
compensates from Python 3.12 on), and each other in place of the public ones. The public modules stay as they are, so
nobody else sees any of this, in whatever thread.
"""

from __future__ import annotations

import builtins
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from threading import RLock
from types import ModuleType, SimpleNamespace
from typing import Any

from . import fixed_numpy
from .arithmetic import total

COPIED = frozenset(
    {
        "pymatgen.util.coord",
        "pymatgen.core.lattice",
        "pymatgen.core.sites",
        "pymatgen.core.structure",
        "pymatgen.core.structure_matcher",
        "pymatgen.core.local_env",
        "pymatgen.symmetry.analyzer",
        "pymatgen.symmetry.structure",
        "robocrys.condense.component",
        "robocrys.condense.condenser",
        "robocrys.condense.mineral",
        "robocrys.condense.site",
    }
)

_lock = RLock()


def _sum(values: Any, start: Any = 0) -> Any:  # noqa: ANN401
    items = list(values)
    return total(items) if start == 0 and items and all(type(item) is float for item in items) else sum(items, start)


@cache
def _numpy() -> ModuleType:
    return fixed_numpy.make()


@cache
def _builtins() -> dict[str, Any]:
    return {**vars(builtins), "sum": _sum, "__import__": _import}


def _import(
    name: str,
    its_globals: Mapping[str, object] | None = None,
    its_locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:  # noqa: ANN401
    """As `__import__`, but for the copies where there are any."""
    if name == "numpy" and level == 0:
        return _numpy()
    module = builtins.__import__(name, its_globals, its_locals, fromlist or (), level)
    if not fromlist or "*" in fromlist:
        return module
    if module.__name__ in COPIED:
        return copy_of(module.__name__)
    # what is missing is left out, so that `from` says it in the usual way
    return SimpleNamespace(**{item: _counterpart(getattr(module, item)) for item in fromlist if hasattr(module, item)})


def _counterpart(value: Any) -> Any:  # noqa: ANN401
    """The same class or function of a copy, where it comes from a copied module."""
    if isinstance(value, ModuleType):
        return copy_of(value.__name__) if value.__name__ in COPIED else value
    home, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if home in COPIED and isinstance(name, str):
        return getattr(copy_of(home), name)
    return value


def copy_of(name: str) -> Any:  # noqa: ANN401 - a module whose attributes are not known here
    """The copy of a module, made when first asked for.

    Args:
        name: One of `COPIED`.

    Raises:
        KeyError: Another module.
    """
    if name not in COPIED:
        raise KeyError(name)
    with _lock:
        return _made(name)


@cache
def _made(name: str) -> ModuleType:
    builtins.__import__(name)  # what it imports is loaded in the usual order first
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"No source of {name}")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__builtins__"] = _builtins()
    spec.loader.exec_module(module)
    return module
