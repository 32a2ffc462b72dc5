"""The file job: killed, resumed, the same bytes; journals of other runs; the command."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.descriptions.batch import job
from llm4mat_bench.dataset_builder.descriptions.batch.errors import DescribeInputError, DescribeUsageError
from llm4mat_bench.dataset_builder.descriptions.batch.inputs import open_source
from llm4mat_bench.dataset_builder.descriptions.batch.job import run_job
from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.batch.records import Settings, Status
from llm4mat_bench.dataset_builder.descriptions.batch.summary import Summary
from llm4mat_bench.errors import DataError
from llm4mat_bench.journal import Journal, JournalError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-c", "from llm4mat_bench.cli import main; main()", "describe"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "200"}
ROWS = 120


@pytest.fixture(scope="module")
def crystals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CIFs of many sizes, some of them faulty."""
    folder = tmp_path_factory.mktemp("crystals")
    pick = random.Random(0)
    for number in range(ROWS):
        size = pick.choice([1, 2, 3, 5, 8])
        elements = pick.choices(["Na", "K", "Mg", "Ca", "Al", "Si", "O", "S", "Be"], k=size)
        places = [[(place + 0.5) / size] * 3 for place in range(size)]
        text = Structure(Lattice.cubic(4 + size), elements, places).to(fmt="cif")
        (folder / f"{number:03d}.cif").write_text(text[: pick.choice([len(text)] * 9 + [len(text) // 2])])
    return folder


def run(crystals: Path, out: Path, workers: int = 2, describer: str = "quick", **options: object) -> Summary:
    overwrite = bool(options.pop("overwrite", False))
    settings = Settings(describer=f"fake_describers:{describer}", **options)  # type: ignore[arg-type]
    return run_job(open_source(crystals), out, settings, lambda: LocalPool(settings, workers), overwrite=overwrite)


@pytest.fixture(scope="module")
def whole(crystals: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out.parquet"
    run(crystals, out, workers=1, describer="steady")
    return out.read_bytes()


def test_what_is_written(crystals: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.parquet"
    summary = run(crystals, out, describer="troubled")
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.parquet"]
    table = pq.read_table(out)
    assert table.schema.names == ["id", "origin", "description", "condensed", "status", "reason", "n_sites"]
    assert table["id"].to_pylist() == [f"{number:03d}" for number in range(ROWS)]
    assert table["origin"].to_pylist() == [f"{number:03d}.cif" for number in range(ROWS)]
    rows = table.to_pylist()
    for row in rows:
        assert (row["status"] == "ok") == (row["description"] is not None) == (row["reason"] is None)
    statuses = [row["status"] for row in rows]
    assert {"ok", "bad_cif", "robocrys_error"} == set(statuses)
    assert summary.rows == ROWS
    assert {status.value: count for status, count in summary.counts.items() if count} == {
        status: statuses.count(status) for status in set(statuses)
    }
    assert [row.id for row in summary.failures] == [row["id"] for row in rows if row["status"] != "ok"][:20]
    header = json.loads(table.schema.metadata[b"llm4mat_bench.describe"])
    assert header["settings"]["style"] == "published"
    assert header["input"]["rows"] == ROWS
    assert header["versions"]["pymatgen"]
    assert pq.read_table(_run_to(crystals, tmp_path / "b.parquet", condensed=False)).schema.names == [
        name for name in table.schema.names if name != "condensed"
    ]


def _run_to(crystals: Path, out: Path, **options: object) -> Path:
    run(crystals, out, **options)  # type: ignore[arg-type]
    return out


def _start(crystals: Path, out: Path, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, crystals, "--out", out, "--workers", str(workers), "--describer", "fake_describers:steady"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets them, and what they start, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


def _await_rows(process: subprocess.Popen[str], out: Path, rows: int) -> None:
    """Wait until so many rows have been written, as the journal's write-ahead log tells: two pages or more a row."""
    log = out.with_name(out.name + ".journal-wal")
    end = time.monotonic() + 300
    while (log.stat().st_size if log.exists() else 0) <= rows * 2 * 4120:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)


def _rows_in(out: Path) -> int:
    with closing(sqlite3.connect(out.with_name(out.name + ".journal"))) as database:
        begun = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'entries'").fetchone()[0]
        return database.execute("SELECT count(*) FROM entries").fetchone()[0] if begun else 0


@pytest.mark.slow
def test_killed_five_times_it_ends_with_the_same_bytes(crystals: Path, whole: bytes, tmp_path: Path) -> None:
    """kill -9 of the command at five moments, the number of workers changing."""
    out = tmp_path / "out.parquet"
    seen = [0]
    for turn, wanted in enumerate([0, 5, 25, 50, 90]):
        process = _start(crystals, out, turn % 3 + 1)
        _await_rows(process, out, max(0, wanted - seen[-1]))
        process.kill()
        process.communicate()
        rows = _rows_in(out)
        assert seen[-1] <= rows < ROWS  # nothing that was done is lost, and it was killed in its middle
        assert not out.exists()
        seen.append(rows)
    assert seen[-1] > 20
    summary = run(crystals, out, workers=3, describer="steady")
    assert summary.resumed >= seen[-1]
    assert out.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet"]


@pytest.mark.parametrize("lost", [1, 30, 5000])
def test_a_torn_journal_is_mended(crystals: Path, whole: bytes, tmp_path: Path, lost: int) -> None:
    """A power cut may lose the end of the journal's log."""
    out = tmp_path / "out.parquet"
    process = _start(crystals, out, 2)
    _await_rows(process, out, 40)
    process.kill()
    process.communicate()
    log = out.with_name("out.parquet.journal-wal")
    complete = log.read_bytes()
    frame = 24 + 4096
    end = 32 + (len(complete) - 32) // frame * frame
    log.write_bytes(complete[: end - lost])
    assert 0 < run(crystals, out, describer="steady").resumed < ROWS
    assert out.read_bytes() == whole


def test_a_damaged_journal_is_told(crystals: Path, whole: bytes, tmp_path: Path) -> None:
    out, journal = tmp_path / "out.parquet", tmp_path / "out.parquet.journal"
    with pytest.raises(RuntimeError, match="stop"):
        _interrupted(crystals, out, after=60)
    complete = journal.read_bytes()
    journal.write_bytes(complete[:4096] + bytes(200) + complete[4296:])
    with pytest.raises(JournalError, match=r"damaged.*--overwrite"):
        run(crystals, out, describer="steady")
    assert run(crystals, out, describer="steady", overwrite=True).resumed == 0
    assert out.read_bytes() == whole


def test_a_journal_of_the_older_form_is_refused(crystals: Path, tmp_path: Path) -> None:
    journal = tmp_path / "out.parquet.journal"
    journal.write_text('1234abcd {"format":"llm4mat-bench descriptions 1"}\n')
    with pytest.raises(JournalError, match=r"an earlier version of llm4mat-bench.*--overwrite"):
        run(crystals, tmp_path / "out.parquet", describer="steady")
    assert journal.read_text().startswith("1234abcd")


def test_a_full_disk_while_describing(
    crystals: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; what was finished is kept, and the same call goes on."""
    out = tmp_path / "out.parquet"
    put = Journal.put

    def fill(self: Journal, items: Any) -> None:
        if len(self) == 30:
            self._run(f"PRAGMA max_page_count = {self._row('PRAGMA page_count')[0]}")
            items = {key: {**row, "reason": "x" * 100_000} for key, row in items.items()}
        put(self, items)

    with monkeypatch.context() as full:
        full.setattr(Journal, "put", fill)
        with pytest.raises(DataError, match="journal cannot be written: the disk is full"):
            run(crystals, out, describer="steady")
    assert run(crystals, out, describer="steady").resumed == 30
    assert out.read_bytes() == whole


class _Stop:
    """A progress that ends the run after so many rows."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._before: int | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        if step == "describing":
            if self._before is None:
                self._before = done
            if done - self._before >= self._after:
                raise RuntimeError("stop")


def _interrupted(crystals: Path, out: Path, after: int) -> None:
    settings = Settings(describer="fake_describers:steady")
    run_job(open_source(crystals), out, settings, lambda: LocalPool(settings, 2), progress=_Stop(after))


def test_a_change_of_input_or_settings_is_refused(crystals: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sorted(crystals.iterdir())[:10]:
        (folder / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out.parquet"
    with pytest.raises(RuntimeError, match="stop"):
        _interrupted(folder, out, after=3)
    before = (tmp_path / "out.parquet.journal").read_bytes()
    with pytest.raises(JournalError, match=r"style published → upstream.*--overwrite"):
        run(folder, out, describer="steady", style="upstream")
    (folder / "000.cif").write_text("changed")
    with pytest.raises(JournalError, match="sha256"):
        run(folder, out, describer="steady")
    assert (tmp_path / "out.parquet.journal").read_bytes() == before
    summary = run(folder, out, describer="steady", overwrite=True)
    assert summary.resumed == 0
    assert pq.read_table(out)["status"][0].as_py() == "bad_cif"
    with pytest.raises(JournalError, match="was made from other input, settings or versions"):
        run(folder, out, describer="steady", style="upstream")
    assert run(folder, out, describer="steady").resumed == 10  # complete: nothing is done again
    out.write_text("someone's")
    with pytest.raises(JournalError, match="was not made by this command"):
        run(folder, out, describer="steady")
    assert out.read_text() == "someone's"


def test_overwrite_goes_on_with_its_own_journal(crystals: Path, whole: bytes, tmp_path: Path) -> None:
    """Else a queue that starts a killed job again with the same call would never end."""
    out = tmp_path / "out.parquet"
    with pytest.raises(RuntimeError, match="stop"):
        _interrupted(crystals, out, after=20)
    out.write_text("someone's")
    assert run(crystals, out, describer="steady", overwrite=True).resumed == 20
    assert out.read_bytes() == whole


def test_killed_between_the_file_and_the_end_of_the_journal(crystals: Path, whole: bytes, tmp_path: Path) -> None:
    out, journal = tmp_path / "out.parquet", tmp_path / "out.parquet.journal"
    with pytest.raises(RuntimeError, match="stop"):
        _interrupted(crystals, out, after=ROWS)
    left = journal.read_bytes()
    assert run(crystals, out, describer="steady").resumed == ROWS
    journal.write_bytes(left)
    assert run(crystals, out, describer="steady").resumed == ROWS
    assert out.read_bytes() == whole
    assert not journal.exists()


def test_two_runs_do_not_write_one_file(crystals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with (
        Journal(tmp_path / "out.parquet.journal", {}, exclusive=True),
        pytest.raises(JournalError, match="another run"),
    ):
        run(crystals, out)


def test_a_file_that_is_not_a_journal_is_left_alone(crystals: Path, tmp_path: Path) -> None:
    journal = tmp_path / "out.parquet.journal"
    for content in (b"my diary", b"my diary\nday two\n"):
        journal.write_bytes(content)
        with pytest.raises(JournalError, match="not the journal"):
            run(crystals, tmp_path / "out.parquet")
        assert journal.read_bytes() == content


def test_input_that_changes_while_it_is_read(crystals: Path, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text("one")
    source = open_source(tmp_path)
    settings = Settings(describer="fake_describers:quick")

    def change(step: str, done: int, total: int) -> None:
        if step == "describing":
            (tmp_path / "a.cif").write_text("two")

    with pytest.raises(DescribeInputError, match="changed while it was read"):
        run_job(source, tmp_path / "o.parquet", settings, lambda: LocalPool(settings, 1), progress=change)


def test_small_windows_write_the_same(
    crystals: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "WINDOW_ROWS", 7)
    out = tmp_path / "out.parquet"
    run(crystals, out, workers=3, describer="steady")
    assert out.read_bytes() == whole


def test_the_largest_go_first(tmp_path: Path) -> None:
    for number, size in enumerate([3, 30, 10]):
        (tmp_path / f"{number}.cif").write_text("x" * size)
    order = [index for index, _ in job._largest_first(enumerate(open_source(tmp_path).entries()))]
    assert order == [1, 2, 0]


def test_where_it_may_be_written(crystals: Path, tmp_path: Path) -> None:
    with pytest.raises(DescribeUsageError, match=r"\.parquet"):
        run(crystals, tmp_path / "out.txt")
    (tmp_path / "d.parquet").mkdir()
    with pytest.raises(DescribeUsageError, match="folder"):
        run(crystals, tmp_path / "d.parquet")


# The command


def test_the_command_on_a_folder(call: Callable[..., Any], crystals: Path, tmp_path: Path) -> None:
    quick = ["--describer", "fake_describers:quick", "--workers", "2"]
    done = call("describe", crystals, "--out", tmp_path / "a.parquet", "--json", *quick)
    assert done.status == 0, done.err
    answer = json.loads(done.out)
    assert answer["rows"] == ROWS
    assert answer["counts"]["ok"] + answer["failed"] == ROWS
    assert answer["failed"] > 0
    strict = call("describe", crystals, "--out", tmp_path / "b.parquet", "--strict", *quick)
    assert strict.status == 1
    assert f"{answer['counts']['ok']} of {ROWS} described" in strict.out
    assert "bad_cif" in strict.out
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert call("describe", crystals, *quick).status == 2
    assert call("describe", tmp_path / "none", *quick).err.strip() == f"error: {tmp_path}/none does not exist"


def test_the_command_on_one_cif(call: Callable[..., Any], tmp_path: Path) -> None:
    good = tmp_path / "NaCl.cif"
    good.write_text(Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]).to(fmt="cif"))
    done = call("describe", good, "--describer", "fake_describers:quick")
    assert done.out == "NaCl is a crystal of 2 sites – published.\n"
    assert done.status == 0
    record = json.loads(call("describe", good, "--describer", "fake_describers:quick", "--json").out)
    assert record["id"] == "NaCl"
    assert record["status"] == Status.OK
    good.write_text("garbage")
    bad = call("describe", good, "--describer", "fake_describers:quick")
    assert bad.status == 1
    assert bad.out == ""
    assert f"error: {good}: bad_cif: " in bad.err
    assert "Traceback" not in bad.err


def test_ctrl_c_keeps_what_is_done(crystals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    process = _start(crystals, out, 1)
    _await_rows(process, out, 8)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "goes on where it left off" in said
    assert _rows_in(out) >= 4
