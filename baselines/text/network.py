"""What is trained: an encoder with one linear layer on its pooled output."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import JsonValue
from safetensors.torch import load_model, save_model
from torch import nn

Pooling = Literal["cls", "mean", "pooler", "last"]


class TextNetwork(nn.Module):
    """A network around a model of transformers, which the trainer trains and keeps."""

    encoder: nn.Module

    def save_weights(self, path: Path) -> None:
        """Write all that training changes, as safetensors."""
        save_model(self, str(path))

    def load_weights(self, path: Path) -> None:
        """Read what `save_weights` wrote; a weight that is missing, or one too many, is an error."""
        load_model(self, str(path), strict=True)

    def facts(self) -> dict[str, JsonValue]:
        """What is worth keeping in the record of how it was built."""
        return {}

    def activation_checkpointing_enable(self, **options: Any) -> None:  # noqa: ANN401 - as the trainer calls it
        """Compute activations again rather than keep them."""
        model: Any = self.encoder
        model.activation_checkpointing_enable(**options)


class CrystalNetwork(TextNetwork):
    """Encoder, pooling, dropout, one linear layer to one number.

    Attributes:
        new_weights: Weights of the encoder that its checkpoint lacks, and that training begins with a draw of.
    """

    new_weights: Sequence[str] = ()

    def __init__(self, encoder: nn.Module, pooling: Pooling, dropout: float, *, classes: bool) -> None:
        """Take the encoder.

        Args:
            encoder: Its output has ``last_hidden_state``, and ``pooler_output`` where that is asked for.
            pooling: First token, mean over the tokens that are not padding, the model's own pooler, or the last token
                that is not padding, the only one that a decoder sees the whole text from.
            dropout: Before the linear layer, in training.
            classes: Whether the number is a logit (binary cross entropy) or a value (absolute error).
        """
        super().__init__()
        self.encoder = encoder
        self.pooling: Pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_hidden_size(encoder), 1)
        self.classes = classes

    def facts(self) -> dict[str, JsonValue]:
        """Which weights of the encoder were not pretrained, where there are such."""
        return {"weights_not_pretrained": list(self.new_weights)} if self.new_weights else {}

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Score a batch.

        Args:
            input_ids: Shape (rows, tokens).
            attention_mask: The same shape; 0 at padding.
            labels: Shape (rows,): z-scores, or 0 and 1.

        Returns:
            ``logits`` of shape (rows,), and ``loss`` where labels are given.
        """
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        pooled = self._pool(output, attention_mask)
        logits = self.head(self.dropout(pooled.to(self.head.weight.dtype))).squeeze(-1).float()
        if labels is None:
            return {"logits": logits}
        loss = nn.functional.binary_cross_entropy_with_logits if self.classes else nn.functional.l1_loss
        return {"loss": loss(logits, labels), "logits": logits}

    def _pool(self, output: Any, attention_mask: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        if self.pooling == "pooler":
            pooled: torch.Tensor = output.pooler_output
            return pooled
        hidden: torch.Tensor = output.last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "last":
            return hidden[torch.arange(len(hidden), device=hidden.device), attention_mask.sum(dim=1) - 1]
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _hidden_size(encoder: nn.Module) -> int:
    config: Any = encoder.config
    for name in ("d_model", "hidden_size", "dim"):
        size = getattr(config, name, None)
        if isinstance(size, int):
            return size
    raise ValueError(f"{type(encoder).__name__} does not say how wide its output is")
