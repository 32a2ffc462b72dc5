"""MatBERT: a BERT of materials science, its pooled output, its own tokenizer.

Trewartha et al. 2022, doi:10.1016/j.patter.2022.100488. The published benchmark code gave it LLM-Prop's tokenizer by
default; here a model has its own.
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

MODEL = declare("matbert", "MatBERT: BERT of materials science, fine-tuned")


class Settings(TextSettings):
    """BERT with its pooler."""

    model_id: str = Field(default="matbert-base-uncased", description="folder of MatBERT, or any BERT")
    pooling: Literal["pooler", "cls", "mean"] = Field(default="pooler", description="the pooler, as published")
    max_length: int = Field(default=512, ge=8, description="tokens; what is longer is cut, and counted")


def fit(data: TaskData, context: Context[Settings]) -> "FittedText":
    """Fine-tune."""
    return fine_tune(data, context, families=("bert",))  # type: ignore[no-any-return]
