"""What a report says of one run, as data."""

from pydantic import BaseModel, ConfigDict, Field

from ...dataset_builder.catalogue import Kind, Modality


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counted(_Part):
    """How many of something, and what share that is."""

    name: str
    count: int
    share: float


class TokenBin(_Part):
    """Questions with like numbers of tokens in their prompts."""

    low: int
    high: int
    rows: int
    valid: int
    statuses: dict[str, int]
    error: float | None = Field(description="mean absolute error of the valid answers; of classes the share of wrong")


class CommonAnswer(_Part):
    """One answer, how often it was given, and how often it is true."""

    answer: str
    count: int
    share: float = Field(description="of the valid answers")
    true_share: float = Field(description="of the targets that have this value, rounded as the answer is")


class Copies(_Part):
    """Answers that are the value of one of the shots that stood before the question."""

    count: int
    share: float = Field(description="of the valid answers")
    by_chance: float = Field(description="share of the targets that are, as shots show them, the value of a shot")
    answers: int = Field(description="valid answers whose shots are known")


class Outside(_Part):
    """Answers outside the range of the training targets."""

    low: float
    high: float
    below: int
    above: int
    share: float = Field(description="of the valid answers")


class Comparison(_Part):
    """The same questions asked otherwise: a control beside the run."""

    control: str
    run_id: str
    own: float | None = Field(description="headline of the run")
    other: float | None = Field(description="headline of the control")
    own_interval: tuple[float | None, float | None] | None
    same_answers: float | None = Field(description="share of the rows answered in both that got the same answer")


class Example(_Part):
    """One answer as it came; ``raw`` is cut."""

    material_id: str
    target: str
    answer: str | None
    status: str
    raw: str
    cut: bool


class Findings(_Part):
    """What was found in one run."""

    run_id: str
    folder: str
    task: str
    kind: Kind
    unit: str | None
    modality: Modality
    model: str
    engine: str | None
    template: str | None
    shots: int
    control: str
    limit: int | None
    data_at_hand: bool
    rows: int
    asked: int
    valid: int
    valid_share: float
    different: int = Field(description="different values among the valid answers")
    headline_name: str
    headline: str
    headline_interval: str
    statuses: tuple[Counted, ...]
    tokens: tuple[TokenBin, ...]
    common: tuple[CommonAnswer, ...]
    unread: tuple[Counted, ...] = Field(description="the most common answers that could not be read")
    copies: Copies | None
    outside: Outside | None
    comparisons: tuple[Comparison, ...]
    memory: tuple[str, ...] = Field(default=(), description="what probes found that the model knows by heart")
    facts: dict[str, int] = Field(description="what was cut from prompts")
    examples: dict[str, tuple[Example, ...]]
    faults: tuple[str, ...] = Field(description="why the run does not verify")
    sentences: tuple[str, ...] = Field(description="the same in plain words, the worst first")
