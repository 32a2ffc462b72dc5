"""The floor under every model: the mean of the training targets, or the share of the positive class."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import write_json
from .protocol import Context, Declaration, Fitted, TaskData, Texts
from .protocol import Settings as BaseSettings

MODEL = Declaration(
    id="dummy",
    title="Training mean, or share of the positive class",
    kind="dummy",
    revision="1",
    modalities=("composition", "cif", "description"),
)
_FILE = "dummy.json"


class Settings(BaseSettings):
    """There is nothing to set."""


class TrainingMean(Fitted):
    """Answers one number whatever it is asked; it needs no text and so answers all."""

    parameters = 1

    def __init__(self, mean: float) -> None:
        """Take the mean of the training targets, which for 0 and 1 is the share of the positive class."""
        self.mean = mean
        self.facts = {"training_mean": mean}

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer the training mean for every text."""
        return np.full(len(texts), self.mean)

    def save(self, folder: Path) -> None:
        """Write the mean as JSON."""
        write_json(folder / _FILE, {"training_mean": self.mean})


def fit(data: TaskData, context: Context[Settings]) -> TrainingMean:
    """Take the mean of the training targets."""
    mean = float(np.mean(data.train.targets))
    context.progress("training mean", 1, 1)
    return TrainingMean(mean)


def load(folder: Path) -> TrainingMean:
    """Read a saved mean."""
    return TrainingMean(float(json.loads((folder / _FILE).read_text(encoding="utf-8"))["training_mean"]))
