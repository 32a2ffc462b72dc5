"""Training rows that nothing can be learnt from, refused before any work."""

import numpy as np

from ..dataset_builder.catalogue import Task
from ..errors import DataError
from .protocol import Split


def refuse_what_cannot_teach(train: Split, task: Task) -> None:
    """Refuse training rows that have one target alone.

    Raises:
        DataError: They have.
    """
    if len(np.unique(train.targets)) >= 2:
        return
    same = "of one class" if task.kind == "classification" else "equal"
    raise DataError(
        f"{task.name}: all {len(train)} training targets are {same}: there is nothing to learn from them; take another "
        "task or more rows (dummy answers such a task)"
    )
