"""Formulas against pymatgen and by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.dataset_builder.crystals.formulas import description_formula, element_shares, same_proportions


@pytest.mark.parametrize(
    ("formula", "shares"),
    [
        ("NaN", {"Na": 0.5, "N": 0.5}),
        ("NaCl", {"Na": 0.5, "Cl": 0.5}),
        ("Na3Bi(P2O7)2", {"Na": 3 / 22, "Bi": 1 / 22, "P": 4 / 22, "O": 14 / 22}),
        ("Na3 Bi1 P4 O14", {"Na": 3 / 22, "Bi": 1 / 22, "P": 4 / 22, "O": 14 / 22}),
        ("[Cu(NH3)2]2", {"Cu": 1 / 9, "N": 2 / 9, "H": 6 / 9}),
        ("D2O", {"H": 2 / 3, "O": 1 / 3}),
        ("Fe0.5Ni0.5", {"Fe": 0.5, "Ni": 0.5}),
        ("No", {"No": 1.0}),
        ("None", None),
        ("nan", None),
        ("Xx2", None),
        ("(NaCl", None),
        ("NaCl)", None),
        ("2", None),
        ("", None),
        ("Na0", None),
    ],
)
def test_formulas(formula: str, shares: dict[str, float] | None) -> None:
    found = element_shares(formula)
    assert found == pytest.approx(shares) if shares else found is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Na", "N", "O", "Fe", "Cl"]), st.integers(1, 20)), min_size=1, max_size=5))
def test_formula_shares_against_pymatgen(parts: list[tuple[str, int]]) -> None:
    from pymatgen.core import Composition

    formula = "".join(f"{symbol}{count}" for symbol, count in parts)
    theirs = {str(element): share for element, share in Composition(formula).fractional_composition.items()}
    assert element_shares(formula) == pytest.approx(theirs)
    ours = element_shares(formula)
    assert ours is not None
    assert same_proportions(ours, element_shares(Composition(formula).reduced_formula) or {})


def test_formula_of_descriptions() -> None:
    assert description_formula("NaCl is Halite structured") == "NaCl"
    assert description_formula("") is None
