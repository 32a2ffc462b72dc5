"""What runs inside a worker process: one text in, one outcome out, never an exception."""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import one_line, said
from ...crystals.errors import StructureError
from ...crystals.reading import read_crystal
from .records import Outcome, Settings, Status

if TYPE_CHECKING:
    from pymatgen.core import Structure

_STATUSES = {
    "disordered": Status.DISORDERED,
    "bad_structure": Status.BAD_CIF,
    "empty": Status.BAD_CIF,
    "overlapping_atoms": Status.BAD_CIF,
    "unknown_species": Status.BAD_CIF,
}
"""Which of a describer's reasons are not its own fault."""

Describer = Callable[["Structure", str], tuple[str, dict[str, Any]]]


def find_describer(name: str) -> Describer:
    """Import the function that ``module:function`` names."""
    module, _, function = name.partition(":")
    describer: Describer = getattr(importlib.import_module(module), function)
    return describer


def describe_text(index: int, text: str, settings: Settings, describer: Describer) -> Outcome:
    """Describe one structure; every failure becomes an outcome with its reason."""
    start = time.perf_counter()
    n_sites: int | None = None

    def failed(status: Status, reason: str) -> Outcome:
        elapsed = time.perf_counter() - start
        return Outcome(index=index, status=status, reason=reason, n_sites=n_sites, seconds=elapsed)

    try:
        structure, remarks = read_crystal(text, allow_mismatch=settings.allow_formula_mismatch)
        n_sites = len(structure)
        description, condensed = describer(structure, settings.style)
        return Outcome(
            index=index,
            status=Status.OK,
            reason="; ".join(remarks) or None,
            description=description,
            condensed=_to_json(condensed) if settings.condensed else None,
            n_sites=n_sites,
            seconds=time.perf_counter() - start,
        )
    except MemoryError:
        return failed(Status.OUT_OF_MEMORY, f"needs more than {settings.memory_mb} MiB")
    except StructureError as error:
        return failed(Status.BAD_CIF, str(error))
    except Exception as error:  # one structure's fault must not end a run of millions
        slug = getattr(error, "reason", None)  # the describer's own errors carry one
        if not isinstance(slug, str):
            return failed(Status.ROBOCRYS_ERROR, one_line(error))
        status = _STATUSES.get(slug, Status.ROBOCRYS_ERROR)
        return failed(status, said(error) if slug == status else f"{slug}: {said(error)}")


def _to_json(condensed: dict[str, Any]) -> str:
    return json.dumps(condensed, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def work(connection: Connection, settings: Settings, describer: Describer, unwanted: list[Connection]) -> None:
    """Answer tasks until the connection closes. Runs in a forked process.

    Args:
        connection: Gives ``[index, text]`` as JSON, takes a line with the status, then the ``Outcome`` as JSON.
        settings: Those of the run.
        describer: Makes text and condensed form of a structure.
        unwanted: Ends of other workers' pipes that the fork copied; held open they would hide a closed pipe.
    """
    for other in unwanted:
        other.close()
    _die_with_parent()
    _limit_memory(settings.memory_mb)
    _silence()
    while True:
        try:
            index, text = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        outcome = describe_text(index, text, settings, describer)
        del text
        try:
            answer = outcome.model_dump_json(exclude_none=True)
            connection.send_bytes(f"{outcome.status}\n{answer}".encode("utf-8", "replace"))
        except MemoryError:
            os._exit(1)
        if outcome.status is Status.OUT_OF_MEMORY:
            os._exit(0)  # what was half built may be broken; a fresh fork is cheap


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, even while it is stuck in C code."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def _limit_memory(memory_mb: int) -> None:
    """Let this process map no more than ``memory_mb`` MiB of private memory beyond what the fork gave it.

    RLIMIT_DATA counts private writable memory, in Linux since 4.7: unlike RLIMIT_AS it leaves out shared libraries.
    """
    import resource

    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux: the limit is not enforced there
        return
    now = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
    wanted = now + memory_mb * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is a row, not a gigabyte on disk


def _silence() -> None:
    """Send what libraries print to nowhere: warnings of millions of CIFs would bury the progress bar."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
