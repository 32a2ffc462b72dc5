"""The records that a run of many descriptions passes around: settings, task, outcome, record."""

from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..style import Style
from .defaults import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT, DESCRIBER


class Status(StrEnum):
    """What became of one structure."""

    OK = "ok"
    DISORDERED = "disordered"
    BAD_CIF = "bad_cif"
    TIME_OUT = "time_out"
    OUT_OF_MEMORY = "out_of_memory"
    ROBOCRYS_ERROR = "robocrys_error"


class Settings(BaseModel):
    """Everything besides the input that decides what a run writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Style = "published"
    timeout: float = Field(default=DEFAULT_TIMEOUT, gt=0, description="seconds of wall time a structure may take")
    memory_mb: int = Field(default=DEFAULT_MEMORY_MB, ge=16, description="MiB a worker may add to what it began with")
    condensed: bool = True
    allow_formula_mismatch: bool = Field(default=False, description="describe atoms that do not make the CIF's formula")
    describer: str = Field(default=DESCRIBER, pattern=r"^[\w.]+:\w+$", description="module:function that is run")


class Task(NamedTuple):
    """One structure on its way to a worker."""

    row: int
    """Position in the input, from 0."""
    text: str
    """A CIF, or a pymatgen structure as JSON or as the text of a Python dict."""


class Outcome(BaseModel):
    """What a worker made of one task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    status: Status
    reason: str | None = None
    description: str | None = None
    condensed: str | None = None
    n_sites: int | None = None
    seconds: float = 0.0


class DescriptionRecord(BaseModel):
    """One structure's description, or why there is none.

    ``condensed`` is JSON text. ``reason`` says why there is no description, or what must be known of one (deuterium
    described as hydrogen, atoms that do not make the formula). ``seconds`` is the wall time in the worker; it is never
    part of a written file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    description: str | None
    condensed: str | None
    status: Status
    reason: str | None
    seconds: float
    n_sites: int | None
