"""The journal: nothing acknowledged is lost, nothing foreign is touched, nothing damaged is believed."""

import json
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.errors import DataError, LLM4MatError, UsageError
from llm4mat_bench.journal import Journal, JournalError, Key, Value

PURPOSE = {"format": "test 1", "input": {"rows": 4}}

_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
_keys = st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(_keys, st.binary() | _json_values), max_size=12), st.booleans())
def test_what_is_put_is_there(pairs: list[tuple[Key, Value]], exclusive: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.journal"
        with Journal(path, PURPOSE, exclusive=exclusive) as journal:
            for key, value in pairs[: len(pairs) // 2]:
                journal.put({key: value})
        assert [one.name for one in Path(folder).iterdir()] == ["x.journal"]
        with Journal(path, PURPOSE, exclusive=exclusive) as journal:
            journal.put(dict(pairs[len(pairs) // 2 :]))
            expected = dict(pairs)
            numbers = sorted(key for key in expected if isinstance(key, int))
            texts = sorted((key for key in expected if isinstance(key, str)), key=str.encode)
            assert list(journal.items()) == [(key, expected[key]) for key in (*numbers, *texts)]
            assert len(journal) == len(expected)
            assert all(journal[key] == value for key, value in expected.items())
            assert list(journal.missing([*expected, "never put"])) == ["never put"] * ("never put" not in expected)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with Journal(tmp_path / "x", PURPOSE) as journal:
        journal.put({1: "one", "1": b"text"})
        assert journal[1] == "one"
        assert journal["1"] == b"text"
        assert 2 not in journal
        assert journal.get(2, "none") == "none"
        with pytest.raises(KeyError):
            journal[2]


def test_all_or_none_of_a_batch(tmp_path: Path) -> None:
    with Journal(tmp_path / "x", PURPOSE) as journal:
        journal.put({1: "one"})
        with pytest.raises(ValueError, match="JSON"):
            journal.put({1: "uno", 2: float("nan")})
        with pytest.raises(OverflowError):
            journal.put({1: "uno", 2**64: "too long for a key"})
        journal.put({3: "three"})
        assert list(journal.items()) == [(1, "one"), (3, "three")]


def test_threads_share_one(tmp_path: Path) -> None:
    with Journal(tmp_path / "x", PURPOSE) as journal, ThreadPoolExecutor(4) as threads:

        def write(thread: int) -> int:
            for number in range(50):
                journal.put({f"{thread}-{number}": number, f"{thread}+{number}": number})
                assert journal[f"{thread}-{number}"] == number
            return len(list(journal.keys()))

        assert max(threads.map(write, range(4))) == 400
        assert dict(journal.items()) == {f"{t}{sign}{n}": n for t in range(4) for sign in "+-" for n in range(50)}


def test_threads_get_the_value_they_asked_for(tmp_path: Path) -> None:
    """They share prepared statements as well: one thread's key once was another's question, and its row was removed."""
    with Journal(tmp_path / "x", PURPOSE, sync_seconds=1e9) as journal, ThreadPoolExecutor(8) as threads:
        journal.put({number: number for number in range(100)})

        def read(thread: int) -> list[int]:
            wrong = [n for _ in range(30) for n in range(100) if journal.get(n) != n]
            return [*wrong, *(key for key, value in journal.items() if key != value)]

        assert list(threads.map(read, range(8))) == [[]] * 8
        assert len(journal) == 100


def test_removed_it_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "deep" / "x", PURPOSE) as journal:
        journal.put({1: "one"})
        assert len(list((tmp_path / "deep").iterdir())) == 3
        journal.sync()
        journal.remove()
        assert not list((tmp_path / "deep").iterdir())


# Killed


_WRITER = """
import sys
from pathlib import Path
from llm4mat_bench.journal import Journal

path, name, start = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Journal(path, {"format": "test 1", "input": {"rows": 4}}, exclusive=sys.argv[4] == "True") as journal:
    size = 1
    while True:
        journal.put({f"{name}{number}": {"answer": "x" * (number % 5000)} for number in range(start, start + size)})
        start += size
        print(start, flush=True)
        size = size % 7 + 1
"""


@pytest.mark.parametrize("writers", [1, 2])
def test_kill_9_at_random_moments(tmp_path: Path, writers: int) -> None:
    """One writer that has the file for itself, or two at once: what they said they had written is there."""
    path = tmp_path / "x.journal"
    pick = random.Random(writers)
    known = dict.fromkeys("ab"[:writers], 0)
    for _ in range(6):
        processes = {
            name: subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(path), name, str(start), str(writers == 1)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for name, start in known.items()
        }
        for name, process in processes.items():
            assert process.stdout is not None
            known[name] = int(process.stdout.readline())
        time.sleep(pick.uniform(0, 0.2))
        for name, process in processes.items():
            process.kill()
            said, _ = process.communicate()
            lines = [line for line in said.split("\n")[:-1] if line]  # what follows the last line end was not said
            known[name] = max([known[name], *map(int, lines)])
        with Journal(path, PURPOSE, exclusive=writers == 1) as journal:
            for name, end in known.items():
                for number in range(end):
                    assert journal[f"{name}{number}"] == {"answer": "x" * (number % 5000)}
                known[name] = sum(str(key).startswith(name) for key, _ in journal.items())  # whole batches only
                assert known[name] >= end
                assert (f"{name}{known[name] - 1}" in journal) == bool(known[name])
    assert sum(known.values()) > 200


def test_a_torn_log_is_a_beginning(tmp_path: Path) -> None:
    """A power cut may leave any part of the write-ahead log: whole batches, in their order, are found."""
    path = tmp_path / "x"
    with Journal(path, PURPOSE) as journal:
        journal.sync()
        for number in range(8):
            journal.put({number: "x" * 3000, number + 100: number})
        main, log = path.read_bytes(), path.with_name("x-wal").read_bytes()
    seen = set()
    for cut in [*range(0, len(log), 1009), len(log)]:
        torn = tmp_path / "torn"
        torn.write_bytes(main)
        torn.with_name("torn-wal").write_bytes(log[:cut])
        with Journal(torn, PURPOSE) as journal:
            found = dict(journal.items())
        count = len(found) // 2
        assert found == dict.fromkeys(range(count), "x" * 3000) | {n + 100: n for n in range(count)}
        seen.add(count)
    assert seen == set(range(9))


# Of another job, foreign, damaged


def test_of_another_purpose(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Journal(path, PURPOSE) as journal:
        journal.put({1: "one"})
    before = path.read_bytes()
    other = {"format": "test 1", "input": {"rows": 5}, "model": "a" * 30}
    with pytest.raises(JournalError) as caught:
        Journal(path, other, remedy="use --overwrite")
    assert str(caught.value) == (
        f"{path} belongs to a run with another input or other settings "
        "(rows 4 → 5; model None → aaaaaaaaaaaa…): use --overwrite"
    )
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["x"]
    with Journal(path, {"input": {"rows": 4}, "format": "test 1"}) as journal:  # the order of keys says nothing
        assert journal[1] == "one"
    with Journal(path, other, discard_other=True) as journal:
        assert len(journal) == 0
        journal.put({2: "two"})
    with Journal(path, other, discard_other=True) as journal:
        assert list(journal.items()) == [(2, "two")]


def _foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE entries (mine)")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("my diary\nday two\n"), "is not the journal of a run of this version"),
        (lambda path: path.write_bytes(b"x"), "is not the journal of a run of this version"),
        (_foreign_database, "is not the journal of a run of this version"),
        (lambda path: path.write_text('1234abcd {"format":"llm4mat-bench"}\n'), "the journal of an earlier version"),
    ],
)
@pytest.mark.parametrize("exclusive", [True, False])
def test_foreign_files_are_left_alone(
    tmp_path: Path, make: Callable[[Path], object], said: str, exclusive: bool
) -> None:
    path = tmp_path / "x"
    make(path)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=rf"^{path} .*{said}.*: remove it, or choose another place$"):
        Journal(path, PURPOSE, exclusive=exclusive)
    assert path.read_bytes() == before
    with Journal(path, PURPOSE, exclusive=exclusive, discard_other=True) as journal:
        journal.put({1: "one"})


def test_damage_anywhere_is_told_or_harmless(tmp_path: Path) -> None:
    """A changed byte never gives a changed value."""
    path = tmp_path / "x"
    values: dict[Key, Value] = {number: "xyz" * 60 * number for number in range(60)}
    with Journal(path, PURPOSE) as journal:
        journal.put(values)
    whole = path.read_bytes()
    pick = random.Random(0)
    told = 0
    places = [*range(0, 100, 3), *pick.sample(range(100, len(whole)), 300)]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << pick.randrange(8))]) + whole[place + 1 :])
        try:
            with Journal(path, PURPOSE) as journal:
                for key, value in values.items():
                    assert journal.get(key, value) == value
                found = dict(journal.items())
            assert all(values[key] == value for key, value in found.items())
        except DataError as error:
            assert str(path) in str(error)
            assert len(str(error).splitlines()) == 1
            told += 1
    assert told > len(places) // 2


