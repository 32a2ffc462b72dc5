"""T5's norm on a processor, in fewer passes over the values, and fewer matrices, than where autograd takes it apart.

Zhang and Sennrich 2019 (arXiv:1910.07467): values over the root of their mean square, times a learnt weight.
"""

from typing import Any

import torch


def fits(module: Any) -> bool:  # noqa: ANN401 - a module of transformers
    """Whether this norm is one that `norm` computes."""
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    return type(module) is T5LayerNorm


def norm(module: Any, hidden_states: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """Compute the norm, in few passes where it is trained in float32 on a processor.

    Args:
        module: The norm, which `fits`.
        hidden_states: Shape (..., width).

    Returns:
        The same shape.
    """
    exact = hidden_states.dtype == module.weight.dtype == torch.float32
    output: torch.Tensor
    if torch.is_grad_enabled() and exact and hidden_states.device.type == "cpu":
        output = _RootMeanSquare.apply(hidden_states, module.weight, module.variance_epsilon)
    else:
        output = type(module).forward(module, hidden_states)
    return output


class _RootMeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:  # noqa: ANN401
        length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
        over = length.square_().mul_(1 / values.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(values, weight, over)
        return (values * over).mul_(weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:  # noqa: ANN401
        values, weight, over = ctx.saved_tensors
        normed = values * over
        product = gradient * normed
        of_weight = product.flatten(0, -2).sum(dim=0)
        along = torch.matmul(product, weight).mul_(-1 / values.shape[-1]).unsqueeze(-1)
        of_values = torch.mul(gradient, weight, out=product).addcmul_(normed, along).mul_(over)
        return of_values, of_weight, None
