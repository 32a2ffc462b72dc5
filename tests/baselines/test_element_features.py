"""Element statistics against textbook values and by symmetry."""

from pathlib import Path

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


def test_every_element_has_features() -> None:
    """pymatgen raises for what it does not know of the heaviest; here that is NaN, and the rest is there."""
    from llm4mat_bench.baselines.element_features import element_table

    table = element_table()
    assert len(table.symbols) == 118
    assert table.symbols[:3] == ("H", "He", "Li") and table.symbols[-1] == "Og"
    assert feature("Og", "mean_Z") == 118
    assert np.isnan(feature("Og2O", "mean_melting_point"))
    assert np.isnan(feature("He", "mean_X")) and feature("He", "mean_Z") == 2


def test_a_table_of_elements_comes_back_as_it_was(tmp_path: Path) -> None:
    from llm4mat_bench.baselines.element_features import ElementTable, element_table

    element_table().write(tmp_path / "elements.json")
    found = ElementTable.read(tmp_path / "elements.json")
    assert found.symbols == element_table().symbols
    np.testing.assert_array_equal(found.values, element_table().values)


def test_batches_are_as_one_and_name_the_row_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.baselines import composition_gbm as model
    from llm4mat_bench.baselines.element_features import element_table
    from llm4mat_bench.baselines.protocol import Texts
    from llm4mat_bench.errors import DataError

    formulas = ["NaCl", None, "Fe2O3", "NaCl", "Cu", None, "He"]
    whole = element_features(formulas).astype(np.float32)
    monkeypatch.setattr(model, "_BATCH", 2)
    np.testing.assert_array_equal(np.concatenate(list(model._batches(Texts(formulas), element_table()))), whole)
    with pytest.raises(DataError, match="split train, row 6: 'Xq3' is no chemical formula"):
        list(model._batches(Texts(["Cu", "He", None, "Cu", "He", "Xq3", "Xq3"]), element_table(), "split train, "))
