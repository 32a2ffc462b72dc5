"""What the page is made from: rows and their cells."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from ...dataset_builder.catalogue import Kind
from ..results.record import PretrainingOverlap


class Part(BaseModel):
    """Base of what the page is made from."""

    model_config = ConfigDict(frozen=True)


class Proof(Part):
    """Where a number is from: one run, its record and its predictions by their hashes."""

    run_id: str
    seed: int
    record_sha256: str
    predictions_sha256: str
    started_at: str


class Unseen(Part):
    """The score without test rows that are duplicates of training rows."""

    value: float | None
    text: str
    n: int
    left_out: int


class Cell(Part):
    """The score of one model on one task.

    Attributes:
        value: The score, None where there is none.
        perfect: Every answer is exact: better than any number.
        text: What to show.
        interval: The 95 % interval of a single run, or the deviation over seeds.
        spread: Which of the two ``low`` and ``high`` are.
        low: Lower end of the interval or of mean ± deviation.
        high: Upper end.
        published: The score by the published protocol.
        published_value: The same as a number.
        coverage: Share of the test set that was answered; None where the publication does not say.
        hard_labels: The score ranks hard labels, which is no AUC of probabilities.
        runs: Run ids, one a seed.
        note: What a reader must know, if anything.
        error: What the answers are off, in the unit of the task; the balanced accuracy of classes.
        partial: A mean that lacks tasks, over those that are there.
        partial_perfect: Such a mean with exact answers to one of them: beyond any number.
        unseen: Without duplicates of training rows; None where the data's texts were not at hand.
        seconds: Wall time of all seeds together.
        tokens: Read and written by all seeds together, where a record says it.
        proofs: One a run.
        place: Rank among those that are ranked; equal scores share one.
        best: The best of its column.
        tied: Not the best, but not to be told from it by these test materials.
    """

    value: float | None
    perfect: bool = False
    text: str
    interval: str
    spread: Literal["none", "interval", "seeds"] = "none"
    low: float | None
    high: float | None
    published: str
    published_value: float | None = None
    coverage: float | None
    hard_labels: bool
    runs: tuple[str, ...]
    note: str | None = None
    error: str = ""
    partial: float | None = None
    partial_perfect: bool = False
    unseen: Unseen | None = None
    seconds: float | None = None
    tokens: int | None = None
    proofs: tuple[Proof, ...] = ()
    place: int | None = None
    best: bool = False
    tied: bool = False

    @property
    def scored(self) -> bool:
        """Whether there is a score; a mean has one where all its tasks have."""
        return self.perfect or self.value is not None

    @property
    def rank(self) -> float:
        """What to sort by, best first; no score sorts last."""
        if self.perfect:
            return math.inf
        return -math.inf if self.value is None else self.value

    @property
    def partial_rank(self) -> float | None:
        """As ``rank``, of a mean that lacks tasks."""
        return math.inf if self.partial_perfect else self.partial


class Entry(Part):
    """One row: a model with its settings, reading one modality.

    ``origin`` says where its numbers are from: ``recomputed`` here from predictions, or ``published``, as printed;
    ``data_checked`` whether they were compared with the data; ``apart`` why the row is not ranked, empty where it is;
    ``line`` is equal for rows of several sources that are one model with one setting; ``protocol`` is what was set.
    ``pretraining_overlap`` whether the model's weights had seen test materials before, as its author says.
    """

    id: str
    line: str = ""
    model: str
    model_revision: str
    model_kind: str
    modality: str
    parameters: int | None
    settings: str
    protocol: dict[str, JsonValue] = {}
    dataset: str
    data_checked: bool = True
    pretraining_overlap: PretrainingOverlap = "unknown"
    apart: tuple[str, ...] = ()
    origin: Literal["recomputed", "published"] = "recomputed"
    cells: dict[str, Cell]
    means: dict[Kind, Cell]
