"""Attention by blocks gives what PyTorch's gives: outputs, gradients, and the share that dropout drops."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers

from llm4mat_bench.baselines.text import attention as blocks


@pytest.fixture(params=[1, 300, 131_072], ids=["a query at a time", "parts of a head", "all heads at once"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(blocks, "BLOCK", request.param)
    return int(request.param)


def t5() -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=50, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=3, dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return transformers.T5EncoderModel._from_config(config, attn_implementation="sdpa").train()


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 50, (3, 23), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 15:] = 0
    mask[2, 1:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def gradients(model: transformers.PreTrainedModel) -> dict[str, torch.Tensor]:
    model.zero_grad()
    rows = batch()
    seen = rows["attention_mask"].unsqueeze(-1)
    hidden = model(**rows).last_hidden_state
    wanted = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(5))
    (hidden * seen * wanted).sum().backward()
    return {name: one.grad.clone() for name, one in model.named_parameters()}


def test_a_t5_learns_by_blocks_what_it_learns_without(block: int) -> None:
    model = t5()
    expected = gradients(model)
    with blocks.quickened(model):
        assert model.config._attn_implementation == blocks.NAME
        found = gradients(model)
    assert model.config._attn_implementation == "sdpa"
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one, rtol=1e-4, atol=1e-4 * float(one.abs().max()), msg=name)


def test_answers_stay() -> None:
    model = t5().eval()
    with torch.no_grad():
        before = model(**batch()).last_hidden_state
        with blocks.quickened(model):
            during = model(**batch()).last_hidden_state
            assert blocks.NAME not in str(model.config.to_dict())  # which a checkpoint of the training holds
        after = model(**batch()).last_hidden_state
    torch.testing.assert_close(during, before, rtol=1e-5, atol=1e-5)
    assert torch.equal(after, before)


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
        keep[row, heads, queries, keys] = blocks.kept(drawn.shape, share).float()
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


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9])
def test_the_share_that_is_kept(share: float) -> None:
    torch.manual_seed(4)
    count = 1_000_003
    kept = float(blocks.kept(torch.Size([count]), share).double().mean())
    # Five standard errors of a binomial share, and half a step of 1 in 65,536.
    assert abs(kept - (1 - share)) < 5 * (share * (1 - share) / count) ** 0.5 + 1 / 131_072


def test_what_is_causal_or_padded_in_front_is_left_to_pytorch() -> None:
    query = torch.randn(2, 3, 5, 8)
    front = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    front[0, ..., :2] = False
    assert blocks._lengths(query, query, front) is None
    causal = torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 1, 5, 5)
    assert blocks._lengths(query, query, causal) is None
    assert blocks._lengths(query, query, None) == [5, 5]
    assert blocks._lengths(query, query, front.flip(-1)) == [3, 5]
