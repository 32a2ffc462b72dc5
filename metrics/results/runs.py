"""The frame of every run: find it finished, or open it, survive a kill, and finish whole or not at all."""

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import JsonValue

from ...dataset_builder.splits import ids_sha256
from ...errors import DataError, LLM4MatError, UsageError
from ...files import cannot_write, file_sha256, replace_folder, write_json, write_text
from ..protocols import ScoreKind
from .predictions import read_predictions, write_predictions
from .provenance import provenance
from .record import (
    PREDICTIONS_FILE,
    RESULT_FILE,
    FileRecord,
    ModelRecord,
    ResultRecord,
    RunConfig,
    read_record,
    record_text,
)
from .scoring import count, score_answers

if TYPE_CHECKING:
    from io import TextIOWrapper

_CONFIG_FILE = "run.json"


@dataclass(frozen=True)
class FinishedRun:
    """A run that is there, whole.

    Attributes:
        folder: Where it lies.
        record: Its record.
    """

    folder: Path
    record: ResultRecord


@dataclass
class OpenRun:
    """A run that this process is at work on; nobody else is, as long as it is open.

    Use it in a ``with`` statement, or call :meth:`close`. What lies in :attr:`work` stays until the run is finished,
    whatever happens to the process.

    Attributes:
        config: What the run is.
        folder: Where it will lie when it is finished.
        work: A folder for whatever must survive a kill (checkpoints, answers so far), removed when the run is finished.
        resumed: An earlier call had begun this run.
    """

    config: RunConfig
    folder: Path
    work: Path
    resumed: bool
    _lock: "_Lock" = field(repr=False)
    _started_at: str = field(repr=False)
    _clock: float = field(default_factory=time.perf_counter, repr=False)

    def finish(
        self,
        columns: Mapping[str, object],
        *,
        parameters: int | None,
        fitted: Mapping[str, JsonValue] | None = None,
        score_kind: ScoreKind = "probability",
        libraries: Sequence[str] = (),
        save: Callable[[Path], object] | None = None,
    ) -> ResultRecord:
        """Write the run's folder whole: predictions, then scores computed from the file as written, then the record.

        Args:
            columns: Columns of the predictions file, as :func:`.predictions.answer_columns` makes them; more may be
                added (``raw_output``, ``parse_status``, ...).
            parameters: Number of the model's parameters, None where it is not known.
            fitted: Facts found on the way that are worth keeping, for example the number of trees.
            score_kind: What the scores of a classifier are; of no meaning for regression.
            libraries: Distributions that the model uses, whose versions are recorded.
            save: Called with the folder before it takes its name: writes what is to stay beside the record, such as the
                fitted model. The hashes of these files stand in the record.

        Raises:
            DataError: The columns are not those of a predictions file, or an answer is infinite, or the folder cannot
                be written.
        """
        config = self.config
        with replace_folder(self.folder) as temporary:
            file = temporary / PREDICTIONS_FILE
            write_predictions(file, dict(columns))
            predictions = read_predictions(file, config.kind).by_id()
            if ids_sha256(predictions.material_ids.to_pylist()) != config.data.test_ids_sha256:
                raise DataError(f"{config.model.id} gave answers for other rows than the test split of {config.task}")
            metrics = score_answers(
                predictions,
                config.kind,
                training_mean=config.data.training_mean,
                score_kind=score_kind,
            )
            if save is not None:
                save(temporary)
            fields = {
                "run_id": config.run_id,
                "config_sha256": config.sha256,
                "task": config.task,
                "unit": config.unit,
                "modality": config.modality,
                "data": config.data,
                "model": ModelRecord(**config.model.model_dump(), parameters=parameters),
                "protocol": config.protocol,
                "fitted": dict(fitted or {}),
                "counts": count(predictions),
                "metrics": metrics,
                "predictions": FileRecord(
                    file=PREDICTIONS_FILE, sha256=file_sha256(file), size_bytes=file.stat().st_size
                ),
                "artifacts": _hashes(temporary),
                "provenance": provenance(
                    self._started_at, time.perf_counter() - self._clock, libraries, resumed=self.resumed
                ),
            }
            write_result(temporary, record_text(fields))
        shutil.rmtree(self.work, ignore_errors=True)
        self.close()
        return read_record(self.folder / RESULT_FILE)

    def close(self) -> None:
        """Let others at the run. What lies in the work folder stays, unless there is nothing in it."""
        if self.work.is_dir() and [file.name for file in self.work.iterdir()] == [_CONFIG_FILE]:
            shutil.rmtree(self.work, ignore_errors=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_run(config: RunConfig, results: Path, *, overwrite: bool = False) -> FinishedRun | OpenRun:
    """Find a run finished, or open it.

    Args:
        config: What the run is; its folder follows from it.
        results: Folder of all results.
        overwrite: Run again what is finished, and forget what a killed call left.

    Raises:
        DataError: The finished run is damaged, or the folder cannot be written to.
        UsageError: Another process is at work on the same run.
    """
    folder = results / config.place
    if folder.exists() and not overwrite:
        return _finished(folder, config)
    work = folder.with_name(f".{folder.name}.work")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = _Lock(folder.with_name(f".{folder.name}.lock"))
        try:
            if folder.exists() and not overwrite:  # another process has finished it meanwhile
                found = _finished(folder, config)
                lock.release()
                return found
            if overwrite:
                shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
            started_at, resumed = _started(work / _CONFIG_FILE, config)
        except BaseException:
            with contextlib.suppress(OSError):  # what an earlier call left in it stays
                work.rmdir()
            lock.release()
            raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    return OpenRun(config, folder, work, resumed, lock, started_at)


def write_result(folder: Path, text: str) -> None:
    """Write ``result.json`` into a run's folder."""
    write_text(folder / RESULT_FILE, text)


def _finished(folder: Path, config: RunConfig) -> FinishedRun:
    """A finished run has a record of this very configuration and the predictions that it names.

    Raises:
        DataError: It has not.
    """
    try:
        record = read_record(folder / RESULT_FILE)
    except LLM4MatError as error:
        raise DataError(f"{error}. --overwrite makes the run again") from error
    predictions = folder / record.predictions.file
    if not predictions.is_file() or file_sha256(predictions) != record.predictions.sha256:
        raise DataError(f"{predictions}: missing or changed since the run; make it again with --overwrite")
    if record.config_sha256 != config.sha256:
        raise DataError(f"{folder / RESULT_FILE}: the record of another run; make it again with --overwrite")
    left_over = folder.with_name(f".{folder.name}.work")
    if left_over.exists():  # killed between the last two steps
        shutil.rmtree(left_over, ignore_errors=True)
    return FinishedRun(folder, record)


def _started(file: Path, config: RunConfig) -> tuple[str, bool]:
    """When the run was begun, and whether by an earlier call; say in the work folder what it belongs to.

    Raises:
        DataError: It belongs to another run: somebody put it there.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        begun_by, started_at = str(found["config_sha256"]), str(found["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not begun, or killed while beginning
    else:
        if begun_by != config.sha256:
            raise DataError(f"{file.parent}: holds what another run has begun; --overwrite begins this one anew")
        return started_at, True
    now = datetime.now(UTC).isoformat(timespec="seconds")
    shown = {"config_sha256": config.sha256, "started_at": now, "config": config.model_dump(mode="json")}
    write_json(file, shown)
    return now, False


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of what a model saved beside its predictions."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: file_sha256(path) for name, path in named.items() if name not in (PREDICTIONS_FILE, RESULT_FILE)}


class _Lock:
    """One process at a run: a lock on a file, which the system lets go of when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIOWrapper | None = self._taken()

    def release(self) -> None:
        """Let go, and leave no file."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # what could not be written on a full disk
                self._file.close()
            self._file = None

    def _taken(self) -> "TextIOWrapper":
        try:
            import fcntl
        except ImportError:  # Windows has no such locks
            return self.path.open("a+", encoding="utf-8")
        while True:
            file = self.path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read(200).strip() or "another process"
                file.close()
                raise UsageError(
                    f"{self.path.with_name(self.path.name[1:-5])}: {holder} is at work on this run; wait for it, or "
                    "give another --out"
                ) from error
            # The holder before us may have removed the file between our opening and locking it.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                    break
            file.close()
        # Who holds it is only told: on a full disk, what is to be written there says so.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
        return file
