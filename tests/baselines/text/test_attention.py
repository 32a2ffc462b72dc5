"""Attention by blocks gives what PyTorch's gives: outputs and gradients."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from llm4mat_bench.baselines.text import attention as blocks
from llm4mat_bench.baselines.text.dropout import kept


@pytest.fixture(params=[1, 300, 131_072], ids=["a query at a time", "parts of a head", "all heads at once"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(blocks, "BLOCK", request.param)
    return int(request.param)


def test_dropout_drops_the_same_in_both_directions(block: int) -> None:
    torch.manual_seed(2)
    query, key, value = (torch.randn(2, 3, 11, 8, requires_grad=True) for _ in range(3))
    bias = torch.randn(1, 3, 11, 11, requires_grad=True)
    lengths, share = [11, 7], 0.3
    given = torch.randn(2, 3, 11, 8)
    for row, tokens in enumerate(lengths):
        given[row, :, tokens:] = 0  # what comes back to padding is of no text

    torch.manual_seed(3)
    output = blocks._Blocks.apply(query, key, value, bias, lengths, share)
    found = torch.autograd.grad(output, (query, key, value, bias), given)

    # The same random numbers, in one matrix of every row and head, and PyTorch's own gradients.
    torch.manual_seed(3)
    keep = torch.zeros(2, 3, 11, 11)
    for row, heads, queries, keys in blocks._blocks(query, lengths):
        drawn = keep[row, heads, queries, keys]
        keep[row, heads, queries, keys] = kept(drawn.shape, share).float()
    unseen = torch.arange(11)[None, :] >= torch.tensor(lengths)[:, None]
    scores = (query @ key.transpose(2, 3) + bias).masked_fill(unseen[:, None, None], float("-inf"))
    plain = (torch.softmax(scores, -1) * keep / (1 - share)) @ value
    expected = torch.autograd.grad(plain, (query, key, value, bias), given)
    assert 0.5 < float(keep[0].mean()) < 0.9
    for row, tokens in enumerate(lengths):
        torch.testing.assert_close(output[row, :, :tokens], plain[row, :, :tokens])
        assert not output[row, :, tokens:].any()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_what_is_causal_or_padded_in_front_is_left_to_pytorch() -> None:
    query = torch.randn(2, 3, 5, 8)
    front = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    front[0, ..., :2] = False
    assert blocks._lengths(query, query, front) is None
    causal = torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 1, 5, 5)
    assert blocks._lengths(query, query, causal) is None
    assert blocks._lengths(query, query, None) == [5, 5]
    assert blocks._lengths(query, query, front.flip(-1)) == [3, 5]
