"""How many processors this process may use."""

import os


def available_processors() -> int:
    """Count them: those of the machine, or fewer where the system allows this process only some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
