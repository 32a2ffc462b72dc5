"""What can be set for every fine-tuned encoder."""

from typing import ClassVar, Literal

from pydantic import Field

from ..protocol import Settings


class TextSettings(Settings):
    """How an encoder is fine-tuned; the defaults are those of the published code where it has them."""

    came_later: ClassVar[tuple[str, ...]] = ("tokenizer_revision",)
    change_no_answer: ClassVar[tuple[str, ...]] = ("checkpoint_steps", "report_to")

    model_id: str = Field(description="folder of a checkpoint, or a model repo on the Hub")
    model_revision: str | None = Field(
        default=None, description="commit of the repo, or SHA-256 of a folder's weights; found out where left out"
    )
    tokenizer: str | None = Field(default=None, description="folder or repo of another tokenizer than the model's own")
    tokenizer_revision: str | None = Field(
        default=None, description="commit of the other tokenizer's repo; found out where left out"
    )
    pooling: Literal["cls", "mean", "pooler", "last"] = Field(
        default="mean", description="first token, mean over the text's own tokens, the model's pooler, or last token"
    )
    bond_lengths: bool = Field(default=True, description="in descriptions, lengths become [NUM]")
    bond_angles: bool = Field(default=True, description="in descriptions, angles become [ANG]")
    stop_words: str = Field(default="own", description="in descriptions, words left out: own, none, or a file")
    max_length: int = Field(default=888, ge=8, description="tokens; what is longer is cut, and counted")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="before the head")
    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=64, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1, description="batches to a step")
    learning_rate: float = Field(default=1e-3, gt=0, description="highest of the one-cycle schedule")
    warmup_share: float = Field(default=0.3, gt=0, lt=1, description="share of all steps in which the rate rises")
    weight_decay: float = Field(default=0.0, ge=0)
    max_gradient_norm: float = Field(default=0.0, ge=0, description="0 does not clip")
    patience: int = Field(default=0, ge=0, description="epochs without a better validation score; 0 never stops early")
    precision: Literal["float32", "bfloat16"] = Field(default="float32", description="bfloat16 only in hardware")
    gradient_checkpointing: bool = Field(default=False, description="less memory, more time")
    compile: bool = Field(default=False, description="torch.compile")
    checkpoint_steps: int = Field(default=500, ge=1, description="steps between checkpoints")
    report_to: str = Field(default="none", description="as transformers' report_to: none, tensorboard, trackio, wandb")
