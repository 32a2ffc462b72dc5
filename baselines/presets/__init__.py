"""Settings that go by a name, as data: a YAML file a preset, a section a model.

A section ``differences`` says, by model, what is done otherwise than by those whose settings they are, where a score
may change by it. The record of a run that goes by the preset repeats it.
"""

from functools import cache
from pathlib import Path
from typing import Any

from ...errors import UsageError, unknown_name
from ...yaml_files import read_yaml

_HERE = Path(__file__).resolve().parent
_DIFFERENCES = "differences"


def preset_names() -> list[str]:
    """The presets there are."""
    return sorted(path.stem for path in _HERE.glob("*.yaml"))


def preset_settings(preset: str | None, model: str) -> dict[str, Any]:
    """What a preset sets for a model; nothing without a preset.

    Raises:
        UsageError: There is no such preset, or it says nothing of this model.
    """
    if preset is None:
        return {}
    if preset not in preset_names():
        raise unknown_name("preset", preset, preset_names())
    found = _read(preset)
    models = sorted(found.keys() - {_DIFFERENCES})
    if model not in models:
        raise UsageError(f"preset {preset} says nothing of {model}; it has {', '.join(models)}")
    return dict(found[model] or {})


def preset_differences(preset: str | None, model: str) -> tuple[str, ...]:
    """What a preset does otherwise than its origin, for a model; nothing without a preset, or one that has none."""
    found = {} if preset not in preset_names() else _read(str(preset)).get(_DIFFERENCES) or {}
    return tuple(found.get(model) or ())


@cache
def _read(preset: str) -> dict[str, dict[str, Any] | None]:
    return read_yaml(_HERE / f"{preset}.yaml", dict[str, dict[str, Any] | None])
