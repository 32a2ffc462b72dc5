"""MatBERT: a BERT of materials science, its pooled output, its own tokenizer.

Trewartha et al. 2022, doi:10.1016/j.patter.2022.100488. The published benchmark code gave it LLM-Prop's tokenizer by
default; here a model has its own.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..protocol import Context, Declaration, TaskData
from .fine_tune import fine_tune
from .fine_tune import resolve as resolve  # noqa: PLC0414 - part of this model
from .settings import TextSettings

if TYPE_CHECKING:
    from .fitted import FittedText

MODEL = Declaration(
    id="matbert",
    title="MatBERT: BERT of materials science, fine-tuned",
    kind="finetuned",
    revision="1",
    modalities=("composition", "cif", "description"),
    extra="finetune",
    pretraining_overlap="unknown",
    libraries=("torch", "transformers", "accelerate", "safetensors", "tokenizers"),
)


class Settings(TextSettings):
    """BERT with its pooler."""

    model_id: str = Field(default="matbert-base-uncased", description="folder of MatBERT, or any BERT")
    pooling: Literal["pooler", "cls", "mean"] = Field(default="pooler", description="the pooler, as published")
    max_length: int = Field(default=512, ge=8, description="tokens; what is longer is cut, and counted")


def fit(data: TaskData, context: Context[Settings]) -> "FittedText":
    """Fine-tune."""
    return fine_tune(data, context)  # type: ignore[no-any-return]


def load(folder: Path) -> "FittedText":
    """Read a saved model."""
    from .fitted import load_fitted

    return load_fitted(folder)
