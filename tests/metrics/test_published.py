"""The published tables: as printed, whole, and which of their averages do not follow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm4mat_bench.dataset_builder.catalogue import Source, get_source, list_sources
from llm4mat_bench.errors import DataError
from llm4mat_bench.metrics.leaderboard.published import published_entries
from llm4mat_bench.metrics.published import check_averages, get_publication, get_published_table
from llm4mat_bench.metrics.published.tables import PublishedTable, check_table

PRINTED = Path(__file__).resolve().parents[3] / "shared" / "data" / "published_results.json"
SOURCES = list_sources()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.id)
def test_every_task_has_all_thirteen_rows(source: Source) -> None:
    table = get_published_table(source.id)
    assert table is not None
    assert set(table.scores) == {prop.name for prop in source.properties}
    assert {len(cells) for cells in table.scores.values()} == {13}
    assert set(table.averages) == {prop.kind for prop in source.properties}


def test_the_sample_has_none() -> None:
    assert get_published_table("sample") is None
    assert published_entries(get_source("sample")) == []


@pytest.mark.skipif(not PRINTED.exists(), reason="the published tables are not beside the repository")
def test_every_number_is_the_printed_one() -> None:
    printed = json.loads(PRINTED.read_text())
    rows = get_publication().rows
    by_name = {(row.modality, row.name): name for name, row in rows.items()}
    assert len(by_name) == 13
    compared = 0
    for source in SOURCES:
        table = get_published_table(source.id)
        assert table is not None
        names = {prop.published_label: prop.name for prop in source.properties}
        given = printed["per_task"][source.id]
        for row in given["rows"]:
            for label, value in zip(given["tasks"], row["values"], strict=True):
                assert table.scores[names[label]][by_name[row["input"], row["model"]]] == value
                compared += 1
        for place, column in enumerate(printed["aggregate"]["columns"]):
            name, kind = column.split("/")
            if name == source.id:
                for row in printed["aggregate"]["rows"]:
                    found = table.averages[kind][by_name[row["input"], row["model"]]]  # type: ignore[index]
                    assert found == row["values"][place]
                    compared += 1
    assert compared == 13 * 65 + 156


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda table: table["scores"].pop("band_gap"), "scores: band_gap is missing"),
        (lambda table: table["scores"].update(bandgap={}), "scores: bandgap is not in the catalogue"),
        (lambda table: table["scores"]["band_gap"].pop("cif/cgcnn"), "scores.band_gap: cif/cgcnn is missing"),
        (lambda table: table["averages"].pop("regression"), "averages: regression is missing"),
        (lambda table: table["scores"]["is_stable"].update({"cif/cgcnn": 1.5}), "an AUC is at most 1"),
        (lambda table: table.update(source="oqmd"), "source: oqmd"),
    ],
)
def test_a_table_that_does_not_fit_the_catalogue_is_refused(change: Callable[[Any], Any], fault: str) -> None:
    table = get_published_table("mp")
    assert table is not None
    value = table.model_dump(mode="json")
    change(value)
    with pytest.raises(DataError, match=fault):
        check_table(PublishedTable.model_validate(value), get_source("mp"), get_publication(), Path("mp.yaml"))


def test_extra_keys_are_refused() -> None:
    table = get_published_table("omdb")
    assert table is not None
    with pytest.raises(ValueError, match="Extra inputs"):
        PublishedTable.model_validate(table.model_dump() | {"score": 1})


def test_two_averages_do_not_follow() -> None:
    found = check_averages()
    assert found.checked == 156
    assert [(one.source, one.kind, one.modality, one.model, one.published) for one in found.faults] == [
        ("mp", "classification", "description", "MatBERT-109M", 0.735),
        ("snumat", "classification", "composition", "LLM-Prop-35M", 0.719),
    ]
    assert [one.recomputed for one in found.faults] == pytest.approx([0.7535, 0.7])
    assert [(one.source, one.stated_tasks, one.tasks) for one in found.headers] == [("cantor_hea", 6, 4)]


def test_a_tighter_tolerance_finds_more() -> None:
    assert len(check_averages(0.005).faults) == 3


def test_the_command_lists_them(call: Callable[..., Any]) -> None:
    called = call("leaderboard", "--check-published")
    assert called.status == 0, called.err
    assert "154 of 156 published averages follow" in called.out
    assert "0.735 is printed" in called.out
    assert "the header says 6 tasks, the table has 4" in called.out
    value = json.loads(call("leaderboard", "--check-published", "--json").out)
    assert value["checked"] == 156
    assert value["citation"]["doi"] == "10.1088/2632-2153/add3bb"
    assert len(value["faults"]) == 2


def test_results_or_the_published_tables(call: Callable[..., Any], tmp_path: Path) -> None:
    assert "leave RESULTS out" in call("leaderboard", tmp_path, "--check-published").err
    assert "folder of results" in call("leaderboard").err


def test_published_rows_say_what_they_are() -> None:
    entries = published_entries(get_source("mp"))
    assert len(entries) == 13
    for entry in entries:
        assert entry.origin == "published"
        assert not entry.data_checked
        assert entry.apart == ("reported, not recomputed",)
        for task, cell in entry.cells.items():
            assert cell.hard_labels == (task in ("mp/is_stable", "mp/is_gap_direct"))
            assert cell.interval == "" and cell.coverage is None and cell.runs == ()
    cgcnn = entries[0]
    assert cgcnn.cells["mp/formation_energy_per_atom"].value == 8.151
    assert cgcnn.means["regression"].text == "5.319"
    odd = next(entry for entry in entries if (entry.model, entry.modality) == ("MatBERT-109M", "description"))
    assert "does not follow from its own table" in (odd.means["classification"].note or "")
    invalid = next(entry for entry in entries if (entry.model, entry.modality) == ("Llama 2-7b-chat:5S", "cif"))
    assert invalid.means["regression"].text == "Inval."
    assert invalid.means["regression"].value is None
