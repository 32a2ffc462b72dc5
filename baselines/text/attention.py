"""Attention with dropout on a processor, by blocks that stay in its cache.

PyTorch has a fast kernel of attention for processors, but none that trains with dropout or a learnt bias of positions,
as T5 and BERT do: there it writes several matrices of tokens x tokens to memory for every head, and draws every random
number of dropout by itself. Here a block of queries is done from its scores to its output before the next, scores are
computed anew in the backward pass rather than kept (Dao et al. 2022, arXiv:2205.14135, sections 3.1 and B.4, without
its running maximum: a block holds all keys).
"""

from collections.abc import Iterator
from typing import Any

import torch

from .dropout import kept

BLOCK = 131_072
"""Scores of a block: half a megabyte of float32."""
NAME = "cpu_blocks"


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    position_bias: torch.Tensor | None = None,
    **options: Any,  # noqa: ANN401 - as transformers calls it
) -> tuple[torch.Tensor, None]:
    """Attend as transformers' ``sdpa`` does, and by it wherever PyTorch has a kernel.

    Args:
        module: The layer.
        query: Shape (rows, heads, tokens, width), as ``key`` and ``value``.
        key: What is compared.
        value: What is averaged.
        attention_mask: Shape (rows, 1, tokens or 1, tokens), true where a token is seen; None where all are.
        dropout: Share of the weights that is dropped.
        scaling: Of the scores; one over the root of the width where left out.
        position_bias: Shape (1, heads, tokens, tokens), added to the scores.
        **options: What else ``sdpa`` takes.

    Returns:
        Output of shape (rows, tokens, heads, width), and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    wanted = torch.is_grad_enabled() and (dropout > 0 or (position_bias is not None and position_bias.requires_grad))
    causal = options.get("is_causal", getattr(module, "is_causal", True)) and attention_mask is None
    lengths = _lengths(query, key, attention_mask) if wanted and not causal and query.device.type == "cpu" else None
    if lengths is None:
        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            position_bias=position_bias,
            **options,
        )
        return plain
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    bias = None if position_bias is None else _in_order(position_bias)
    # Neighbours in memory, or each block would be gathered anew for each of its products. In float32 whatever the
    # precision: of matrices this narrow a processor multiplies bfloat16 no faster, and each block would be converted.
    query = query if scale == 1 else query * scale
    query, key, wide = (one.float().contiguous() for one in (query, key, value))
    output: torch.Tensor = _Blocks.apply(query, key, wide, bias, lengths, dropout)
    return output.to(value.dtype).transpose(1, 2).contiguous(), None


def _lengths(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None) -> list[int] | None:
    """Tokens of each row, where all that is masked is padding behind them; else None."""
    rows, _, tokens, _ = query.shape
    if key.shape != query.shape:
        return None
    if mask is None:
        return [tokens] * rows
    if mask.dtype != torch.bool or mask.shape[0] != rows or not bool((mask == mask[:, :1, :1]).all()):
        return None
    seen = mask[:, 0, 0]
    lengths = seen.sum(dim=1)
    return lengths.tolist() if bool((seen == (torch.arange(tokens) < lengths[:, None])).all()) else None


def _in_order(bias: torch.Tensor) -> torch.Tensor:
    """The bias in float32, its keys side by side: one copy for all layers, which T5 hands the same tensor."""
    found = getattr(bias, "_in_order", None)
    if found is None:
        found = bias.float().contiguous()
        if found is not bias:
            bias._in_order = found
    return found


class _Blocks(torch.autograd.Function):
    """Attention of scaled queries; see `attention`. What stands at padding is 0."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        lengths: list[int],
        dropout: float,
    ) -> torch.Tensor:
        """Return the output, shape (rows, heads, tokens, width)."""
        output = torch.zeros_like(query)
        keep = torch.empty((*query.shape[:3], key.shape[2]), dtype=torch.uint8) if dropout else None
        for row, heads, queries, keys in _blocks(query, lengths):
            weights = _weights(query[row, heads, queries], key[row, heads, keys], bias, (heads, queries, keys))
            if keep is not None:
                keep[row, heads, queries, keys] = drawn = kept(weights.shape, dropout)
                weights.mul_(drawn)
            output[row, heads, queries] = torch.bmm(weights, value[row, heads, keys])
        ctx.save_for_backward(query, key, value, bias, keep)
        ctx.lengths, ctx.dropout = lengths, dropout
        return output.div_(1 - dropout)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of query, key, value and bias."""
        query, key, value, bias, keep = ctx.saved_tensors
        gradient = (gradient / (1 - ctx.dropout)).contiguous()
        of_query, of_key, of_value = (torch.zeros_like(one) for one in (query, key, value))
        of_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        for row, heads, queries, keys in _blocks(query, ctx.lengths):
            given = gradient[row, heads, queries]
            weights = _weights(query[row, heads, queries], key[row, heads, keys], bias, (heads, queries, keys))
            of_weights = torch.bmm(given, value[row, heads, keys].transpose(1, 2))
            if keep is not None:
                of_weights.mul_(drawn := keep[row, heads, queries, keys].float())
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, torch.float32)
            if of_bias is not None:
                of_bias[0, heads, queries, keys] += of_scores
            if keep is not None:
                weights.mul_(drawn)
            of_value[row, heads, keys] += torch.bmm(weights.transpose(1, 2), given)
            of_query[row, heads, queries] = torch.bmm(of_scores, key[row, heads, keys])
            of_key[row, heads, keys] += torch.bmm(of_scores.transpose(1, 2), query[row, heads, queries])
        return of_query, of_key, of_value, of_bias, None, None


def _blocks(query: torch.Tensor, lengths: list[int]) -> Iterator[tuple[int, slice, slice, slice]]:
    """Row, heads, queries and keys of each block: whole heads where they are small, part of a head where it is not."""
    for row, tokens in enumerate(lengths):
        several = max(1, BLOCK // tokens**2)
        step = tokens if several > 1 else max(1, BLOCK // tokens)
        for head in range(0, query.shape[1], several):
            for token in range(0, tokens, step):
                yield row, slice(head, head + several), slice(token, min(token + step, tokens)), slice(0, tokens)


def _weights(
    query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor | None, at: tuple[slice, slice, slice]
) -> torch.Tensor:
    """The weights of a block before dropout, shape (heads, queries, keys)."""
    scores = torch.bmm(query, key.transpose(1, 2))
    if bias is not None:
        scores += bias[0, *at]
    return torch.softmax(scores, -1)
