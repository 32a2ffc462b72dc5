"""Stand-ins for the describer: real ones need imports of many seconds. What they do hangs on the elements they meet."""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from llm4mat_bench.dataset_builder.descriptions.errors import DescriptionError


def quick(structure: Any, style: str) -> tuple[str, dict[str, Any]]:
    """A text that depends on structure and style, at once."""
    if not structure.is_ordered:
        raise DescriptionError("disordered", "some sites are shared")
    formula = structure.composition.reduced_formula
    return f"{formula} is a crystal of {len(structure)} sites – {style}.", {"formula": formula, "sites": {0: formula}}


def steady(structure: Any, style: str) -> tuple[str, dict[str, Any]]:
    """The same after some milliseconds, so that a run can be killed in its middle."""
    time.sleep(0.02)
    return quick(structure, style)


def troubled(structure: Any, style: str) -> tuple[str, dict[str, Any]]:
    """Hang in C with a hydrogen, crash with helium, eat memory with lithium, raise with beryllium, ..."""
    elements = {element.symbol for element in structure.composition}
    if "H" in elements:
        ctypes.PyDLL(None).sleep(1000)  # PyDLL holds the interpreter's lock: no Python signal handler runs
    if "He" in elements:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "Li" in elements:
        eaten = [bytearray(2**30) for _ in range(8)]
        return str(len(eaten)), {}
    if "Be" in elements:
        raise KeyError("no such mineral at 0x7f0123456789")
    if "B" in elements:
        os._exit(7)
    if "C" in elements:
        raise DescriptionError("unknown_species", "Not chemical elements: C")
    return quick(structure, style)


def dies_once(structure: Any, style: str) -> tuple[str, dict[str, Any]]:
    """Killed from outside the first time it meets argon (the marker's folder comes from the environment)."""
    if structure.composition.elements[0].symbol == "Ar":
        marker = Path(os.environ["FAKE_MARKER"])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return quick(structure, style)
