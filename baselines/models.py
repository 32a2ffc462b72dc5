"""What a baseline is: a declaration, settings, and one function that fits and predicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..dataset_builder.catalogue import Kind, Modality
from ..errors import UsageError, unknown_name

Progress = Callable[[float, str], None]
"""Called with the share that is done (0 to 1) and a few words on what is going on."""


class Settings(BaseModel):
    """Base of every baseline's settings: immutable, and a misspelt one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Rows:
    """Some rows of a task: one text (None where it is missing) and one target each."""

    texts: Sequence[str | None]
    targets: NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What a fitted baseline says of the test rows.

    Attributes:
        values: Predictions in the unit of the task, or probabilities of the positive class; NaN where there is none.
        parameters: Number of fitted parameters, where that is a meaningful number.
        fitted: Facts on the fit worth keeping in the record, for example the number of trees.
    """

    values: NDArray[np.float64]
    parameters: int | None
    fitted: dict[str, float | int | str]


FitAndPredict = Callable[[Rows, Rows, Sequence[str | None], Kind, Settings, int, Progress], Answers]
"""Train rows, validation rows, test texts, kind of task, settings, seed, progress."""


@dataclass(frozen=True)
class Baseline:
    """One model of this room.

    Attributes:
        id: Name on the command line and in records.
        title: A few words for people.
        kind: As in the result record.
        revision: Raised when the same settings would give other predictions.
        modalities: What it can read.
        module: Where ``Settings`` and ``fit_and_predict`` live; imported when used.
        libraries: Distributions that decide its answers; their versions are recorded.
    """

    id: str
    title: str
    kind: Literal["dummy", "classical", "finetuned", "gnn"]
    revision: str
    modalities: tuple[Modality, ...]
    module: str
    libraries: tuple[str, ...] = ()

    @property
    def settings_model(self) -> type[Settings]:
        """The pydantic model of its settings."""
        found: type[Settings] = import_module(self.module, __package__).Settings
        return found

    @property
    def fit_and_predict(self) -> FitAndPredict:
        """The function that does the work."""
        found: FitAndPredict = import_module(self.module, __package__).fit_and_predict
        return found


BASELINES = {
    baseline.id: baseline
    for baseline in (
        Baseline(
            id="dummy",
            title="Training mean, or share of the positive class",
            kind="dummy",
            revision="1",
            modalities=("composition", "cif", "description"),
            module=".dummy",
        ),
        Baseline(
            id="composition_gbm",
            title="Gradient boosting on statistics of the elements",
            kind="classical",
            revision="1",
            modalities=("composition",),
            module=".composition_gbm",
            libraries=("lightgbm", "pymatgen"),
        ),
    )
}


def get_baseline(name: str) -> Baseline:
    """Return the baseline of that name.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    if name not in BASELINES:
        raise unknown_name("model", name, BASELINES)
    return BASELINES[name]


def check_reads(baseline: Baseline, modality: Modality) -> None:
    """Refuse a modality that a baseline cannot read.

    Raises:
        UsageError: With the modalities that it can.
    """
    if modality not in baseline.modalities:
        raise UsageError(f"{baseline.id} reads {', '.join(baseline.modalities)}, not {modality}")
