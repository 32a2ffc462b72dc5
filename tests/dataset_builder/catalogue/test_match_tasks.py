"""Which tasks a pattern names."""

import pytest

from llm4mat_bench import list_tasks
from llm4mat_bench.dataset_builder.catalogue import match_tasks
from llm4mat_bench.errors import UsageError


def names(*patterns: str) -> list[str]:
    return [task.name for task in match_tasks(patterns)]


def test_all_is_the_benchmark() -> None:
    assert names("all") == [task.name for task in list_tasks()]
    assert len(names("all")) == 65


def test_a_source_by_name_by_alias_and_by_pattern() -> None:
    expected = [task.name for task in list_tasks("cantor_hea")]
    assert names("cantor_hea") == names("hea") == names("hea/*") == names("Cantor_HEA/*") == expected


def test_a_property_of_all_sources_leaves_the_sample_out() -> None:
    found = names("*/band_gap")
    assert "mp/band_gap" in found and "sample/band_gap" not in found
    assert names("sample/band*") == ["sample/band_gap"]


def test_each_task_once_in_the_order_named() -> None:
    found = names("mp/volume", "mp/*", "mp/volume")
    assert found[0] == "mp/volume"
    assert sorted(found) == sorted(task.name for task in list_tasks("mp"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("mp/bandgap", "Did you mean"),
        ("mp/xyz*", "no task matches 'mp/xyz\\*'"),
        ("nothing", "unknown task"),
        ("nothing/*", "unknown source"),
        ("", "unknown"),
    ],
)
def test_a_pattern_that_names_nothing(pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        match_tasks([pattern])
