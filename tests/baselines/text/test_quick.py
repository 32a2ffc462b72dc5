"""A model that is trained faster learns and answers what it does otherwise."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers

from llm4mat_bench.baselines.text import attention
from llm4mat_bench.baselines.text.dropout import Dropout
from llm4mat_bench.baselines.text.quick import quickened


def t5() -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=50, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=3, dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return transformers.T5EncoderModel._from_config(config, attn_implementation="sdpa").train()


def bert() -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertModel._from_config(config, attn_implementation="sdpa", add_pooling_layer=False).train()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 50, (3, 23), generator=torch.Generator().manual_seed(1))
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


@pytest.mark.parametrize("block", [1, 300, 131_072], ids=["a query at a time", "parts of a head", "all heads at once"])
@pytest.mark.parametrize("build", [t5, bert])
def test_it_learns_what_it_learns_otherwise(
    build: Callable[[], transformers.PreTrainedModel], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    model = build()
    expected = gradients(model)
    with quickened(model):
        assert model.config._attn_implementation == attention.NAME
        found = gradients(model)
    assert model.config._attn_implementation == "sdpa"
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        # Gradients of biases of keys are 0 but for rounding: softmax does not see what all scores have in common.
        least = 1e-5 if name.endswith("key.bias") else 1e-4 * float(one.abs().max())
        torch.testing.assert_close(found[name], one, rtol=1e-4, atol=least, msg=name)


def test_answers_and_names_of_weights_stay_and_so_does_the_model() -> None:
    model = t5().eval()
    layers = [type(one) for one in model.modules()]
    with torch.no_grad():
        before = model(**batch()).last_hidden_state
        with quickened(model):
            during = model(**batch()).last_hidden_state
            names = list(model.state_dict())
            assert attention.NAME not in str(model.config.to_dict())  # which a checkpoint of the training holds
            assert any(type(one) is Dropout for one in model.modules())
            assert not any(type(one) is torch.nn.Dropout for one in model.modules())
            model.train()
        assert all(one.training for one in model.modules())
        after = model.eval()(**batch()).last_hidden_state
    torch.testing.assert_close(during, before, rtol=1e-5, atol=1e-5)
    assert torch.equal(after, before)
    assert names == list(model.state_dict())
    assert layers == [type(one) for one in model.modules()]
    assert not any("forward" in vars(one) for one in model.modules())


def test_the_copy_of_a_bias_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers of a T5 add the same bias."""
    seen = []
    made = attention._in_order
    monkeypatch.setattr(attention, "_in_order", lambda bias: seen.append(made(bias)) or seen[-1])
    model = t5()
    with quickened(model):
        gradients(model)
    assert len(seen) == 2
    assert seen[0] is seen[1]