def test_what_is_damaged_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Journal(path, PURPOSE) as journal:
        journal.put({1: "one one one", 2: "two two two"})
    path.write_bytes(path.read_bytes().replace(b"one one one", b"one eno one"))
    with Journal(path, PURPOSE) as journal:
        with pytest.raises(JournalError, match=r"what stands for 1 is damaged. It was removed: run again to redo it"):
            list(journal.items())
        assert list(journal.missing([1, 2])) == [1]
        assert list(journal.items()) == [(2, "two two two")]


# In use, full, not to be written


def test_one_that_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Journal(path, PURPOSE, exclusive=True) as journal:
        journal.put({1: "one"})
        for _ in range(2):
            with pytest.raises(JournalError, match=f"another run is using {path}"):
                Journal(path, PURPOSE, exclusive=True, discard_other=True)
        journal.put({2: "two"})
    with Journal(path, PURPOSE, exclusive=True) as journal:
        assert len(journal) == 2
    with Journal(path, PURPOSE) as one, Journal(path, PURPOSE) as two:
        one.put({3: "three"})
        two.put({4: "four"})
        assert len(one) == len(two) == 4
        with pytest.raises(JournalError, match="another run is using"):
            Journal(path, PURPOSE, exclusive=True)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Journal(path, PURPOSE) as journal:
        journal.put({0: "first"})
        pages = journal._row("PRAGMA page_count")[0]
        journal._run(f"PRAGMA max_page_count = {pages + 8}")
        with pytest.raises(DataError, match=f"^{path} cannot be written: the disk is full. Make room there and run"):
            for number in range(1, 100):
                journal.put({number: "x" * 5000})
        kept = len(journal)
        assert 1 < kept < 100
        journal._run("PRAGMA max_page_count = 1000000")
        journal.put({"more": 1})
    with Journal(path, PURPOSE) as journal:
        assert len(journal) == kept + 1
        assert all(journal[number] == "x" * 5000 for number in range(1, kept))


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The operating system's own limit, as a quota is: one line, and what was written stays."""
    path = tmp_path / "x"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path, PURPOSE) as journal:
        journal.put({0: "first"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(DataError, match="cannot be written") as caught:
                for number in range(1, 1000):
                    journal.put({number: "x" * 5000})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(str(caught.value).splitlines()) == 1
    with Journal(path, PURPOSE) as journal:
        assert len(journal) > 1
        assert all(value in ("first", "x" * 5000) for _, value in journal.items())


def test_places_where_no_journal_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file is a file, not a folder"):
        Journal(tmp_path / "file" / "x", PURPOSE)
    with pytest.raises(JournalError, match="is a folder"):
        Journal(tmp_path, PURPOSE)
    with pytest.raises(LLM4MatError, match="File name too long"):
        Journal(tmp_path / ("x" * 300), PURPOSE)


def test_a_copy_is_a_journal(tmp_path: Path) -> None:
    """Once closed, it is one file that can be moved."""
    with Journal(tmp_path / "x", PURPOSE) as journal:
        journal.put({"a": [1, 2]})
    shutil.copy(tmp_path / "x", tmp_path / "y")
    with Journal(tmp_path / "y", PURPOSE) as journal:
        assert journal["a"] == [1, 2]


def test_values_that_are_not_json(tmp_path: Path) -> None:
    with Journal(tmp_path / "x", PURPOSE) as journal:
        bad: Any = object()
        with pytest.raises(TypeError, match="JSON"):
            journal.put({1: bad})
        text = "\ud800 half of a pair, \0 and the like"
        journal.put({1: text})
        assert journal[1] == json.loads(json.dumps(text))
