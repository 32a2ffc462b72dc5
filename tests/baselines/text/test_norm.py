"""The norm of T5 in few passes gives what transformers' gives."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers.models.t5.modeling_t5 import T5LayerNorm

from llm4mat_bench.baselines.text import norm


def layer() -> T5LayerNorm:
    found = T5LayerNorm(17, eps=1e-3)
    found.weight.data = torch.randn(17, generator=torch.Generator().manual_seed(1))
    return found


def test_outputs_and_gradients() -> None:
    random = torch.Generator().manual_seed(2)
    values = torch.randn(3, 5, 17, generator=random) * torch.logspace(-3, 3, 5)[:, None]
    given = torch.randn(3, 5, 17, generator=random)
    found = []
    for compute in (T5LayerNorm.forward, norm.norm):
        module = layer()
        assert norm.fits(module)
        seen = values.clone().requires_grad_()
        output = compute(module, seen)
        output.backward(given)
        found.append((output, seen.grad, module.weight.grad))
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
