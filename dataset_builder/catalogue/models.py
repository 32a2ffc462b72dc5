"""The declarations: what a source, a property and a task are. Extra keys are refused."""

import builtins
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Modality = Literal["composition", "cif", "description"]
MODALITIES: tuple[Modality, ...] = ("composition", "cif", "description")
Kind = Literal["regression", "classification"]
SPLITS = ("train", "validation", "test")


class Declaration(BaseModel):
    """Base of every declaration: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(Declaration):
    """Under which terms the data may be used.

    ``status`` says how it is known: ``verified`` (read at the primary source), ``reported`` (a third party's card),
    ``unverified`` (not known: ask the source before you redistribute).
    """

    name: str
    status: Literal["verified", "reported", "unverified"]
    commercial_use: bool | None = Field(description="None where it is not known")
    note: str | None = None


class Citation(Declaration):
    """The publication that a user of the data cites."""

    authors: str
    title: str
    journal: str
    year: int = Field(ge=1990, le=2100)
    doi: str = Field(pattern=r"^10\.\d{4,9}/\S+$")


class Download(Declaration):
    """Where the raw form comes from and how it is laid out; ``reader`` names the reader that understands it."""

    reader: Literal[
        "jarvis", "gnome", "cantor_hea", "materials_project", "omdb_official", "matminer_sdist", "cif_folder"
    ]
    url: str
    member: str | None = Field(default=None, description="name of the one JSON file inside the zip")
    id_column: str
    records: int | None = Field(default=None, gt=0, description="number of records in the raw dump")
    size_bytes: int | None = Field(default=None, gt=0)
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    access: Literal["open", "api_key", "registration"] = "open"
    columns: dict[str, str] = Field(default_factory=dict, description="published column: raw column, where they differ")


class SplitSizes(Declaration):
    """Number of rows in each split."""

    train: int = Field(gt=0)
    validation: int = Field(gt=0)
    test: int = Field(gt=0)

    @property
    def total(self) -> int:
        """Rows of all three splits."""
        return self.train + self.validation + self.test


class Published(Declaration):
    """What the publication says of a source; every build is checked against it."""

    cifs: int = Field(gt=0, description="CIF files in the raw source")
    rows: int = Field(gt=0, description="rows of the published CSVs")
    splits: SplitSizes
    protocol: Literal["nested", "own"] = Field(description="nested: 20 % held out, then halved")
    folder: str = Field(description="folder of the published CSVs")
    id_column: str | None = Field(description="None where it is not known: any one column named *_id is taken")
    formula_column: str

    @model_validator(mode="after")
    def splits_sum_to_rows(self) -> Self:
        """Refuse a declaration whose splits do not add up."""
        if self.splits.total != self.rows:
            raise ValueError(f"splits sum to {self.splits.total}, rows says {self.rows}")
        return self


class Classes(Declaration):
    """How the two classes of a property are spelt in the published CSVs."""

    negative: str
    positive: str
    dropped: tuple[str, ...] = Field(default=(), description="spellings that mean there is no label")


class PossibleRange(Declaration):
    """Values that a property can have at all, wide enough that what lies outside is a fault of the data."""

    minimum: float | None = None
    above: float | None = Field(default=None, description="like a minimum that is itself impossible")
    maximum: float | None = None

    @model_validator(mode="after")
    def one_lower_end(self) -> Self:
        """Refuse two lower ends, none at all, and ends in the wrong order."""
        if self.minimum is not None and self.above is not None:
            raise ValueError("give minimum or above, not both")
        low = self.above if self.minimum is None else self.minimum
        if low is None and self.maximum is None:
            raise ValueError("a range needs an end")
        if low is not None and self.maximum is not None and low >= self.maximum:
            raise ValueError("the lower end must lie below the maximum")
        return self

    def __str__(self) -> str:
        low = f"above {self.above:g}" if self.above is not None else None
        low = f"at least {self.minimum:g}" if self.minimum is not None else low
        high = f"at most {self.maximum:g}" if self.maximum is not None else None
        return ", ".join(end for end in (low, high) if end)


class Property(Declaration):
    """One measured or computed property: one column of a source."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_\-]*$", description="as in task names and dataset columns")
    title: str
    unit: str | None = Field(description="None for a dimensionless quantity or a class")
    kind: Kind
    samples: int = Field(gt=0, description="labelled rows; published in thousands with one decimal")
    published_column: str
    published_label: str | None = Field(default=None, description="as in the published result tables")
    classes: Classes | None = None
    possible: PossibleRange | None = Field(default=None, description="None where any number is possible, or a class")
    unit_status: Literal["verified", "reported", "unverified"] = "verified"
    note: str | None = None

    @model_validator(mode="after")
    def classes_only_where_they_belong(self) -> Self:
        """A class property names its classes; a number has none."""
        if (self.kind == "classification") != (self.classes is not None):
            raise ValueError(f"{self.name}: classes belong to classification properties, and only to them")
        if self.possible is not None and self.kind == "classification":
            raise ValueError(f"{self.name}: a possible range belongs to a number, not to a class")
        return self


class Source(Declaration):
    """One database: what it holds, whose it is, and where it comes from."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str
    revision: int = Field(ge=1, description="raised when this declaration changes meaning")
    aliases: tuple[str, ...] = ()
    benchmark: bool = Field(default=True, description="False for data that is no part of the published benchmark")
    homepage: str = Field(pattern="^https://")
    licence: Licence
    citation: Citation
    download: Download
    published: Published
    properties: tuple[Property, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def names_are_unique(self) -> Self:
        """Refuse a source that declares one property twice."""
        names = [prop.name for prop in self.properties]
        if len(set(names)) != len(names):
            raise ValueError(f"source {self.id} declares a property twice")
        return self

    @cached_property
    def tasks(self) -> tuple["Task", ...]:
        """One task for each property, in the order of the declaration."""
        return tuple(Task(source=self, property=prop) for prop in self.properties)


class StatedWords(Declaration):
    """A number of words as the publication gives it, and to what it was rounded."""

    words: int = Field(gt=0)
    rounded_to: int = Field(gt=0)


class Benchmark(Declaration):
    """What the publication states of the benchmark as a whole."""

    title: str
    citation: Citation
    stated_rows: int
    stated_rows_note: str
    stated_words: dict[Modality, StatedWords]
    stated_words_note: str


class Task(Declaration):
    """A source and one of its properties: what a model is asked to predict."""

    source: Source
    property: Property

    @builtins.property
    def name(self) -> str:
        """``source/property``, for example ``mp/band_gap``."""
        return f"{self.source.id}/{self.property.name}"

    @builtins.property
    def kind(self) -> Kind:
        """``regression`` or ``classification``."""
        return self.property.kind

    @builtins.property
    def unit(self) -> str | None:
        """Unit of the target, None where it has none."""
        return self.property.unit

    def __str__(self) -> str:
        return self.name
