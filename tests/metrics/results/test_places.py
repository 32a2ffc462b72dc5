"""Places of data by name: each run finds its own, and what cannot be compared says so."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgery import change_record
from toy_runs import toy_run

from llm4mat_bench import get_task
from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.metrics.results.places import Place, Truths, read_places
from llm4mat_bench.metrics.results.processes import in_processes, truths_here
from llm4mat_bench.metrics.results.truth import read_truth
from llm4mat_bench.metrics.results.verify import verify_results

MP = "mp/band_gap"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built folder of 400 synthetic rows of mp."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
    from synthetic import write_published

    folder = tmp_path_factory.mktemp("data")
    write_published(folder / "published" / "mp", 400)
    options = BuildOptions(allow_partial=True)
    build_source(get_source("mp"), folder / "published", folder / "built", options)
    return folder / "built"


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results on the sample and on mp."""
    results = tmp_path_factory.mktemp("results")
    toy_run(results)
    toy_run(results, MP, data=data)
    return results


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "results"))


@pytest.mark.parametrize("form", ["{}", "mp={}", "built={}"])
def test_two_sources_verify_in_one_call(results: Path, data: Path, call: Callable[..., Any], form: str) -> None:
    answer = json.loads(call("verify", results, "--data", form.format(data), "--json").out)
    assert [(one["task"], one["sound"], one["data_checked"]) for one in answer] == [
        (MP, True, True),
        ("sample/band_gap", True, True),
    ]


def test_without_its_data_a_run_is_told_apart(results: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    called = call("verify", results)
    assert called.status == 0
    assert "1 were checked without their data: give --data" in " ".join(called.out.split())
    called = call("leaderboard", results, "--out", tmp_path / "board")
    assert "1 of them are not ranked" in " ".join(called.out.split())
    mp, sample = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert (mp["source"], mp["entries"], len(mp["apart"])) == ("mp", [], 1)
    assert (len(sample["entries"]), sample["apart"]) == (1, [])


def test_a_figure_of_a_run_without_its_data_says_so(
    results: Path, data: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    pytest.importorskip("matplotlib")
    words = ("plot", "parity", results, "--format", "svg", "--out", tmp_path)
    called = call(*words)
    assert called.status == 0
    assert f"data not compared: 1 run of {MP}, whose data is not at hand" in " ".join(called.err.split())
    mp, sample = (next(tmp_path.glob(f"parity-{source}-*.svg")) for source in ("mp", "sample"))
    assert "data not compared" in mp.read_text()
    assert "data not compared" not in sample.read_text()
    assert len(json.loads(call(*words, "--json").out)["not_compared"]) == 1
    called = call(*words, "--data", data)
    assert "not compared" not in called.err + mp.read_text()


def test_with_its_data_it_is_ranked_under_the_place_given(
    results: Path, data: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    assert call("leaderboard", results, "--data", f"mp={data}", "--out", tmp_path / "board").status == 0
    mp, _ = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert mp["entries"][0]["dataset"] == "mp"


def test_a_record_cannot_choose_its_truth(results: Path, data: Path) -> None:
    """Whatever it calls its data, the task decides among the places that were given."""
    folder = next(results.glob("mp/band_gap/*/*"))
    change_record(folder, lambda record: record["data"].update(dataset="embedded sample"))
    found = next(one for one in verify_results(results, read_places([str(data)])) if one.folder == folder)
    assert found.data_checked
    assert found.place == "built"


def test_the_place_with_the_records_labels_is_taken(results: Path, data: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(data, tmp_path / "other"))
    shard = next((other / "data" / "mp").glob("test-*.parquet"))
    table = pq.read_table(shard)
    pq.write_table(table.set_column(0, table.schema.field(0), [pa.array([f"x{i}" for i in range(len(table))])]), shard)
    places = read_places([f"mp={other}", f"built={data}"])
    assert all(not one.faults for one in verify_results(results, places))
    (alone,) = (one for one in verify_results(results, read_places([f"mp={other}"])) if one.record.task == MP)
    assert alone.faults


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "./nowhere"), "--data ./nowhere: no such folder"),
        (("--data", "nowhere"), "--data nowhere: no such folder"),
        (("--data", "mp=./nowhere"), "--data ./nowhere: no such folder"),
        (("--data", "mp="), "write DIR or NAME=DIR"),
        (("--data", "="), "write DIR or NAME=DIR"),
        (("--data", "oqmd={data}"), "holds mp, not oqmd"),
        (("--data", "{results}"), "no dataset folder"),
        (("--data", "embedded sample={data}"), "needs no place"),
        (("--data", "{data}", "--source", "{data}"), "--source is the old name of --data"),
        (("--source", "./nowhere"), "no such folder"),
    ],
)
def test_a_place_that_is_none_is_a_usage_error(
    results: Path, data: Path, call: Callable[..., Any], words: tuple[str, ...], message: str
) -> None:
    given = [word.format(data=data, results=results) for word in words]
    for command in ("verify", "leaderboard"):
        called = call(command, results, *given)
        assert called.status == 2
        assert message in " ".join(called.err.split())
    called = call("score", next(results.glob("mp/*/*/*")) / "predictions.parquet", "--task", MP, *given)
    assert called.status == 2


