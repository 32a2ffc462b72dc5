"""Graphs on disk: made once, found again, shared, and made again where a file is damaged."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pymatgen")

from llm4mat_bench.baselines.graphs import graph_store
from llm4mat_bench.baselines.graphs.graph_store import NO_TEXT, GraphStore
from llm4mat_bench.baselines.graphs.neighbours import Graph, GraphSettings, graphs_of_cifs
from llm4mat_bench.baselines.protocol import Texts
from llm4mat_bench.dataset_builder.sample import read_sample
from llm4mat_bench.errors import DataError

SETTINGS = GraphSettings()


@pytest.fixture(scope="module")
def cifs() -> list[str]:
    found: list[str] = read_sample("test", ["cif"])["cif"].to_pylist()[:24]
    return found


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_store, "WORTH_WRITING", 1)
    monkeypatch.setattr(graph_store, "GRAPHS_A_FILE", 8)
    monkeypatch.setattr(graph_store, "SECONDS_A_FILE", float("inf"))  # a slow machine writes no more files
    monkeypatch.setattr(graph_store, "_CIFS_A_JOB", 4)


def same(one: Graph | str, other: Graph | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Graph.__dataclass_fields__)


def test_it_gives_back_what_was_made(cifs: list[str], tmp_path: Path) -> None:
    texts = [*cifs, "no crystal", None, cifs[3], ""]
    told: list[tuple[str, int, int]] = []
    store = GraphStore(SETTINGS, tmp_path)
    places = store.find(Texts(texts), progress=lambda *words: told.append(words))
    assert told[0] == ("graphs", 0, 25) and told[-1] == ("graphs", 25, 25)
    assert places[25] == places[27] == NO_TEXT and places[26] == places[3]
    expected = graphs_of_cifs([*cifs, "no crystal"], SETTINGS)
    assert all(same(store.graph(place), graph) for place, graph in zip(places, expected, strict=False))
    assert len(store) == 25 and len(list(store.folder.glob("*.arrow"))) == 4


def test_another_process_finds_them(cifs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = GraphStore(SETTINGS, tmp_path)  # opened before there was anything
    first = GraphStore(SETTINGS, tmp_path)
    there = [first.graph(place) for place in first.find(Texts(cifs))]
    monkeypatch.setattr(graph_store, "graphs_of_cifs", None)  # nobody makes a graph any more
    for store in (beside, GraphStore(SETTINGS, tmp_path)):
        found = store.find(Texts(cifs))
        assert all(same(store.graph(place), graph) for place, graph in zip(found, there, strict=True))


def test_a_kill_loses_no_whole_file(cifs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(step: str, done: int, total: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GraphStore(SETTINGS, tmp_path).find(Texts(cifs), progress=killed)
    made: list[int] = []
    GraphStore(SETTINGS, tmp_path).find(Texts(cifs), progress=lambda _, done, total: made.append(total))
    assert made[0] == 8  # 16 of 24 were written


def test_other_settings_are_other_graphs(cifs: list[str], tmp_path: Path) -> None:
    few = GraphStore(GraphSettings(neighbours=4), tmp_path)
    many = GraphStore(SETTINGS, tmp_path)
    graphs = [store.graph(store.find(Texts(cifs[:1]))[0]) for store in (few, many)]
    sums = [graph.weights.sum() / len(graph.numbers) for graph in graphs if not isinstance(graph, str)]
    np.testing.assert_allclose(sums, [4, 12], rtol=1e-6)


def test_damaged_files_are_made_again(cifs: list[str], tmp_path: Path) -> None:
    store = GraphStore(SETTINGS, tmp_path)
    store.find(Texts(cifs))
    there = graphs_of_cifs(cifs, SETTINGS)
    files = sorted(store.folder.glob("*.arrow"))
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(b"")
    again = GraphStore(SETTINGS, tmp_path)
    found = again.find(Texts(cifs))
    assert all(same(again.graph(place), graph) for place, graph in zip(found, there, strict=True))
    # and they are whole now
    assert len(GraphStore(SETTINGS, tmp_path)) == 24


def test_processes_make_the_same(cifs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_store, "WORTH_PROCESSES", 1)
    one, two = GraphStore(SETTINGS, tmp_path / "one"), GraphStore(SETTINGS, tmp_path / "two")
    first, second = one.find(Texts(cifs), processes=1), two.find(Texts(cifs), processes=2)
    assert all(same(one.graph(a), two.graph(b)) for a, b in zip(first, second, strict=True))
    assert sorted(path.name for path in one.folder.iterdir()) == sorted(path.name for path in two.folder.iterdir())


def test_where_nothing_can_be_written(cifs: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="is a file, not a folder"):
        GraphStore(SETTINGS, tmp_path / "file").find(Texts(cifs[:8]))
    held = GraphStore(SETTINGS, tmp_path / "file")
    assert (held.find(Texts(cifs[:8]), keep=False) >= 0).all()
