"""What can be set for adapters."""

from typing import Literal

from pydantic import Field

from .settings import TextSettings


class AdapterSettings(TextSettings):
    """Adapters on a pretrained model; the rates usual for them."""

    model_id: str = Field(default="", description="folder, GGUF file or repo of an encoder or a decoder (needed)")
    form: Literal["head", "instruction"] = Field(
        default="head", description="a number from a head, or JSON answers written by a language model made to answer"
    )
    pooling: Literal["auto", "cls", "mean", "pooler", "last"] = Field(  # type: ignore[assignment]
        default="auto", description="what the head sees; auto: mean over tokens of an encoder, last token of a decoder"
    )
    r: int = Field(default=8, ge=1, description="rank of the adapters")
    alpha: int = Field(default=16, ge=1, description="they count alpha / r")
    adapter_dropout: float = Field(default=0.05, ge=0, lt=1, description="before the adapters")
    target_modules: str = Field(
        default="all-linear", description="layers that get one: all-linear, or names by commas (q_proj,v_proj)"
    )
    digits: int = Field(default=4, ge=1, le=17, description="of the numbers in answers that instruction teaches")
    bond_lengths: bool = Field(default=False, description="in descriptions, lengths become [NUM]")
    bond_angles: bool = Field(default=False, description="in descriptions, angles become [ANG]")
    stop_words: str = Field(default="none", description="in descriptions, words left out: own, none, or a file")
    max_length: int = Field(default=512, ge=8, description="tokens; what is longer is cut, and counted")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the head")
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0, description="highest of the one-cycle schedule")
    max_gradient_norm: float = Field(default=1.0, ge=0, description="0 does not clip")
