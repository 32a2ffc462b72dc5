"""LLM-Prop: the encoder of a T5 with a ``[CLS]`` token of its own, on preprocessed descriptions.

Rubungo et al. 2025, doi:10.1038/s41524-025-01536-2; settings as in LLM4Mat-Bench, doi:10.1088/2632-2153/add3bb.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..protocol import Context, TaskData
from .fine_tune import declare, fine_tune
from .fine_tune import load as load  # noqa: PLC0414 - part of this model
from .fine_tune import places as places  # noqa: PLC0414 - part of this model
from .fine_tune import resolve as resolve  # noqa: PLC0414 - part of this model
from .settings import TextSettings

if TYPE_CHECKING:
    from .fitted import FittedText

MODEL = declare("llmprop", "LLM-Prop: T5 encoder, fine-tuned")


class Settings(TextSettings):
    """T5 encoder with a first token of its own, or the mean over tokens."""

    model_id: str = Field(default="google/t5-v1_1-small", description="any T5: a folder, or a model repo on the Hub")
    pooling: Literal["cls", "mean"] = Field(default="cls", description="[CLS] as published, or mean over real tokens")


def fit(data: TaskData, context: Context[Settings]) -> "FittedText":
    """Fine-tune."""
    # T5 has no token for a whole text, so one is put before it.
    first_token = "[CLS] " if context.settings.pooling == "cls" else ""
    return fine_tune(data, context, first_token, families=("t5", "mt5", "umt5"))  # type: ignore[no-any-return]
