"""A second instance of a module, to set something in it without changing what others import."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def private_copy(module: ModuleType) -> ModuleType:
    """Execute a module again under a private name."""
    name = f"{__name__}.{module.__name__.replace('.', '_')}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, module.__file__)
        if spec is None or spec.loader is None:
            raise ImportError(f"No source of {module.__name__}")
        copy = importlib.util.module_from_spec(spec)
        sys.modules[name] = copy
        spec.loader.exec_module(copy)
    return sys.modules[name]
