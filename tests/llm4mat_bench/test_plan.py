"""plan: sums that can be done by hand, rates that are measured or given and never invented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm4mat_bench import get_task, list_tasks, load_task
from llm4mat_bench.baselines.rates import Rate
from llm4mat_bench.plan import Pass, Prices, make_plan


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rate(**change: Any) -> Rate:
    known = {"model": "dummy", "revision": "1", "modality": "composition", "version": "0", "processor": "p"}
    known |= {"rows": (1000, 3000), "cpu_seconds": (3.0, 5.0), "run_bytes": 10, "steps": None}
    return Rate.model_validate(known | change)


def test_the_sums_by_hand() -> None:
    """A thousand tokens a text, a thousand labelled rows of the published ten thousand."""
    task = get_task("omdb/bandgap")
    sizes, share = task.source.published.splits, task.property.samples / task.source.published.rows
    rows = {name: round(getattr(sizes, name) * share) for name in ("train", "validation", "test")}
    plan = make_plan(
        [task],
        ["cif"],
        Pass(epochs=3, seeds=2, max_tokens=1),
        rates={"cif": rate()},
        prices=Prices(gpu_rate=100.0, price_per_hour=2.0, price_per_million=5.0),
    )
    line = plan.lines[0]
    assert line.rows == rows
    assert line.tokens_a_text == 1.0, "cut at one token"
    tokens = 2 * (3 * (rows["train"] + rows["validation"]) + rows["test"])
    assert plan.tokens == tokens
    assert plan.gpu_hours == pytest.approx(tokens / 100 / 3600)
    assert plan.cost == pytest.approx(tokens / 1e6 * 5.0 + tokens / 100 / 3600 * 2.0)
    assert plan.runs == 2


def test_core_hours_are_the_line_through_two_measurements() -> None:
    """3 s at 1000 rows and 5 s at 3000: 2 s a run and 1 ms a row."""
    known = rate()
    assert known.seconds_a_row == pytest.approx(1e-3)
    assert known.seconds_a_run == pytest.approx(2.0)
    task = get_task("sample/band_gap")
    plan = make_plan([task], ["composition"], Pass(seeds=3), rates={"composition": known})
    assert plan.core_hours == pytest.approx(3 * (2.0 + 1e-3 * 855) / 3600)
    assert plan.result_bytes == 3 * 10
    assert rate(cpu_seconds=(5.0, 3.0)).seconds_a_row == 0.0, "a busy machine gives no negative rate"


def test_steps_grow_with_the_rows_and_so_does_each() -> None:
    """1 s and 1 ms a row; 100 and 200 steps on 1000 and 4000 rows, of 1 ms and 1 us a row; 1000 steps at most."""
    seconds = (1 + 1 + 100 * 2e-3, 1 + 4 + 200 * 5e-3)
    steps = {
        "taken": (100, 200),
        "spent": (0.2, 1.0),
        "most": 1000,
        "rows": (4000, 64_000),
        "cpu_seconds": (5e-3, 65e-3),
    }
    known = rate(rows=(1000, 4000), cpu_seconds=seconds, steps=steps)
    assert known.seconds_a_run == pytest.approx(1.0)
    assert known.seconds_a_row == pytest.approx(1e-3)
    assert known.core_seconds(1000) == pytest.approx(seconds[0])
    assert known.core_seconds(4000, 1.0) == pytest.approx(seconds[1])
    assert known.core_seconds(16_000) == pytest.approx(1 + 16 + 400 * 17e-3)
    assert known.core_seconds(10**6) == pytest.approx(1 + 1000 + 1000 * 1.001)
    assert known.core_seconds(0) == pytest.approx(1.0, abs=0.01)
    assert known.core_seconds(16_000, longer=2.0) == pytest.approx(1 + 32 + 400 * 17e-3)
    same = rate(rows=(1000, 4000), cpu_seconds=seconds, steps=steps | {"taken": (200, 200)})
    assert same.steps.number(2000, same.rows) == 200
    assert same.steps.number(16_000, same.rows) == pytest.approx(400), "too much rather than too little"


@pytest.mark.slow
def test_a_step_of_trees_is_timed_over_many_rows(call: Callable[..., Any], own_cache: Path) -> None:
    pytest.importorskip("lightgbm")
    first = json.loads(call("plan", "composition_gbm", "mp/band_gap", "-m", "composition", "--json").out)
    kept = json.loads(next(own_cache.rglob("rate-composition_gbm-composition.json")).read_text())
    steps = kept["steps"]
    assert 1 < steps["taken"][0] <= steps["most"] == 2000
    assert steps["rows"] == [3143, 20 * 3143]
    assert all(seconds > 0 for seconds in steps["cpu_seconds"])
    assert first["core_hours"] > 0
    assert any("steps: " in note and "2,000 expected on a million" in note for note in first["notes"])


def test_tokens_of_the_sample_are_counted_not_estimated() -> None:
    splits = load_task("sample/density", "description")
    words = [len(text.split()) for split in splits.values() for text in split["text"][:]]

    def count(texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]

    plan = make_plan([get_task("sample/density")], ["description"], Pass(), count_tokens=count)
    assert len(words) == sum(plan.lines[0].rows.values()) == 5695
    assert plan.tokens == pytest.approx(sum(words), rel=1e-9)


def test_lengths_follow_the_publication() -> None:
    """3.1e9 words of descriptions over 1,978,985 rows: 1,566 a row."""

    def count(texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]

    plan = make_plan([get_task("mp/band_gap")], ["description", "cif"], Pass(), count_tokens=count)
    assert plan.lines[0].tokens_a_text == pytest.approx(1566, abs=1)
    assert plan.lines[1].tokens_a_text == pytest.approx(311, abs=1)


def test_a_prompted_model_reads_the_test_rows_only() -> None:
    task = get_task("sample/band_gap")
    one = make_plan([task], ["cif"], Pass(trained=False))
    five = make_plan([task], ["cif"], Pass(trained=False, shots=5))
    assert five.tokens == pytest.approx(6 * one.tokens)
    asked = make_plan([task], ["cif"], Pass(trained=False, other_tokens=70))
    assert asked.tokens == pytest.approx(one.tokens + 115 * 70)
    assert one.tokens == pytest.approx(115 * one.lines[0].tokens_a_text, rel=1e-3)


def test_the_whole_benchmark(call: Callable[..., Any]) -> None:
    answer = json.loads(call("plan", "all", "--json").out)
    assert len(answer["lines"]) == 3 * 65 == 3 * len(list_tasks())
    assert answer["core_hours"] is None and answer["gpu_hours"] is None and answer["cost"] is None
    samples = sum(task.property.samples for task in list_tasks())
    rows = sum(sum(line["rows"].values()) for line in answer["lines"] if line["modality"] == "cif")
    assert rows == pytest.approx(samples, rel=1e-3)


def test_rates_are_measured_once_and_kept(call: Callable[..., Any], own_cache: Path) -> None:
    first = json.loads(call("plan", "dummy", "mp/band_gap", "-m", "composition", "--json").out)
    kept = next(own_cache.rglob("rate-dummy-composition.json"))
    before = kept.read_bytes()
    assert first["core_hours"] > 0
    assert json.loads(call("plan", "dummy", "mp/band_gap", "-m", "composition", "--json").out) == first
    assert kept.read_bytes() == before

    assert json.loads(before)["steps"] is None, "the mean is no fit of steps"
    stale = json.loads(before) | {"revision": "0", "cpu_seconds": [1e6, 2e6]}
    kept.write_text(json.dumps(stale))
    again = json.loads(call("plan", "dummy", "mp/band_gap", "-m", "composition", "--json").out)
    assert 0 < again["core_hours"] < 1, "a rate of other code is measured again"
    kept.write_text("{")
    assert call("plan", "dummy", "mp/band_gap", "-m", "composition").status == 0


def test_a_rate_that_is_not_known_is_asked_for(call: Callable[..., Any]) -> None:
    called = call("plan", "some_llm", "mp/*", "-m", "description")
    assert called.status == 0
    assert "No rate of some_llm is known here" in " ".join(called.out.split())
    assert "GPU-hours" not in called.out.splitlines()[3]
    given = call("plan", "some_llm", "mp/*", "-m", "description", "--gpu-rate", "10000", "--price-per-hour", "2")
    assert "GPU-hours" in given.out and "in money" in given.out


def test_a_folder_with_statistics_gives_its_own_lengths(tmp_path: Path, call: Callable[..., Any]) -> None:
    built = tmp_path / "built"
    assert call("build", "sample", "--out", built).status == 0
    assert call("stats", built, "--out", built).status == 0
    words = ("plan", "sample/band_gap", "-m", "description", "--data", f"sample={built}", "--json")
    line = json.loads(call(*words).out)["lines"][0]
    assert line["rows"] == {"train": 855, "validation": 86, "test": 115}
    assert line["tokens_from"].endswith("stats.json")
    assert (
        line["tokens_a_text"]
        == json.loads(call("plan", "sample/band_gap", "-m", "description", "--json").out)["lines"][0]["tokens_a_text"]
    ), "the folder is the sample"
    (built / "stats.json").write_text("{}")
    broken = call(*words)
    assert broken.status == 1 and "run it again" in broken.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dummy",), "for which tasks?"),
        (("mp/bandgap",), "Did you mean"),
        (("composition_gbm", "mp/*", "-m", "cif"), "composition_gbm reads composition, not cif"),
        (("all", "--shots", "5"), "--shots and --other-tokens are for --prompted"),
        (("all", "--prompted", "--epochs", "5"), "--epochs is for models that are trained"),
        (("all", "--data", "./nowhere"), "no such folder"),
        ((), "Missing argument"),
    ],
)
def test_a_wrong_call_is_one_line(call: Callable[..., Any], words: tuple[str, ...], message: str) -> None:
    called = call("plan", *words)
    assert called.status == 2
    assert message in " ".join(called.err.split())
    assert "Traceback" not in called.err


def test_mean_tokens_cut_each_text_and_not_the_mean() -> None:
    from llm4mat_bench.plan import Lengths

    lengths = Lengths(np.array([10.0, 1000.0]), 1.0, 1.0, "here")
    assert lengths.mean_tokens(100) == 55.0
    assert lengths.mean_tokens(None) == 505.0
