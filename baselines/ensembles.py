"""Several trained models asked as one: the mean of their answers, and how far they are apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LLM4MatError, UsageError
from ..metrics.results.record import RESULT_FILE, read_record
from .artifacts import MANIFEST, MODEL_FOLDER, TrainedModel
from .protocol import Fitted, Texts


class MeanOf(Fitted):
    """The mean of several models; NaN where one of them has no answer."""

    def __init__(self, members: Sequence[Fitted]) -> None:
        """Take the members."""
        self.members = tuple(members)
        counts = [one.parameters for one in members]
        self.parameters = None if None in counts else sum(count or 0 for count in counts)

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """The mean of the answers, shape ``(n,)``."""
        found: NDArray[np.float64] = self.predict_each(texts).mean(axis=0)
        return found

    def predict_each(self, texts: Texts) -> NDArray[np.float64]:
        """The answers of each, shape ``(members, n)``."""
        return np.stack([member.predict(texts) for member in self.members])

    def reason(self, text: str) -> str | None:
        """Why one of them has no answer."""
        return next((why for member in self.members if (why := member.reason(text)) is not None), None)

    def save(self, folder: Path) -> None:
        """Nothing is saved: its members are.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{folder}: several models are saved one by one")


def holds_model(folder: Path) -> bool:
    """Whether a folder is that of a run with its model, or a model's own."""
    return (folder / MODEL_FOLDER / MANIFEST).is_file() or (folder / MANIFEST).is_file()


def model_folders(folder: Path) -> list[Path]:
    """The trained models that a folder stands for: itself, or the whole runs in it.

    Controls, trials and runs on fewer rows in it are passed over.
    """
    if holds_model(folder) or not folder.is_dir():
        return [folder]
    inside = [one for one in sorted(folder.iterdir()) if not one.name.startswith(".") and holds_model(one)]
    return [one for one in inside if _whole(one)] or [folder]


def as_one(models: Sequence[TrainedModel], folder: Path | None = None) -> TrainedModel:
    """Put models of one task together; a single one is given back as it is.

    Args:
        models: At least one.
        folder: The folder that they were found in, where nobody named them one by one: they must then differ in their
            seeds alone.

    Raises:
        UsageError: They answer different questions, or are not the seeds of one model.
    """
    first = models[0]
    for other in models[1:]:
        for name in ("task", "modality", "unit", "score_kind"):
            if getattr(first.manifest, name) != getattr(other.manifest, name):
                raise UsageError(
                    f"{first.folder} and {other.folder} cannot be asked as one: {name} "
                    f"{getattr(first.manifest, name)} and {getattr(other.manifest, name)}"
                )
    manifests = [one.manifest for one in models]
    kinds = {f"{one.model} {sorted({**one.settings, **one.places}.items())}" for one in manifests}
    if folder is not None and len(kinds) > 1:
        names = ", ".join(sorted({one.manifest.model for one in models}))
        raise UsageError(
            f"{folder}: its {len(models)} runs are not seeds of one model ({names}, or settings differ): name the runs "
            "that belong together"
        )
    if len({one.manifest.run_id for one in models}) < len(models):
        raise UsageError("the same model is named twice")
    if len(models) == 1:
        return first
    return TrainedModel(first.manifest, first.folder, MeanOf([one.fitted for one in models]))


def _whole(folder: Path) -> bool:
    try:
        return not (folder / RESULT_FILE).is_file() or read_record(folder / RESULT_FILE).full
    except LLM4MatError:
        return False
