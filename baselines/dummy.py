"""The floor under every model: the mean of the training targets, or the share of the positive class."""

from collections.abc import Sequence

import numpy as np

from ..dataset_builder.catalogue import Kind
from .models import Answers, Progress, Rows
from .models import Settings as BaseSettings


class Settings(BaseSettings):
    """There is nothing to set."""


def fit_and_predict(
    train: Rows,
    validation: Rows,  # noqa: ARG001 - there is nothing to tune
    test_texts: Sequence[str | None],
    kind: Kind,  # noqa: ARG001 - the mean of 0/1 targets is the share of the positive class
    settings: BaseSettings,  # noqa: ARG001
    seed: int,  # noqa: ARG001
    progress: Progress,
) -> Answers:
    """Answer the training mean for every test row; it needs no text and so answers all."""
    mean = float(np.mean(train.targets))
    progress(1.0, "training mean")
    return Answers(values=np.full(len(test_texts), mean), parameters=1, fitted={"training_mean": mean})
