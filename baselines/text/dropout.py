"""Dropout on a processor, where drawing one random number for each value takes longer than all else that is done to it.

Four numbers of 16 bits are taken from one of 64, and a byte a value is kept for the backward pass, not four.
"""

from typing import Any

import torch
from torch import nn

_STEPS = 65_536  # of a share that is dropped


def kept(shape: torch.Size, dropout: float) -> torch.Tensor:
    """Draw what dropout keeps: 1 with probability 1 - ``dropout``, to 1 in 65,536, and 0, as bytes.

    Bytes, since PyTorch takes ten times as long to turn truth values into numbers.
    """
    bits = torch.empty((shape.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    numbers = bits.view(torch.int16)[: shape.numel()].view(shape)
    return torch.ge(numbers, round(dropout * _STEPS) - _STEPS // 2, out=torch.empty(shape, dtype=torch.uint8))


class Dropout(nn.Module):
    """PyTorch's ``Dropout``, other random numbers."""

    def __init__(self, p: float) -> None:
        """Take the share of values that is dropped in training."""
        super().__init__()
        self.p = p

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Set a share of the values to 0 and raise the others, so that their mean stays."""
        if not self.training or not 0 < self.p < 1 or values.device.type != "cpu":
            return nn.functional.dropout(values, self.p, self.training)
        dropped: torch.Tensor = _Dropped.apply(values, self.p)
        return dropped


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, share: float) -> torch.Tensor:  # noqa: ANN401
        keep = kept(values.shape, share)
        ctx.save_for_backward(keep)
        ctx.share = share
        return (values * keep).mul_(1 / (1 - share))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401
        (keep,) = ctx.saved_tensors
        return (gradient * keep).mul_(1 / (1 - ctx.share)), None
