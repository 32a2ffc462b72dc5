"""Our dropout drops as many as PyTorch's, and the same in both directions."""

import pytest

pytest.importorskip("torch")

import torch

from llm4mat_bench.baselines.text.dropout import Dropout, kept


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9])
def test_the_share_that_is_kept(share: float) -> None:
    torch.manual_seed(4)
    count = 1_000_003
    found = float(kept(torch.Size([count]), share).double().mean())
    # Five standard errors of a binomial share, and half a step of 1 in 65,536.
    assert abs(found - (1 - share)) < 5 * (share * (1 - share) / count) ** 0.5 + 1 / 131_072


def test_what_is_dropped_has_no_gradient_and_what_is_kept_is_raised() -> None:
    torch.manual_seed(5)
    values = torch.rand(7, 11, 13).add(1).requires_grad_()
    given = torch.randn(7, 11, 13)
    output = Dropout(0.3)(values)
    output.backward(given)
    dropped = output == 0
    assert 0.2 < float(dropped.double().mean()) < 0.4
    torch.testing.assert_close(output, torch.where(dropped, 0, values / 0.7))
    torch.testing.assert_close(values.grad, torch.where(dropped, 0, given / 0.7))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_precision_stays(precision: torch.dtype) -> None:
    assert Dropout(0.5)(torch.ones(64, dtype=precision)).dtype is precision


def test_nothing_is_dropped_after_training_or_at_a_share_of_0_and_all_at_1() -> None:
    values = torch.randn(50)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)
    assert not Dropout(1.0)(values).any()


def test_a_seed_says_what_is_dropped() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(Dropout(0.5)(torch.ones(100)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
