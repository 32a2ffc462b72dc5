"""What a model of this room is.

A module that holds these four is a model; nothing else has to be touched:

- ``MODEL``: a `Declaration`: name, what it reads, what it needs;
- ``Settings``: a pydantic model, every field with a default;
- ``fit(data, context)``: learns from `TaskData`, in a `Context`, and returns something `Fitted`;
- ``load(folder)``: gives back what ``Fitted.save(folder)`` wrote.

It may also have

- ``resolve(settings)``: settings made exact before the run is named, such as the commit of a checkpoint;
- ``for_task(settings, task)``: the same where it hangs on the task; it may refuse a task that the settings do not fit;
- ``places(settings)``: which settings are paths, with the SHA-256 of what lies there: a run is the same wherever it is;
- ``pretraining_overlap(settings, task)``: in place of the one that ``MODEL`` declares, where it hangs on these.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..dataset_builder.catalogue import Kind, Modality, Task
from ..progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

ModelKind = Literal["dummy", "classical", "finetuned", "gnn"]
PretrainingOverlap = Literal["none", "known", "unknown"]

BATCH_ROWS = 1000
"""How many texts are held at a time where nobody asks for another number; a thousand descriptions are 10 MB."""


class Declaration(BaseModel):
    """Who a model is. Command line, result record and install hints read it from here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name on the command line and in records")
    title: str = Field(description="a few words for people")
    kind: ModelKind = Field(description="as in the result record")
    revision: str = Field(description="raised when the same settings would give other predictions")
    modalities: tuple[Modality, ...] = Field(min_length=1, description="what it can read")
    kinds: tuple[Kind, ...] = Field(default=("regression", "classification"), description="tasks it can learn")
    extra: str | None = Field(default=None, description="extra of its package that brings its libraries")
    libraries: tuple[str, ...] = Field(
        default=(), description="distributions it cannot do without; their versions go into the record"
    )
    pretraining_overlap: PretrainingOverlap = Field(
        default="none", description="whether what it was pretrained on holds test rows; goes into the record"
    )
    steps: str | None = Field(
        default=None,
        description="what a fit reports its progress in, where each of many steps (trees) goes over all rows and it "
        "may stop before the last; `plan` times one and foretells their number",
    )
    several_processes: bool = Field(
        default=False, description="`fit` may run in several processes at a time, as `accelerate launch` starts them"
    )
    score_kind: Literal["probability", "logit"] = Field(
        default="probability", description="what `predict` gives in classification"
    )


