"""The catalogue against the facts of the publication, and against misuse."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from llm4mat_bench import get_task, list_sources, list_tasks, load_task
from llm4mat_bench.dataset_builder.catalogue import get_benchmark, get_source, load_source_file, meaning_of
from llm4mat_bench.dataset_builder.catalogue.meanings import MEANINGS
from llm4mat_bench.dataset_builder.catalogue.models import PossibleRange, Source
from llm4mat_bench.dataset_builder.dataset_folder import read_labels, task_identity
from llm4mat_bench.errors import DataError, UsageError

SHARED = Path(__file__).resolve().parents[4] / "shared"
CATALOGUE = Path(__file__).resolve().parents[3] / "dataset_builder" / "catalogue"
SAMPLE = CATALOGUE.parent / "sample"


def test_ten_sources_and_sixty_five_tasks() -> None:
    kinds = [task.kind for task in list_tasks()]
    assert len(list_sources()) == 10
    assert len(kinds) == 65
    assert kinds.count("regression") == 60
    assert kinds.count("classification") == 5


def test_one_file_a_source() -> None:
    assert {path.stem for path in CATALOGUE.glob("*.yaml")} == {source.id for source in list_sources()}


def test_every_split_sums_and_so_do_the_sources() -> None:
    """The rows add up to 2,433,688; the publication's headline of 1,978,985 does not follow from its own table."""
    for source in list_sources():
        assert source.published.splits.total == source.published.rows <= source.published.cifs
    assert sum(source.published.rows for source in list_sources()) == 2_433_688
    assert get_benchmark().stated_rows == 1_978_985
    assert "2,433,688" in get_benchmark().stated_rows_note


@pytest.mark.skipif(not SHARED.exists(), reason="the facts file is not beside the repository")
def test_sizes_are_those_of_the_facts_file() -> None:
    rows = re.findall(r"^\| (\w+) \|((?: [\d,]+ \|){6})$", (SHARED / "SOURCES.md").read_text(), flags=re.M)
    assert len(rows) == 10
    for name, cells in rows:
        numbers = [int(cell.replace(",", "")) for cell in cells.strip(" |").split(" | ")]
        source = get_source(name)
        splits = source.published.splits
        found = [source.published.cifs, source.published.rows, splits.train, splits.validation, splits.test]
        assert [*found, len(source.properties)] == numbers


@pytest.mark.skipif(not SHARED.exists(), reason="the published tables are not beside the repository")
def test_labels_and_samples_are_those_of_the_published_tables() -> None:
    tables = yaml.safe_load((SHARED / "data" / "published_results.json").read_text())["per_task"]
    for name, table in tables.items():
        found = {prop.published_label: f"{prop.samples / 1000:.1f}K" for prop in get_source(name).properties}
        assert found == dict(zip(table["tasks"], table["samples_shown"], strict=True))


@pytest.mark.parametrize("source", list_sources(include_sample=True), ids=lambda source: source.id)
def test_every_declaration_is_complete(source: Source) -> None:
    assert source.licence.name
    if source.licence.status == "unverified":
        assert source.licence.commercial_use is None
        assert source.licence.note
    assert source.citation.doi
    assert source.download.url.startswith("https://")
    for prop in source.properties:
        assert prop.title.strip() and "_" not in prop.title
        assert prop.unit is not None or prop.kind == "classification" or source.id in ("hmof", "jarvis_dft")


@pytest.mark.parametrize(("alias", "name"), [("hea", "cantor_hea"), ("jarvis", "jarvis_dft"), ("qe_tb", "jarvis_qetb")])
def test_older_names_are_understood(alias: str, name: str) -> None:
    assert get_source(alias).id == name


def test_get_task() -> None:
    task = get_task("mp/band_gap")
    assert (task.name, task.unit, task.kind) == ("mp/band_gap", "eV", "regression")
    assert get_task("MP/Band_Gap") == task
    assert get_task("jarvis/n-Seebeck").name == "jarvis_dft/n-Seebeck"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("mp/bandgap", "mp/band_gap"), ("mpp/band_gap", "mp/band_gap"), ("hmof/max_co2", "hmof/max_co2_adsp")],
)
def test_a_wrong_name_gets_the_nearest_right_ones(wrong: str, right: str) -> None:
    with pytest.raises(UsageError, match=re.escape(right)):
        get_task(wrong)


