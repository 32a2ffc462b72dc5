"""The example in docs/results-format.md does what it says, and the page names what the record has."""

import re
from pathlib import Path

import pytest

from llm4mat_bench.metrics.results.record import ResultRecord
from llm4mat_bench.metrics.results.verify import verify_results

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "results-format.md").read_text()


def test_the_example_makes_a_sound_run_and_finds_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    exec(example, {})
    assert "found results/sample/band_gap/composition/always-one-seed0-" in capsys.readouterr().out
    (found,) = verify_results(tmp_path / "results")
    assert not found.faults and found.data_checked


def test_every_part_of_the_record_is_named() -> None:
    table = PAGE.partition("## Record")[2].partition("### Run id")[0]
    assert all(f"`{part}`" in table for part in ResultRecord.model_fields)
