"""What can be set for every graph network."""

from typing import ClassVar, Literal

from pydantic import Field

from ..protocol import Settings


class TrainingSettings(Settings):
    """How a graph network is trained; the defaults are those that the published trained models name in their files."""

    change_no_answer: ClassVar[tuple[str, ...]] = ("checkpoint_steps",)

    epochs: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=256, ge=2, description="crystals")
    loss: Literal["squared", "absolute"] = Field(default="squared", description="of z-scores; classes: cross entropy")
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", description="sgd has momentum 0.9")
    learning_rate: float = Field(default=0.02, gt=0)
    schedule: Literal["step", "onecycle"] = Field(
        default="step", description="a tenth of the rate after 4/5 of all steps, or one cycle with 30 % rise"
    )
    weight_decay: float = Field(default=0.0, ge=0)
    patience: int = Field(default=0, ge=0, description="epochs without a better validation score; 0 never stops early")
    checkpoint_steps: int = Field(default=500, ge=1, description="steps between checkpoints, besides each epoch's end")