def test_a_source_is_no_task() -> None:
    with pytest.raises(UsageError, match="omdb/bandgap"):
        get_task("omdb")


def test_extra_keys_are_refused() -> None:
    declared = yaml.safe_load((CATALOGUE / "omdb.yaml").read_text())
    with pytest.raises(ValidationError, match="colour"):
        Source.model_validate(declared | {"colour": "blue"})


def test_splits_that_do_not_add_up_are_refused() -> None:
    declared = yaml.safe_load((CATALOGUE / "omdb.yaml").read_text())
    declared["published"]["rows"] += 1
    with pytest.raises(ValidationError, match="splits sum to 12122"):
        Source.model_validate(declared)


def test_a_broken_declaration_is_one_line_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\n")
    with pytest.raises(DataError, match=r"mine\.yaml: title is missing \(9 faults in all\)"):
        load_source_file(path)
    path.write_text("id: [")
    with pytest.raises(DataError, match="not valid YAML"):
        load_source_file(path)


def test_every_property_has_a_meaning_and_every_meaning_a_property() -> None:
    properties = [task.property for task in list_tasks(include_sample=True)]
    found = [meaning_of(prop) for prop in properties]
    assert all(found)
    titles = {entry["title"] for entry in yaml.safe_load(MEANINGS.read_text())}
    assert {one.title for one in found if one} == titles
    for prop, one in zip(properties, found, strict=True):
        assert one is not None
        assert (one.words is not None) == (prop.kind == "classification"), prop.name


def test_the_sample_lies_within_the_bounds_of_its_quantities() -> None:
    for task in get_source("sample").tasks:
        one = meaning_of(task.property)
        assert one is not None
        if one.lowest is None and one.highest is None:
            continue
        for split in ("train", "validation", "test"):
            values = pq.read_table(SAMPLE / f"{split}.parquet", columns=[task.property.name])[0].drop_null().to_numpy()
            assert one.lowest is None or values.min() >= one.lowest, task.name
            assert one.highest is None or values.max() <= one.highest, task.name


def test_every_number_says_what_is_possible() -> None:
    for task in list_tasks():
        possible = task.property.possible
        assert (possible is None) == (task.kind == "classification"), task.name
    assert str(get_task("mp/band_gap").property.possible) == "at least 0, at most 30"
    for bad in ({}, {"minimum": 0, "above": 0}, {"minimum": 2, "maximum": 1}, {"least": 0}):
        with pytest.raises(ValidationError):
            PossibleRange.model_validate(bad)


def test_the_bounds_of_definitions_hold_the_possible_ranges() -> None:
    for task in list_tasks():
        one, possible = meaning_of(task.property), task.property.possible
        if one is None or (one.lowest is None and one.highest is None):
            continue
        assert possible is not None, task.name
        low = possible.above if possible.minimum is None else possible.minimum
        assert one.lowest is None or (low is not None and one.lowest <= low), task.name
        assert one.highest is None or (possible.maximum is not None and possible.maximum <= one.highest), task.name


@pytest.mark.parametrize("name", [None, 5, ["mp/band_gap"], b"mp/band_gap", float("nan")])
def test_a_name_that_is_no_text_is_a_usage_error(name: object) -> None:
    for call in (get_task, get_source, list_tasks, load_task, read_labels, task_identity):
        if call is list_tasks and name is None:
            continue  # all tasks
        with pytest.raises(UsageError, match="is named by text, not by") as caught:
            call(*([name, "composition"] if call is task_identity else [name]))
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="a modality is named by text"):
        load_task("sample/band_gap", name)  # type: ignore[arg-type]


def test_a_task_is_as_good_as_its_name() -> None:
    task = get_task("sample/band_gap")
    assert get_task(task) is task
