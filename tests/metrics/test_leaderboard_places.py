"""Places of the leaderboard: by regression, then by classification, the same on the overview as on a source's page."""

from collections.abc import Sequence

import pytest
from boards import PERFECT, board

from llm4mat_bench.metrics.leaderboard.boards import SourceBoard, lines_of


def overview(*boards: SourceBoard) -> list[tuple[int | None, str]]:
    return [(line.place, line.entry.model) for line in lines_of(boards, "ranked")]


def on_page(one: SourceBoard) -> list[tuple[int | None, str]]:
    return [(one.places[row.id], row.model) for row in one.ranked]


def test_answering_classes_as_well_lowers_no_rank() -> None:
    one = board("sample", {"both": (4.0, 0.9), "less": (3.9, None), "least": (3.0, 0.95), "classes": (None, 0.99)})
    assert overview(one) == on_page(one) == [(1, "both"), (2, "less"), (3, "least"), (4, "classes")]


def test_perfect_answers_stand_first_and_ties_are_settled_by_classes() -> None:
    rows = {"good": (4.0, 0.9), "perfect": (PERFECT, None), "as good": (4.0, 0.95), "too": (4.0, 0.95)}
    one = board("sample", rows)
    assert overview(one) == on_page(one) == [(1, "perfect"), (2, "as good"), (2, "too"), (4, "good")]


def test_who_lacks_tasks_stands_behind_the_ranked_the_better_first() -> None:
    rows = {
        "some": (1.0, None, 2),
        "better": (9.0, None, 2),
        "exact": (PERFECT, None, 2),
        "classes": (0.5, 0.6, 2),
        "one": (99.0, None, 1),
    }
    one = board("sample", rows)
    assert (
        overview(one)
        == on_page(one)
        == [(1, "classes"), (None, "exact"), (None, "better"), (None, "some"), (None, "one")]
    )


@pytest.mark.parametrize("sample", [False, True])
def test_the_sample_counts_in_no_mean_over_the_benchmark(sample: bool) -> None:
    boards = [
        board("omdb", {"both": (2.0, None), "one": (3.0, None)}),
        board("cantor_hea", {"both": (3.0, None)}),
    ]
    if sample:
        boards.append(board("sample", {"tried": (99.0, None), "one": (5.0, None)}))
    lines = {line.entry.model: line for line in lines_of(boards, "ranked")}
    overall = lines["both"].overall
    assert overall is not None and overall.value == 2.5 and overall.best
    assert (lines["both"].place, lines["one"].place) == (1, 2)
    assert lines["one"].overall is not None and lines["one"].overall.interval == "1 of 2 sources"
    assert not sample or lines["tried"].place == 3


def test_the_best_overall_is_marked_and_perfect_ones_are_it() -> None:
    rows: Sequence[dict[str, tuple[float | None, float | None]]] = [
        {"good": (2.0, None), "perfect": (PERFECT, None)},
        {"good": (3.0, None), "perfect": (4.0, None)},
    ]
    first, second = lines_of([board("omdb", rows[0]), board("cantor_hea", rows[1])], "ranked")
    assert first.entry.model == "perfect" and first.overall is not None and first.overall.best
    assert first.overall.text == "∞" and first.overall.interval == "2 of 2 sources"
    assert second.overall is not None and not second.overall.best


def test_one_source_alone_has_no_mean_over_all() -> None:
    for line in lines_of([board("omdb", {"a": (2.0, None)}), board("sample", {"a": (2.0, None)})], "ranked"):
        assert line.overall is None
