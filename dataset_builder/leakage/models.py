"""What the search reports, and the limits by which it judges."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer


class Limits(BaseModel):
    """When an expression counts as a leak.

    A hit is a row whose target the expression gives to within ``relative_tolerance`` or to the precision that is
    printed. ``lift`` is the coverage corrected for chance, (coverage - control) / (1 - control).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(default=2000, ge=20, description="labelled rows looked at for each target")
    relative_tolerance: float = Field(default=1e-3, gt=0, lt=0.1)
    coverage: float = Field(default=0.95, gt=0.5, le=1)
    lift: float = Field(default=0.9, gt=0, le=1)
    near_r2: float = Field(default=0.95, gt=0, le=1, description="held-out R² from which a strong hint is reported")
    balanced_accuracy: float = Field(default=0.95, gt=0.5, le=1, description="for classes")
    p_value: float = Field(default=1e-4, gt=0, lt=1, description="for classes: Fisher's exact test on held-out rows")
    max_features: int = Field(default=48, ge=4, description="numbers of a text that go into the arithmetic")
    seed: int = 0


Verdict = Literal["copied", "derived", "near", "none", "untested"]


_FIGURES = (
    "coverage",
    "informative_coverage",
    "control",
    "median_relative_error",
    "r2",
    "mae",
    "mad_mae",
    "auc",
    "balanced_accuracy",
)


class Finding(BaseModel):
    """One target and one modality: the simplest expression that gives the target, or the best there is.

    ``copied``: the value stands in the text. ``derived``: arithmetic on at most three numbers of the text gives it.
    ``near``: no exact expression, but R² (classes: AUC) of the best one reaches the limit. ``untested``: too few
    labelled rows, or no number to be had from the text. All figures are of held-out rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    target: str
    modality: str
    kind: Literal["regression", "classification"]
    verdict: Verdict
    expression: str | None = None
    coverage: float | None = Field(default=None, description="fraction of rows that the expression hits")
    informative_coverage: float | None = Field(
        default=None, description="the same without the rows of one often repeated value"
    )
    control: float | None = Field(
        default=None,
        description="best fraction of hits on a shuffled target, by the same expression or the same search",
    )
    median_relative_error: float | None = None
    r2: float | None = None
    mae: float | None = None
    mad_mae: float | None = Field(default=None, description="mean absolute deviation over mean absolute error")
    auc: float | None = None
    balanced_accuracy: float | None = None
    others: tuple[str, ...] = Field(default=(), description="further expressions that reach the limits, at most five")
    rows_fitted: int = 0
    rows_held_out: int = 0
    features: int = Field(default=0, description="numbers and words of the text that were searched")
    features_left_out: int = Field(default=0, description="numbers of the text beyond max_features, searched singly")
    note: str | None = None

    @field_serializer(*_FIGURES)
    def _six_digits(self, value: float | None) -> float | None:
        """Round what is written down: the last digits differ from one processor to the next."""
        return None if value is None else float(f"{value:.6g}")

    @property
    def is_leak(self) -> bool:
        """The target is in the text, literally or by arithmetic."""
        return self.verdict in ("copied", "derived")

    @property
    def task(self) -> str:
        """``source/property``."""
        return f"{self.source}/{self.target}"


class LeakageReport(BaseModel):
    """All findings of a folder, and how they were come by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    limits: Limits
    rows: dict[str, int] = Field(description="rows of each source")
    rows_sampled: dict[str, int] = Field(description="rows of each source whose texts were read")
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> list[Finding]:
        """The targets that are in the text, literally or by arithmetic."""
        return [finding for finding in self.findings if finding.is_leak]

    @property
    def hints(self) -> list[Finding]:
        """The targets that the text nearly gives away."""
        return [finding for finding in self.findings if finding.verdict == "near"]
