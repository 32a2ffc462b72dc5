"""Graphs on disk: made once for each CIF, found by its hash, memory-mapped, added to as the work goes on.

A folder for each graph setting and revision of the code that makes graphs holds Arrow files of some thousand graphs. A
file is written whole and never changed, so a kill loses at most the graphs of the file that was being gathered, and
several processes may add to one folder. All tasks, splits and seeds of a source find each other's graphs.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import DataError, LLM4MatError
from ...files import replace_file
from ...processors import available_processors
from ...progress import Progress, silent
from ..protocol import Texts
from .neighbours import REVISION, Graph, GraphSettings, graphs_of_cifs
from .workers import in_processes

GRAPHS_A_FILE = 8192
SECONDS_A_FILE = 30.0
"""What is gathered is written after so many graphs or seconds: a kill loses no more than that."""
WORTH_WRITING = 64
"""Fewer new graphs than that are made again next time, rather than kept in a file of their own."""
WORTH_PROCESSES = 400
_CIFS_A_JOB = 32
_SCHEMA = pa.schema(
    [
        ("key", pa.binary(16)),
        ("reason", pa.string()),
        ("numbers", pa.list_(pa.uint8())),
        ("counts", pa.list_(pa.int32())),
        ("neighbours", pa.list_(pa.int32())),
        ("distances", pa.list_(pa.float32())),
        ("weights", pa.list_(pa.float32())),
    ]
)
_PER_ATOM, _PER_BOND = ("numbers", "counts"), ("neighbours", "distances", "weights")
NO_TEXT = -1


def default_folder() -> Path:
    """Where graphs are kept: beside what ``datasets`` keeps (``HF_DATASETS_CACHE``)."""
    from datasets import config

    return Path(config.HF_DATASETS_CACHE) / "llm4mat_bench" / "graphs"


class GraphStore:
    """The graphs of one setting."""

    def __init__(self, settings: GraphSettings, folder: Path | None = None) -> None:
        """Open, or begin, the store of a setting in a folder of stores."""
        name = hashlib.sha256(f"{REVISION} {settings.model_dump_json()}".encode()).hexdigest()[:16]
        self.settings = settings
        self.folder = (folder or default_folder()) / name
        self._known: set[str] = set()
        self._segments: list[_Segment] = []
        self._starts = np.zeros(1, np.int64)
        self._keys, self._order = np.empty(0, "S16"), np.empty(0, np.int64)
        self._look()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def find(
        self, cifs: Texts, *, step: str = "graphs", progress: Progress = silent, processes: int = 0, keep: bool = True
    ) -> NDArray[np.int64]:
        """Find the graph of each CIF, making those that are not there.

        Args:
            cifs: The texts; each is read once or twice, a batch at a time.
            step: What `progress` is told.
            progress: Told how many of the graphs that were not there are made.
            processes: How many make them; all processors if 0. Few graphs are made in this process.
            keep: Whether it is an error where new graphs cannot be written; else they are held in memory.

        Returns:
            Places, as `graph` takes them; `NO_TEXT` where there is no text.

        Raises:
            DataError: New graphs cannot be written, or the processes were killed.
        """
        keys = np.concatenate([np.empty(0, "S16"), *(_keys(batch.to_pylist()) for batch in cifs.batches())])
        found = self._places(keys)
        if (found == _MISSING).any():
            self._look()  # another process may have made them meanwhile
            found = self._places(keys)
        wanted = np.flatnonzero(found == _MISSING)
        if len(wanted):
            _, first = np.unique(keys[wanted], return_index=True)
            self._make(cifs, np.sort(wanted[first]), step, progress, processes or available_processors(), keep=keep)
            found = self._places(keys)
        return found

    def graph(self, place: int) -> Graph | str:
        """The graph at a place, without copying it; or why there is none."""
        at = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self._segments[at].graph(int(place - self._starts[at]))

    def _look(self) -> None:
        """Map the files that were not there before."""
        fresh = [path for path in sorted(self.folder.glob("*.arrow")) if path.name not in self._known]
        self._known.update(path.name for path in fresh)
        self._take([segment for path in fresh if (segment := _mapped(path)) is not None])

    def _take(self, fresh: "Sequence[_Segment]") -> None:
        if not fresh:
            return
        self._segments += fresh
        self._starts = np.cumsum([0, *(len(one) for one in self._segments)])
        keys = np.concatenate([one.keys for one in self._segments])
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def _places(self, keys: "NDArray[np.bytes_]") -> NDArray[np.int64]:
        places = np.full(len(keys), _MISSING)
        if len(self._keys):
            near = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[near] == keys
            places[known] = self._order[near[known]]
        places[keys == b""] = NO_TEXT
        return places

    def _make(
        self, cifs: Texts, rows: NDArray[np.int64], step: str, progress: Progress, processes: int, *, keep: bool
    ) -> None:
        jobs = (rows[at : at + _CIFS_A_JOB] for at in range(0, len(rows), _CIFS_A_JOB))
        texts = (_present(cifs.take(job)) for job in jobs)
        workers = processes if len(rows) >= WORTH_PROCESSES else 1
        gathered: list[tuple[bytes, Graph | str]] = []
        done, written = 0, time.monotonic()
        progress(step, 0, len(rows))
        for job, graphs in in_processes(_Make(self.settings), texts, workers):
            gathered += zip(map(_key, job), graphs, strict=True)
            done += len(graphs)
            progress(step, done, len(rows))
            if len(gathered) >= GRAPHS_A_FILE or time.monotonic() - written > SECONDS_A_FILE:
                self._add(gathered, write=True, keep=keep)
                gathered, written = [], time.monotonic()
        if gathered:
            self._add(gathered, write=len(gathered) >= WORTH_WRITING, keep=keep)

    def _add(self, gathered: list[tuple[bytes, Graph | str]], *, write: bool, keep: bool) -> None:
        batch = _batch(gathered)
        if not write:
            self._take([_Segment(batch)])
            return
        name = hashlib.sha256(b"".join(key for key, _ in gathered)).hexdigest()[:32] + ".arrow"
        try:
            with (
                replace_file(self.folder / name) as temporary,
                pa.OSFile(str(temporary), "wb") as file,
                pa.ipc.new_file(file, _SCHEMA) as to,
            ):
                to.write_batch(batch)
        except LLM4MatError as error:
            if keep:
                raise DataError(f"{error} (HF_DATASETS_CACHE says where graphs are kept)") from error
            self._take([_Segment(batch)])
            return
        self._known.add(name)
        self._take([_mapped(self.folder / name) or _Segment(batch)])


class _Segment:
    """Graphs of one file."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        raw = batch.column("key").cast(pa.binary()).to_pylist()
        self.keys = np.array(raw, "S16")
        self._reasons = batch.column("reason")
        columns = {name: batch.column(name) for name in (*_PER_ATOM, *_PER_BOND)}
        self._values = {name: column.values.to_numpy() for name, column in columns.items()}
        self._atoms = columns["numbers"].offsets.to_numpy()
        self._bonds = columns["neighbours"].offsets.to_numpy()

    def __len__(self) -> int:
        return len(self.keys)

    def graph(self, at: int) -> Graph | str:
        reason: str | None = self._reasons[at].as_py()
        if reason is not None:
            return reason
        atoms, bonds = slice(*self._atoms[at : at + 2]), slice(*self._bonds[at : at + 2])
        return Graph(
            *(self._values[name][atoms] for name in _PER_ATOM), *(self._values[name][bonds] for name in _PER_BOND)
        )


