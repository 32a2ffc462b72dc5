"""Exact sums against rational arithmetic, and in other orders."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from llm4mat_bench.metrics.exact_sums import ExactSums

MAGNITUDES = st.floats(-1, 1, allow_subnormal=True)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 30))
def test_sums_are_those_of_rational_numbers(data: st.DataObject, n: int) -> None:
    columns = data.draw(st_np.arrays(np.float64, (2, n), elements=MAGNITUDES))
    weights = data.draw(st_np.arrays(np.int64, (3, n), elements=st.integers(0, 9)))
    found = ExactSums(columns, int(max(weights.sum(axis=1).max(), 1))).weighted(weights.astype(np.float64))
    for column, sums in zip(columns, found, strict=True):
        for row, total in zip(weights, sums, strict=True):
            terms = [Fraction(int(weight)) * Fraction(float(value)) for weight, value in zip(row, column, strict=True)]
            off = abs(Fraction(float(total)) - sum(terms))
            assert off <= Fraction(2) ** -53 * abs(sum(terms)) + Fraction(2) ** -85 * sum(map(abs, terms)) + Fraction(
                2
            ) ** -85 * max(abs(Fraction(float(value))) for value in column)


@pytest.mark.parametrize("spread", [0.0, 12.0])
def test_the_order_of_summation_has_no_say(spread: float) -> None:
    """As another kernel, number of threads or size of a batch would choose it; plain products do depend on it."""
    random = np.random.default_rng(3)
    n = 5_000
    columns = random.normal(size=(4, n)) * np.exp(spread * random.normal(size=n))
    columns /= np.abs(columns).max()
    weights = np.stack([np.bincount(random.integers(n, size=n), minlength=n) for _ in range(50)]).astype(np.float64)
    sums = ExactSums(columns, n).weighted(weights)
    for order in (random.permutation(n), np.arange(n)[::-1]):
        others = ExactSums(columns[:, order], n)
        assert np.array_equal(others.weighted(weights[:, order]), sums)
        assert np.array_equal(others.weighted(weights[:7, order]), sums[:, :7])
    order = random.permutation(n)
    assert not np.array_equal(weights @ columns.T, weights[:, order] @ columns[:, order].T)
    np.testing.assert_allclose(sums.T, weights @ columns.T, rtol=1e-9)


def test_zeros_and_the_smallest_numbers() -> None:
    tiny = 5e-324
    columns = np.array([[0.0, 0.0, 0.0], [tiny, -3 * tiny, 0.0], [1.0, tiny, 0.0]])
    found = ExactSums(columns, 6).weighted(np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 2.0]]))
    assert found.tolist() == [[0.0, 0.0], [-5 * tiny, 4 * tiny], [1.0, 4.0]]
