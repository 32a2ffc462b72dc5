"""Read declarations that are written in YAML: quickly, and with one-line errors that name the file and the key."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from .errors import DataError
from .faults import first_fault

_Read = TypeVar("_Read")
# The safe loader over libyaml, ten times as fast, where PyYAML was built with it, as its wheels are. Reading the
# catalogue is most of what a short command does.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - whatever is written there
    """What a text says in YAML, as plain values: no tag in it makes an object.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader in either case


def read_yaml(path: Path, form: type[_Read]) -> _Read:
    """Read a file whose content has a form.

    Args:
        path: The file.
        form: A model, or any type that pydantic validates.

    Raises:
        DataError: It cannot be read, is no YAML, or a key is missing, misspelt or of the wrong form.
    """
    try:
        return TypeAdapter(form).validate_python(load_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_fault(error).told}") from error
