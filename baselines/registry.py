"""Which models there are: modules of this folder that declare one, and those that other packages bring."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from ..dataset_builder.catalogue import Kind, Modality, Task
from ..errors import UsageError, unknown_name
from .protocol import Declaration, Fit, Load, PretrainingOverlap, Settings

ENTRY_POINTS = "llm4mat_bench.models"
"""Other packages list their modules under this group: ``my_model = "my_package.my_model"``."""

_HERE = Path(__file__).resolve().parent
_DECLARES = re.compile(r"^MODEL\b[^=\n]*=", re.MULTILINE)


@dataclass(frozen=True)
class Baseline:
    """One model of this room.

    Attributes:
        declaration: Its module's ``MODEL``.
        module: The module, without the libraries that it imports where it needs them.
        package: The distribution that brings it.
    """

    declaration: Declaration
    module: ModuleType
    package: str = "llm4mat-bench"

    @property
    def id(self) -> str:
        """Name on the command line and in records."""
        return self.declaration.id

    @property
    def settings_model(self) -> type[Settings]:
        """The pydantic model of its settings."""
        found: type[Settings] = self.module.Settings
        return found

    @property
    def fit(self) -> Fit:
        """Learns from a task."""
        found: Fit = self.module.fit
        return found

    @property
    def load(self) -> Load:
        """Reads what a fitted model saved."""
        found: Load = self.module.load
        return found

    def resolve(self, settings: Settings, task: Task) -> Settings:
        """Settings made exact for a task: what stands for something that may change is named for good."""
        make_exact: Callable[[Settings], Settings] | None = getattr(self.module, "resolve", None)
        for_task: Callable[[Settings, Task], Settings] | None = getattr(self.module, "for_task", None)
        exact = settings if make_exact is None else make_exact(settings)
        return exact if for_task is None else for_task(exact, task)

    def places(self, settings: Settings) -> dict[str, str]:
        """Which settings say where something lies, with the SHA-256 of what lies there."""
        found: Callable[[Settings], dict[str, str]] | None = getattr(self.module, "places", None)
        return {} if found is None else found(settings)

    def pretraining_overlap(self, settings: Settings, task: Task) -> PretrainingOverlap:
        """Whether the weights that it starts from had seen test rows of a task."""
        found: Callable[[Settings, Task], PretrainingOverlap] | None = getattr(self.module, "pretraining_overlap", None)
        return self.declaration.pretraining_overlap if found is None else found(settings, task)

    @property
    def install_hint(self) -> str:
        """The command that brings its libraries."""
        extra = self.declaration.extra
        return f"pip install '{self.package}[{extra}]'" if extra else f"pip install '{self.package}'"


def list_baselines() -> list[Baseline]:
    """Every model that can be named, in the order of their names."""
    return [found for _, found in sorted(_found()[0].items())]


def get_baseline(name: str) -> Baseline:
    """Return the model of that name.

    Raises:
        UsageError: There is none (the message names the nearest), or the package that should bring it is broken.
    """
    found, broken = _found()
    if name in found:
        return found[name]
    if name in broken:
        raise UsageError(f"model {name} cannot be used: {broken[name]}")
    raise unknown_name("model", name, [*found, *broken])


def check_reads(baseline: Baseline, modality: Modality, kind: Kind | None = None) -> None:
    """Refuse a modality that a model cannot read, or a kind of task that it cannot learn.

    Raises:
        UsageError: With those that it can.
    """
    declaration = baseline.declaration
    if modality not in declaration.modalities:
        raise UsageError(f"{baseline.id} reads {', '.join(declaration.modalities)}, not {modality}")
    if kind is not None and kind not in declaration.kinds:
        raise UsageError(f"{baseline.id} learns {', '.join(declaration.kinds)}, not {kind}")


def check_installed(baseline: Baseline) -> None:
    """Refuse before any work where a library is missing.

    Raises:
        UsageError: It is; the message says how to install it.
    """
    missing = [name for name in baseline.declaration.libraries if _version(name) is None]
    if missing:
        raise UsageError(f"{baseline.id} needs {', '.join(missing)}: {baseline.install_hint}")


def library_versions(baseline: Baseline) -> dict[str, str]:
    """Versions of the libraries that a model declares, for the record."""
    names = baseline.declaration.libraries
    return {name: found for name in names if (found := _version(name)) is not None}


@cache
def _found() -> tuple[dict[str, Baseline], dict[str, str]]:
    """Models by name, and what is wrong with those of other packages that cannot be used."""
    found: dict[str, Baseline] = {}
    for path in sorted(_HERE.rglob("*.py")):
        if _DECLARES.search(path.read_text(encoding="utf-8")):
            inner = ".".join(path.relative_to(_HERE).with_suffix("").parts)
            _add(found, import_module(f".{inner}", __package__), "llm4mat-bench")
    broken: dict[str, str] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            _add(found, point.load(), _package(point))
        except Exception as error:  # a foreign package may fail in any way, and must not take ours with it
            broken[point.name] = f"{point.value} of {_package(point)}: {' '.join(str(error).split())}"
    return found, broken


def _add(found: dict[str, Baseline], module: Any, package: str) -> None:  # noqa: ANN401 - foreign: anything
    """Check that a module is a model, and list it.

    Raises:
        UsageError: It is none, or its name is taken.
    """
    name = getattr(module, "__name__", str(module))
    declaration = getattr(module, "MODEL", None)
    if not isinstance(declaration, Declaration):
        raise UsageError(f"{name}: MODEL is no Declaration")
    settings = getattr(module, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        raise UsageError(f"{name}: Settings is no subclass of llm4mat_bench.baselines.protocol.Settings")
    for function in ("fit", "load"):
        if not callable(getattr(module, function, None)):
            raise UsageError(f"{name}: there is no function {function}")
    try:
        settings()
    except ValidationError as error:
        raise UsageError(f"{name}: a field of Settings has no default ({error.error_count()} in all)") from error
    if declaration.id in found:
        raise UsageError(f"{name}: the name {declaration.id} is taken by {found[declaration.id].module.__name__}")
    found[declaration.id] = Baseline(declaration, module, package)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unnamed package"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