class Settings(BaseModel):
    """Base of every model's settings: immutable, and a misspelt one is an error.

    Attributes:
        change_no_answer: Names of settings that any value may have without an answer changing, such as how often a
            checkpoint is written. They are no part of what a run is.
        came_later: Names of settings that earlier versions of the package lack. At their defaults they are left out, so
            that a run keeps its id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    change_no_answer: ClassVar[tuple[str, ...]] = ()
    came_later: ClassVar[tuple[str, ...]] = ()

    def that_answer(self) -> dict[str, JsonValue]:
        """All settings as a run is named by them: those that change no answer as if nothing had been said of them."""
        found = {**self.model_dump(mode="json"), **self._defaults(self.change_no_answer)}
        later = self._defaults(self.came_later)
        return {name: value for name, value in found.items() if name not in later or value != later[name]}

    def beside(self) -> dict[str, JsonValue]:
        """Those that change no answer, where they are not at their defaults."""
        given = self.model_dump(mode="json")
        defaults = self._defaults(self.change_no_answer)
        return {name: given[name] for name, default in defaults.items() if given[name] != default}

    def _defaults(self, names: Iterable[str]) -> dict[str, JsonValue]:
        return {name: type(self).model_fields[name].get_default() for name in names}


class Texts(Sequence[str | None]):
    """Texts of rows, read when they are asked for; None where one is missing.

    Go through them with `batches`, or as one goes through a list; slicing gives `Texts` again and reads nothing.
    """

    def __init__(self, texts: "Sequence[str | None] | Dataset", column: str = "text") -> None:
        """Take a column of a memory-mapped dataset, or any sequence of texts."""
        listed = isinstance(texts, Sequence)
        self._listed: Sequence[str | None] = texts if listed else ()
        self._rows: Dataset | None = None if listed else texts
        self._column = column

    def __len__(self) -> int:
        return len(self._listed if self._rows is None else self._rows)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> "Texts": ...
    def __getitem__(self, index: int | slice) -> "str | Texts | None":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        at = range(len(self))[index]  # counts from the end where negative, IndexError beyond
        found: str | None = self._read(at, at + 1)[0].as_py()
        return found

    def __iter__(self) -> Iterator[str | None]:
        for batch in self.batches():
            yield from batch.to_pylist()

    def batches(self, rows: int = BATCH_ROWS) -> "Iterator[pa.Array]":
        """Yield the texts in their order as Arrow arrays of at most so many rows; one is held at a time."""
        for start in range(0, len(self), rows):
            yield self._read(start, min(start + rows, len(self)))

    def take(self, order: NDArray[np.int64]) -> "Texts":
        """The texts at these places, in this order; nothing is read."""
        if self._rows is not None:
            return Texts(self._rows.select(order), self._column)
        return Texts([self._listed[int(at)] for at in order])

    def _read(self, start: int, end: int) -> "pa.Array":
        import pyarrow as pa

        if self._rows is None:
            return pa.array(self._listed[start:end], pa.string())
        column = self._rows.with_format("arrow")[start:end][self._column]
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


@dataclass(frozen=True)
class Split:
    """Rows of one split of a task, on disk.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        rows: Columns ``material_id``, ``text`` and ``target``, memory-mapped.
    """

    name: str
    rows: "Dataset"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def texts(self) -> Texts:
        """The texts, read when asked for."""
        return Texts(self.rows)

    @property
    def material_ids(self) -> "pa.ChunkedArray":
        """Ids of the rows."""
        return self._column("material_id")

    @cached_property
    def targets(self) -> NDArray[np.float64]:
        """Shape ``(n,)``, in the unit of the task; classes are 0 and 1."""
        return np.asarray(self._column("target").to_numpy(), dtype=np.float64)

    def _column(self, name: str) -> "pa.ChunkedArray":
        return self.rows.select_columns([name]).with_format("arrow")[:][name]


@dataclass(frozen=True)
class TaskData:
    """What a model may learn from. The test rows are not among it."""

    task: Task
    modality: Modality
    train: Split
    validation: Split


SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass(frozen=True)
class Context(Generic[SettingsT]):
    """What a fit is given beside its data.

    Attributes:
        settings: The model's settings.
        seed: Everything random comes from it.
        work: A folder of this run alone. It survives a kill, so that checkpoints left there are found when the same
            command runs again; it is removed when the run is finished.
        progress: Called as the work goes on.
        threads: How many threads may be at work.
    """

    settings: SettingsT
    seed: int
    work: Path
    progress: Progress = field(default=silent)
    threads: int = 1


@dataclass(frozen=True)
class Answers:
    """What a model answered.

    Attributes:
        values: As `Fitted.predict` gives them, shape ``(n,)``.
        columns: What else the predictions file shall keep of each answer, such as ``raw_output``.
    """

    values: NDArray[np.float64]
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


class Fitted(ABC):
    """A model that has learnt.

    Attributes:
        parameters: Number of fitted parameters, None where that is no meaningful number.
        facts: Facts on the fit worth keeping in the record, for example the number of trees.
        progress: Told how `predict` goes on, where that takes long; a run sets it.
    """

    parameters: int | None = None
    facts: Mapping[str, JsonValue] = {}
    progress: Progress = staticmethod(silent)

    @abstractmethod
    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer for each text, whatever the others are.

        Returns:
            Shape ``(n,)``: values in the unit of the task, or scores of the positive class; NaN where there is no
            answer.
        """

    def answer(self, texts: Texts) -> Answers:
        """Answer the test rows of a run: `predict`, and what there is to keep beside it.

        Of a model that writes, ``raw_output`` and ``parse_status`` (``missing`` where there was nothing to answer): an
        answer in which no value could be read is invalid, not missing.
        """
        return Answers(self.predict(texts))

    def reason(self, text: str) -> str | None:  # noqa: ARG002
        """Say in a few words why this text gets no answer; None where the model cannot say."""
        return None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that `predict` needs into an empty folder; no pickle.

        A run predicts with what ``load`` gives back from there, so nothing may be missing.
        """


Fit = Callable[[TaskData, Context[Settings]], Fitted]
Load = Callable[[Path], Fitted]
