"""The learning curve of a fine-tuned model as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def draw_learning_curve(
    history: Sequence[dict[str, Any]], path: Path, *, classes: bool, squared: bool = False, error: str | None = None
) -> None:
    """Draw training loss and validation error over the epochs.

    Args:
        history: What the trainer logged: entries with ``epoch`` and ``loss`` or ``eval_error``.
        path: A PNG.
        classes: Whether the validation error is 1 - AUC or a mean absolute error.
        squared: Whether the training loss of values is the squared error.
        error: What the validation error is, where it is neither.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    loss = figure.subplots()
    trained = [(one["epoch"], one["loss"]) for one in history if "loss" in one]
    checked = [(one["epoch"], one["eval_error"]) for one in history if "eval_error" in one]
    loss.plot(*zip(*trained, strict=True), color="tab:blue") if trained else None
    loss.set_xlabel("epoch")
    words = "cross entropy" if classes else f"{'squared' if squared else 'absolute'} error, z-scores"
    loss.set_ylabel(f"training loss ({words})", color="tab:blue")
    right = loss.twinx()
    right.plot(*zip(*checked, strict=True), color="tab:orange", marker=".") if checked else None
    words = error or ("1 - AUC" if classes else "MAE in the unit of the task")
    right.set_ylabel(f"validation {words}", color="tab:orange")
    figure.savefig(path, dpi=120, metadata={"Software": None})
