"""Which code, on which machine, made a result."""

import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ...processors import available_processors
from .record import Provenance

BASE_LIBRARIES = ("numpy", "scipy", "pyarrow", "datasets")
"""What every run uses; a model declares the others."""


def provenance(
    started_at: str, wall_seconds: float, libraries: Sequence[str] = (), *, resumed: bool = False
) -> Provenance:
    """Describe the code and the machine at work.

    Args:
        started_at: When the run began, ISO 8601 with time zone.
        wall_seconds: How long the call that finished it took.
        libraries: Distributions that the model uses, beside those that every run uses; their versions are recorded
            where they are installed.
        resumed: Whether an earlier call had begun the run.
    """
    commit, dirty = git_state()
    return Provenance(
        package_version=version("llm4mat-bench"),
        git_commit=commit,
        git_dirty=dirty,
        python=platform.python_version(),
        libraries={name: found for name in _once(libraries) if (found := _version(name))},
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor_name(),
        cores=available_processors(),
        started_at=started_at,
        wall_seconds=round(wall_seconds, 3),
        resumed=resumed,
    )


def _once(libraries: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*BASE_LIBRARIES, *libraries]))


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout this code runs from and whether it is changed; (None, None) for an installed package."""
    here = Path(__file__).resolve().parent
    if not (here.parents[1] / ".git").exists():
        return None, None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit, bool(_git(here, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor_name() -> str:
    """Model of the processor, as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
