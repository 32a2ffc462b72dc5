"""What `check` wrote into the card is still there after a rebuild."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from published import Row, with_sizes, write_published
from typer.testing import CliRunner

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.catalogue import Source
from llm4mat_bench.dataset_builder.dataset_folder.card_sections import card_sections, mark_outdated, put_section
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.errors import DataError

SIZES = (8, 2, 3)
SECTION = "<!-- one: written by `llm4mat-bench check`, do not edit -->\n## One\n\ntext\n<!-- one: end -->\n"


def build(folder: Path, change: Callable[[dict[str, list[Row]]], None] = lambda splits: None) -> Source:
    source = with_sizes(write_published(folder / "in", change=change), SIZES)
    build_source(source, folder / "in", folder / "out")
    return source


def test_a_rebuild_keeps_the_leakage_section(tmp_path: Path) -> None:
    build(tmp_path)
    card = tmp_path / "out" / "README.md"
    fresh = card.read_text()
    assert CliRunner().invoke(app, ["check", str(tmp_path / "out"), "--no-structures"]).exit_code == 0
    checked = card.read_text()
    section = card_sections(card)["leakage"]
    assert "## Leakage" in section and "## Leakage" not in fresh

    build(tmp_path)  # the same data
    assert card.read_text() == checked

    def change(splits: dict[str, list[Row]]) -> None:
        splits["train"][0]["band_gap"] = "7.5"

    for _ in range(2):  # other data: what was found stays, and says that it is of the old one
        build(tmp_path, change)
        assert "> Written before mp was last built; `llm4mat-bench check` writes it anew." in card.read_text()
        assert card.read_text().count("## Leakage") == card.read_text().count("> Written before") == 1
    assert CliRunner().invoke(app, ["check", str(tmp_path / "out"), "--no-structures"]).exit_code == 0
    assert "Written before" not in card.read_text()


def test_tables_of_faults_go_with_the_faults(tmp_path: Path) -> None:
    def change(splits: dict[str, list[Row]]) -> None:
        splits["train"][3] = dict(splits["train"][2])

    build(tmp_path, change)
    assert (tmp_path / "out" / "faults" / "mp" / "train.parquet").exists()
    build(tmp_path)
    assert not (tmp_path / "out" / "faults" / "mp").exists()


def test_sections_are_put_in_place(tmp_path: Path) -> None:
    card = put_section("# Card\n", SECTION)
    assert card == f"# Card\n\n{SECTION}"
    other = SECTION.replace("text", "more text")
    assert put_section(card + "\nend\n", other) == f"# Card\n\n{other}\nend\n"
    assert mark_outdated(mark_outdated(SECTION, ["mp"]), ["oqmd"]) == mark_outdated(SECTION, ["oqmd"])
    windows = (card + "\nend\n").replace("\n", "\r\n")
    assert put_section(windows, other) == f"# Card\n\n{other}\nend\n".replace("\n", "\r\n")
    assert put_section("# Card\r\n", SECTION) == f"# Card\n\n{SECTION}".replace("\n", "\r\n")
    broken = tmp_path / "README.md"
    broken.write_text(card.replace("<!-- one: end -->", ""))
    with pytest.raises(DataError, match="the section on one has no end"):
        card_sections(broken)
    shutil.rmtree(tmp_path)
    assert card_sections(broken) == {}
