"""What a user of ``build`` chooses."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..crystals.cif_fields import CifPolicy
from ..splits import DEFAULT_SEED


class BuildOptions(BaseModel):
    """Options of a build; those that change no byte (workers, Ray) as well as those that do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strict: bool = False
    allow_partial: bool = False
    cif_policy: CifPolicy = "keep"
    manifest: Path | None = None
    seed: int = DEFAULT_SEED
    match_structures: bool = False
    workers: int = 1
    ray_address: str | None = None