def test_the_old_option_works_and_warns(results: Path, data: Path, call: Callable[..., Any]) -> None:
    called = call("verify", results, "--source", data)
    assert called.status == 0
    assert "--source is the old name of --data" in called.err
    assert "without their data" not in called.out


def test_a_place_that_served_nothing_is_named(results: Path, data: Path, call: Callable[..., Any]) -> None:
    shutil.rmtree(results / "mp")
    called = call("verify", results, "--data", data)
    assert called.status == 0
    assert f"--data {data}: no run was compared with this data; those on the embedded sample need none" in " ".join(
        called.err.split()
    )


def test_damaged_data_is_the_fault_of_the_runs_that_need_it(results: Path, data: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(data, tmp_path / "damaged"))
    next((damaged / "data" / "mp").glob("test-*.parquet")).write_bytes(b"PAR1")
    mp, sample = verify_results(results, read_places([str(damaged)]))
    assert mp.faults and not mp.data_checked
    assert not sample.faults


def test_each_task_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from llm4mat_bench.metrics.results import places

    reads: list[str] = []

    def counted(*given: Any, **named: Any) -> Any:
        reads.append(given[0].name)
        return read_truth(*given, **named)

    for seed in range(6):
        toy_run(tmp_path, seed=seed)
        toy_run(tmp_path, "sample/is_stable", seed=seed)
    monkeypatch.setattr(places, "read_truth", counted)
    assert all(not one.faults for one in verify_results(tmp_path))
    assert sorted(reads) == ["sample/band_gap", "sample/is_stable"]


def test_a_sample_built_elsewhere_is_the_sample_too(tmp_path: Path) -> None:
    from llm4mat_bench.dataset_builder.export.sample import build_sample

    build_sample(tmp_path / "mine")
    folder = toy_run(tmp_path / "results", data=tmp_path / "mine")
    (alone,) = verify_results(tmp_path / "results")
    assert (alone.folder, alone.faults, alone.place) == (folder, (), "embedded sample")
    (given,) = verify_results(tmp_path / "results", read_places([str(tmp_path / "mine")]))
    assert (given.faults, given.place) == ((), "mine")


def test_truths_are_found_by_task(data: Path) -> None:
    truths = Truths(read_places([str(data)]))
    assert truths.find(get_task("oqmd/bandgap")) is None
    found = truths.find(get_task(MP))
    assert found is not None
    assert found.place == "built"
    np.testing.assert_allclose(found.training_mean, read_truth(get_task(MP), data).training_mean)


def test_names_of_repos_are_taken_for_what_they_are() -> None:
    (named, plain) = read_places(["mp=owner/name", "owner/name"])
    assert (named.name, named.data, plain.name) == ("mp", "owner/name", None)
    with pytest.raises(UsageError):
        read_places(["a/b/c"])


def test_processes_find_the_same(
    results: Path, data: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    from llm4mat_bench.metrics.results import verify

    shutil.copytree(next(results.glob("sample/*/*/*")), results / "copy")
    (results / "copy" / "predictions.parquet").unlink()
    alone = verify_results(results, read_places([str(data)]))
    monkeypatch.setattr(verify, "_WORTH_WORKERS", 2)
    monkeypatch.setattr(verify, "_PIECE", 1)
    truths = Truths(read_places([str(data)]))
    told: list[tuple[str, int, int]] = []
    assert verify_results(results, truths, lambda *said: told.append(said), workers=2) == alone
    assert truths.used == set(truths.places)
    assert told[-1] == ("verifying", 3, 3)


def test_a_killed_process_is_told_in_one_line() -> None:
    found = in_processes(_die_elsewhere, [os.getpid()] * 1200, Truths(), 2, lambda one: f"got {one}")
    with pytest.raises(DataError, match=rf"^a process was killed while it got {os.getpid()} \(.*--workers 1"):
        list(found)


def test_the_process_that_asks_does_its_share(data: Path) -> None:
    truths = Truths(read_places([str(data)]))
    pieces = [number / 10_000 for number in range(300)]
    found = list(in_processes(_who, pieces, truths, 2, str))
    assert [piece for piece, _, _ in found] == pieces
    # This one begins, and the other, once it has started, takes some from the end.
    assert found[0][1] == os.getpid()
    assert len({who for _, who, _ in found}) == 2
    assert {places for _, _, places in found} == {truths.places}


def _die_elsewhere(parent: int) -> None:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)


def _who(piece: float) -> tuple[float, int, tuple[Place, ...]]:
    time.sleep(0.05)
    return piece, os.getpid(), truths_here().places
