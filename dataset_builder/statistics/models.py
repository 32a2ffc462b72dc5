"""What is counted. Figures that are no counts are rounded to ten digits, so that the same data gives the same bytes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Figure = Annotated[float, AfterValidator(lambda value: float(f"{value:.10g}"))]
"""A float, rounded to ten significant digits."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lengths(_Record):
    """How long the texts are, in words or in tokens; texts that are missing are not counted."""

    total: int
    mean: Figure
    least: int
    median: Figure
    p95: Figure
    p99: Figure
    greatest: int


class TextStatistics(_Record):
    """One modality in one split."""

    texts: int
    missing: int = Field(description="null or empty")
    bytes: int = Field(description="in UTF-8")
    words: Lengths | None = Field(description="separated by white space; None where there is no text")
    word_pieces: Lengths | None = Field(description="runs of letters and digits, and single other characters")
    tokens: Lengths | None = Field(description="subword tokens without special ones; None where none was asked for")


class Distribution(_Record):
    """A regression target in one split. ``mad`` is the mean absolute deviation from the mean, ``std`` of the whole."""

    count: int
    missing: int
    not_finite: int = Field(description="infinities and NaN that are no null, left out of all that follows")
    least: Figure | None = None
    greatest: Figure | None = None
    mean: Figure | None = None
    std: Figure | None = None
    mad: Figure | None = None
    zeros: int = 0
    quantiles: dict[str, Figure] = Field(default_factory=dict, description="linear interpolation, as numpy's default")


class Histogram(_Record):
    """Counts of equal bins over the middle 99 % of all splits; the rest is in ``below`` and ``above``."""

    edges: tuple[Figure, ...]
    counts: dict[str, tuple[int, ...]] = Field(description="by split")
    below: dict[str, int]
    above: dict[str, int]


class RegressionTarget(_Record):
    """A property that is a number."""

    kind: Literal["regression"] = "regression"
    name: str
    unit: str | None
    splits: dict[str, Distribution]
    all: Distribution
    histogram: Histogram | None


class ClassTarget(_Record):
    """A property that is a class: rows by name of the class, ``missing`` apart."""

    kind: Literal["classification"] = "classification"
    name: str
    splits: dict[str, dict[str, int]]
    missing: dict[str, int]


class SourceStatistics(_Record):
    """One source."""

    source: str
    rows: dict[str, int]
    texts: dict[str, dict[str, TextStatistics]] = Field(description="by modality, by split")
    targets: tuple[RegressionTarget | ClassTarget, ...]
    not_counted: tuple[str, ...] = Field(default=(), description="columns that are neither numbers nor classes")


class Comparison(_Record):
    """A published number beside the one that was found; ``agrees`` allows for the rounding of the published one."""

    what: str
    published: int
    found: int
    agrees: bool
    note: str | None = None


class StatisticsReport(_Record):
    """The whole folder."""

    schema_version: int = 1
    tokenizer: str | None
    tokenizer_sha256: str | None = Field(description="of its vocabulary and settings, where it is a single file")
    sources: tuple[SourceStatistics, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
