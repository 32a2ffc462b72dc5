"""What a model of transformers does slowly on a processor, done faster while it is trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from . import norm
from .attention import NAME, attention
from .dropout import Dropout


@contextmanager
def quickened(model: Any) -> Iterator[None]:  # noqa: ANN401 - a model of transformers
    """While it is trained on a processor, let a model compute by what writes less to memory.

    Its weights keep their names. What it computes stays the same, but for the order of sums and the random numbers of
    dropout.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    attends = model.config._attn_implementation
    if attends == "sdpa":
        AttentionInterface.register(NAME, attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)
    norms = [module for module in model.modules() if norm.fits(module)]
    for module in norms:
        module.forward = partial(norm.norm, module)
    quicker = _quicker()
    slow = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if type(child) in quicker
    ]
    for module, name, child in slow:
        setattr(module, name, quicker[type(child)](child).train(child.training))
    try:
        yield
    finally:
        for module in norms:
            del module.forward
        for module, name, child in slow:
            setattr(module, name, child.train(getattr(module, name).training))
        if attends == "sdpa":
            model.set_attn_implementation(attends)


def _quicker() -> dict[type[torch.nn.Module], Callable[[Any], torch.nn.Module]]:
    """For a class of modules, what takes the place of one."""
    from transformers.activations import NewGELUActivation

    return {
        NewGELUActivation: lambda _: torch.nn.GELU(approximate="tanh"),
        torch.nn.Dropout: lambda one: Dropout(one.p),
    }
