"""An encoder with one linear layer on its pooled output."""

from typing import Any, Literal

import torch
from torch import nn

Pooling = Literal["cls", "mean", "pooler"]


class CrystalNetwork(nn.Module):
    """Encoder, pooling, dropout, one linear layer to one number."""

    def __init__(self, encoder: nn.Module, pooling: Pooling, dropout: float, *, classes: bool) -> None:
        """Take the encoder.

        Args:
            encoder: Its output has ``last_hidden_state``, and ``pooler_output`` where that is asked for.
            pooling: First token, mean over the tokens that are not padding, or the model's own pooler.
            dropout: Before the linear layer, in training.
            classes: Whether the number is a logit (binary cross entropy) or a value (absolute error).
        """
        super().__init__()
        self.encoder = encoder
        self.pooling: Pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_hidden_size(encoder), 1)
        self.classes = classes

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
        logits = self.head(self.dropout(pooled)).squeeze(-1).float()
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
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _hidden_size(encoder: nn.Module) -> int:
    config: Any = encoder.config
    for name in ("d_model", "hidden_size", "dim"):
        size = getattr(config, name, None)
        if isinstance(size, int):
            return size
    raise ValueError(f"{type(encoder).__name__} does not say how wide its output is")
