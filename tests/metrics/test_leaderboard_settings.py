"""What a row of the leaderboard says of its settings: whatever tells it from the other rows of its model."""

from typing import Any

import pytest

from llm4mat_bench.metrics.leaderboard.models import Entry
from llm4mat_bench.metrics.leaderboard.settings import told_apart


def row(
    number: int, settings: dict[str, Any], *, line: str = "", dataset: str = "data", task: str = "sample/x"
) -> Entry:
    return Entry.model_validate(
        {
            "id": f"{number:06d}-id",
            "line": line or f"{number:06d}-line",
            "model": "m",
            "model_revision": "1",
            "model_kind": "other",
            "modality": "cif",
            "parameters": None,
            "settings": "",
            "protocol": {"kind": "training", "settings": settings},
            "dataset": dataset,
            "cells": {
                task: {
                    "value": 1,
                    "text": "1",
                    "interval": "",
                    "low": None,
                    "high": None,
                    "published": "",
                    "coverage": 1,
                    "hard_labels": False,
                    "runs": (),
                }
            },
            "means": {},
        }
    )


MANY = {f"an_option_with_a_long_name_{number}": number for number in range(12)}


def test_what_differs_least_often_is_not_cut_off() -> None:
    """A third row differs in everything; the first two only in the last of all settings."""
    others = {name: value + 1 for name, value in MANY.items()}
    rows = [row(0, {**MANY, "depth": 3}), row(1, {**MANY, "depth": 4}), row(2, {**others, "depth": 5})]
    told = told_apart(rows)
    assert [told[one.id].shown.partition(",")[0] for one in rows] == ["depth 3", "depth 4", "depth 5"]
    assert all(len(told[one.id].shown) <= 110 for one in rows)
    assert "long_name_11 11" in told[rows[0].id].searched and "long_name_11" not in told[rows[0].id].shown


def test_settings_that_need_each_other_both_come_first() -> None:
    rows = [row(n, {**MANY, "rate": n // 2, "size": n % 2}) for n in range(4)]
    assert [told_apart(rows)[one.id].shown for one in rows] == [f"rate {n // 2}, size {n % 2}" for n in range(4)]


def test_a_setting_that_every_row_has_tells_more_than_one_that_some_lack() -> None:
    rows = [row(0, {"rule": "fixed", "shots": 5}), row(1, {"shots": 0})]
    assert [told_apart(rows)[one.id].shown for one in rows] == ["shots 5, rule fixed", "shots 0"]


@pytest.mark.parametrize("name", ["x", "y" * 200])
def test_no_two_rows_are_told_the_same(name: str) -> None:
    """Where values are too long to be shown."""
    rows = [row(n, {name: "v" * 300 + str(n)}) for n in range(3)]
    told = {told_apart(rows)[one.id].shown for one in rows}
    assert len(told) == 3 and all(one.startswith("row 00000") for one in told)


def test_data_is_named_where_one_setting_stands_on_two_in_one_source() -> None:
    rows = [row(0, {"depth": 3}, line="l"), row(1, {"depth": 3}, line="l", dataset="mine")]
    assert [told_apart(rows)[one.id].shown for one in rows] == ["data data", "data mine"]
    elsewhere = [row(0, {"depth": 3}, line="l"), row(1, {"depth": 3}, line="l", dataset="mine", task="mp/y")]
    assert {told_apart(elsewhere)[one.id].shown for one in elsewhere} == {""}