_MISSING = -2


def _mapped(path: Path) -> _Segment | None:
    """Map a file; None where it is damaged or none of ours: its graphs are made again."""
    try:
        # Closed at once, while what is mapped stays: there may be more files than a process may hold open.
        with pa.memory_map(str(path)) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
    except (OSError, pa.ArrowInvalid, pa.ArrowIndexError):
        return None
    return _Segment(batch) if batch.schema == _SCHEMA else None


class _Make:
    """What a worker process does; small enough to be sent to it."""

    def __init__(self, settings: GraphSettings) -> None:
        self.settings = settings

    def __call__(self, cifs: list[str]) -> list[Graph | str]:
        return graphs_of_cifs(cifs, self.settings)


def _present(texts: Texts) -> list[str]:
    return [text for text in texts if text]


def _key(text: str) -> bytes:
    """The first 16 bytes of a CIF's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _keys(texts: list[str | None]) -> "NDArray[np.bytes_]":
    return np.array([_key(text) if text else b"" for text in texts], "S16")


def _batch(gathered: list[tuple[bytes, Graph | str]]) -> pa.RecordBatch:
    def column(name: str) -> pa.Array:
        parts = [[] if isinstance(graph, str) else getattr(graph, name) for _, graph in gathered]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.int32)
        kind = _SCHEMA.field(name).type.value_type
        return pa.ListArray.from_arrays(
            offsets, pa.array(np.concatenate([np.empty(0, kind.to_pandas_dtype()), *parts]), kind)
        )

    columns = [
        pa.array([key for key, _ in gathered], pa.binary(16)),
        pa.array([graph if isinstance(graph, str) else None for _, graph in gathered], pa.string()),
        *map(column, (*_PER_ATOM, *_PER_BOND)),
    ]
    return pa.record_batch(columns, schema=_SCHEMA)
