"""Any text encoder of transformers: BERT, MiniLM, ModernBERT, SciBERT, T5, ..."""

from typing import TYPE_CHECKING

from pydantic import Field

from ...errors import UsageError
from ..protocol import Context, TaskData
from .fine_tune import declare, fine_tune
from .fine_tune import load as load  # noqa: PLC0414 - part of this model
from .fine_tune import places as places  # noqa: PLC0414 - part of this model
from .fine_tune import resolve as resolve_checkpoint
from .settings import TextSettings

if TYPE_CHECKING:
    from .fitted import FittedText

MODEL = declare("encoder", "Any text encoder, fine-tuned")


class Settings(TextSettings):
    """Mean over tokens, and the usual fine-tuning rates."""

    model_id: str = Field(default="", description="folder of a checkpoint, or a model repo on the Hub (needed)")
    bond_lengths: bool = Field(default=False, description="in descriptions, lengths become [NUM]")
    bond_angles: bool = Field(default=False, description="in descriptions, angles become [ANG]")
    stop_words: str = Field(default="none", description="in descriptions, words left out: own, none, or a file")
    max_length: int = Field(default=512, ge=8, description="tokens; what is longer is cut, and counted")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the head")
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0, description="highest of the one-cycle schedule")


def resolve(settings: Settings) -> TextSettings:
    """Name the checkpoint for good.

    Raises:
        UsageError: None was given.
    """
    if not settings.model_id:
        raise UsageError("encoder needs a model: --model-id FOLDER_OR_REPO")
    return resolve_checkpoint(settings)


def fit(data: TaskData, context: Context[Settings]) -> "FittedText":
    """Fine-tune."""
    return fine_tune(data, context)  # type: ignore[no-any-return]
