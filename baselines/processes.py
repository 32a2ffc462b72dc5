"""One run in several processes, as `accelerate launch` or `torchrun` start them.

The first process opens the run, saves, predicts and finishes; the others only train along. One that fails takes the
others with it: the launcher ends them, and what the run's work folder holds is there for the next call.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ..errors import UsageError
from .registry import Baseline

PATIENCE = timedelta(hours=24)
"""How long a process waits for the others: tokenizing a million texts is the work of one."""


def count() -> int:
    """How many processes train together; 1 where nobody launched several."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def rank() -> int:
    """Which of them this is; 0 is the first."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def check_can(baseline: Baseline) -> None:
    """Refuse several processes for a model that trains in one.

    Raises:
        UsageError: It does.
    """
    if count() > 1 and not baseline.declaration.several_processes:
        raise UsageError(
            f"{baseline.id} trains in one process: leave out `accelerate launch`; many runs at a time: --ray ADDRESS"
        )


def share(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Give what the first process says to all of them; in a single process it is given back."""
    if count() == 1:
        return value
    import torch.distributed as together

    _start()
    box = [value]
    together.broadcast_object_list(box, src=0)
    return box[0]


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        import torch.distributed as together

        _start()
        together.barrier()


@contextmanager
def first_before_others() -> Iterator[None]:
    """The first process does what is inside, then the others do: they find it in the cache."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def leave() -> None:
    """Part; what is still to be done is done by the first alone."""
    if count() > 1:
        import torch.distributed as together

        if together.is_initialized():
            together.barrier()
            together.destroy_process_group()


def _start() -> None:
    import torch
    import torch.distributed as together

    if together.is_initialized():
        return
    devices = torch.cuda.is_available()
    if devices:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    together.init_process_group("cpu:gloo,cuda:nccl" if devices else "gloo", timeout=PATIENCE)
