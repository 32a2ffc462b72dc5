"""The cleaning policy, cell by cell and rule by rule."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.dataset_builder.catalogue import get_task
from llm4mat_bench.dataset_builder.cleaning.cells import clean_label, clean_name, clean_text
from llm4mat_bench.dataset_builder.cleaning.policy import RULES
from llm4mat_bench.dataset_builder.crossings.marks import (
    SplitKeys,
    bit,
    count_bits,
    first_rule,
    mark_crossings,
    strict_drop,
)


def _cells(*texts: str | bytes | None) -> pa.Array:
    return pa.array([text.encode() if isinstance(text, str) else text for text in texts], pa.binary())


def test_a_formula_is_never_a_missing_value_by_accident() -> None:
    (values, _), blanks = clean_name(_cells("NaN", "Na", "No", "NaN ", "Np O2", "", "na", "None", None), formula=True)
    assert values.to_pylist() == ["NaN", "Na", "No", "NaN", "NpO2", None, None, None, None]
    assert blanks.tolist() == [False, False, False, True, True, False, False, False, False]


def test_ids() -> None:
    (values, _), blanks = clean_name(_cells("mp-1", " 12\t", "nan", "NaN", "none", ""), formula=False)
    assert values.to_pylist() == ["mp-1", "12", None, None, None, None]
    assert blanks.tolist() == [False, True, False, False, False, False]


def test_text_is_kept_to_the_byte_and_absence_is_null() -> None:
    text = "  NaCl is Halite.\n\n2.1 Å "
    values, repaired = clean_text(_cells(text, "", "NaN", " none\n", "N/A", None, "na"))
    assert values.to_pylist() == [text, *[None] * 6]
    assert not repaired.any()


def test_mixed_encodings_are_read_and_counted() -> None:
    values, repaired = clean_text(_cells("bond 2.1 Å".encode("cp1252"), "2.1 Å", "a – b".encode("cp1252")))
    assert values.to_pylist() == ["bond 2.1 Å", "2.1 Å", "a – b"]
    assert repaired.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("cell", "value", "fault"),
    [
        ("1.5", 1.5, None),
        (" -2e-3 ", -0.002, None),
        ("+7", 7.0, None),
        ("1D2", 100.0, None),
        (".5", 0.5, None),
        ("", None, None),
        ("na", None, None),
        ("None", None, None),
        ("nan", None, None),
        ("inf", None, "non_finite"),
        ("-Infinity", None, "non_finite"),
        ("1e999", None, "non_finite"),
        ("[1.0]", None, "unreadable"),
        ("1_000", None, "unreadable"),
        ("True", None, "unreadable"),
        ("١", None, "unreadable"),
    ],
)
@pytest.mark.parametrize("beside", ["1.0", "xyz"])
def test_numbers(cell: str, value: float | None, fault: str | None, beside: str) -> None:
    """The same answer whether the fast path reads the column or, beside an unreadable cell, the slow one."""
    column = clean_label(_cells(cell, beside), get_task("gnome/Bandgap").property)
    assert column.values[0].as_py() == value
    assert {name for name in ("non_finite", "unreadable") if getattr(column, name)[0]} == ({fault} if fault else set())


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1))
def test_any_float_that_pandas_writes_is_read_back(values: list[float | None]) -> None:
    column = clean_label(_cells(*("" if v is None else repr(v) for v in values)), get_task("mp/band_gap").property)
    assert column.values.to_pylist() == [None if v is None or math.isinf(v) else v for v in values]


@pytest.mark.parametrize(
    ("task", "cells", "codes"),
    [
        ("mp/is_stable", ["True", "False", "true", " FALSE", "1", "0.0", "", "na"], [1, 0, 1, 0, 1, 0, None, None]),
        (
            "snumat/Direct_or_indirect",
            ["Direct", "Indirect", "Null", "null", "", "direct"],
            [1, 0, None, None, None, 1],
        ),
    ],
)
def test_classes(task: str, cells: list[str], codes: list[int | None]) -> None:
    column = clean_label(_cells(*cells), get_task(task).property)
    assert column.values.to_pylist() == codes
    assert not column.unreadable.any()


def test_null_is_no_class_and_one_is_not_direct() -> None:
    column = clean_label(_cells("Null", "1", "maybe", ""), get_task("snumat/Direct_or_indirect_HSE").property)
    assert column.values.null_count == 4
    assert column.no_class.tolist() == [True, False, False, False]
    assert column.unreadable.tolist() == [False, True, True, False]


def _keys(ids: list[int], cif: list[int] | None = None, row: list[int] | None = None) -> SplitKeys:
    def array(values: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        return np.array(values, np.uint64)

    count = len(ids)
    keys = {
        "material_id": array(ids),
        "row": array(row or [1000 * one + place for place, one in enumerate(ids)]),
        "cif": array(cif or [0] * count),
        "description": array([0] * count),
    }
    return SplitKeys(keys, np.zeros(count, np.uint32))


def test_faults_across_rows() -> None:
    found = mark_crossings(
        {
            "train": _keys([1, 2, 2, 3, 4, 4], cif=[11, 12, 12, 13, 0, 0], row=[1, 2, 2, 3, 4, 5]),
            "validation": _keys([3, 6], cif=[14, 16]),
            "test": _keys([7, 6, 8], cif=[11, 17, 16]),
        }
    )
    assert count_bits(found["train"]) == {
        "repeated_row": 1,
        "repeated_id": 1,
        "id_in_other_split": 1,
        "same_text_in_held_out": 1,
    }
    assert count_bits(found["validation"]) == {"id_in_other_split": 1, "same_text_in_held_out": 1}
    assert count_bits(found["test"]) == {}, "the test set stays as it is"
    assert found["train"][2] & bit("repeated_row")
    assert found["train"][5] & bit("repeated_id")
    assert strict_drop(found["train"]).tolist() == [True, False, True, True, False, True]
    assigned = first_rule(found["train"])
    assert sum(int(mask.sum()) for mask in assigned.values()) == 4


def test_missing_text_is_no_common_text() -> None:
    found = mark_crossings({"train": _keys([1]), "validation": _keys([2]), "test": _keys([3])})
    assert not any(bits.any() for bits in found.values())


def test_rules_have_names_of_their_own_and_say_what_they_do() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) <= 32
    order = ["repair", "mark", "drop"]
    for rule in RULES:
        assert order.index(rule.strict) >= order.index(rule.default), "strict is never more lenient"
