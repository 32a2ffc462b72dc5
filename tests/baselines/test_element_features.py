"""Element statistics against textbook values and by symmetry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.baselines.element_features import FEATURE_NAMES, element_features

SYMBOLS = ("H", "He", "C", "O", "Na", "Al", "Cl", "Fe", "Cu", "Ba", "Pb", "U")


def feature(formula: str, name: str) -> float:
    return float(element_features([formula])[0, FEATURE_NAMES.index(name)])


def test_known_values() -> None:
    assert feature("NaCl", "mean_Z") == pytest.approx((11 + 17) / 2)
    assert feature("Fe2O3", "mean_atomic_mass") == pytest.approx((2 * 55.845 + 3 * 15.999) / 5, rel=1e-4)
    assert feature("Fe2O3", "maximum_Z") == 26
    assert feature("Fe2O3", "range_Z") == 18
    assert feature("Fe2O3", "number_of_elements") == 2
    assert feature("Cu", "norm_2") == pytest.approx(1.0)
    assert feature("NaCl", "norm_2") == pytest.approx(np.sqrt(0.5))


def test_sodium_nitride_is_no_missing_value() -> None:
    assert feature("NaN", "mean_Z") == pytest.approx((11 + 7) / 2)


def test_a_missing_formula_is_a_row_of_nan() -> None:
    assert np.isnan(element_features([None])).all()


def test_a_wrong_formula_is_named_with_its_row() -> None:
    with pytest.raises(ValueError, match="row 2: 'Xq3'"):
        element_features(["NaCl", "Xq3"])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 12), min_size=1, max_size=5), st.integers(2, 5))
def test_order_and_multiples_do_not_matter(amounts: dict[str, int], factor: int) -> None:
    formula = "".join(f"{symbol}{amount}" for symbol, amount in amounts.items())
    reverse = "".join(f"{symbol}{amount * factor}" for symbol, amount in reversed(amounts.items()))
    one, two = element_features([formula, reverse])
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
