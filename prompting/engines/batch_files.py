"""Batch files as OpenAI has them: questions go out as a file, answers come back as files, hours or days later.

``vllm run-batch`` and the half-price queues of vendors read and write them. A folder holds, for each batch,
``requests-0001.jsonl``, and when it has been answered ``answers-0001.jsonl`` (and further ``answers-0001-*.jsonl``,
such as the file of errors that some vendors make).
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ...errors import DataError, UsageError
from ...files import cannot_write, replace_file
from .chat_answers import BadAnswerError, read_completion
from .chat_requests import request_body
from .interface import Answer, Engine, EngineInfo, NoAnswerError, PostponedError, Question

LINES_OF_A_FILE = 50_000
BYTES_OF_A_FILE = 180 << 20
"""Vendors take no larger files."""
_REQUESTS = re.compile(r"requests-(\d{4,})\.jsonl")
_URL = "/v1/chat/completions"


class _Place(NamedTuple):
    """Where an answer is: a line of a file."""

    file: Path
    offset: int


class BatchFiles(Engine):
    """Writes the questions that no batch has yet, and reads the answers that are there.

    Args:
        model: Name by which the server or vendor will know the model.
        folder: Where the files are and go; one process at a time works on it.
        again: Write questions that failed or were left out of a batch's answers into a new batch.

    Raises:
        UsageError: Another process works on the folder.
        DataError: A file in it is not what it should be.
    """

    name = "batch"
    concurrency = 1000
    structured = True
    gone_after = None

    def __init__(self, model: str, folder: Path, *, again: bool = False) -> None:
        self.model = model
        self.folder = folder
        self._again = again
        self._info = EngineInfo(engine="batch", model=model, revision="as served")
        self._lock = _taken(folder)
        try:
            self._waiting, self._answered, self._failed = _look_through(folder)
        except BaseException:
            self._lock.release()
            raise
        self._writer: _Writer | None = None
        self._written: list[Path] = []
        self._postponed: set[bytes] = set()
        self._handles: dict[Path, Any] = {}

    def describe(self) -> EngineInfo:
        """Nobody is there to be asked: the model is taken at its name."""
        return self._info

    async def ask(self, question: Question) -> Answer:
        """Read the answer, or write the question down."""
        key = question.key(self._info)
        name = bytes.fromhex(key)
        place = self._answered.get(name)
        if place is not None:
            return self._read(key, place)
        reason = self._failed.get(name)
        if reason is not None and not self._again:
            raise NoAnswerError(f"{reason}; --again writes what was not answered into a new batch")
        if name not in self._waiting:
            self._write(key, question)
            self._waiting.add(name)
        self._postponed.add(name)
        raise PostponedError(f"{self.folder}: the question waits in a batch file")

    def finish(self) -> str | None:
        """Put the new files in their place, and say what to do with all that are not answered."""
        try:
            if self._writer is not None:
                self._end_file(self._writer)
        finally:
            for handle in self._handles.values():
                handle.close()
            self._handles.clear()
            self._lock.release()
        if not self._postponed:
            return None
        new = ", ".join(str(path) for path in self._written)
        wait = [path for path in _requests(self.folder) if not _answers_of(path)]
        first = wait[0]
        answers = first.with_name(first.name.replace("requests", "answers", 1))
        said = f"written: {new}. " if new else "nothing new was written. "
        return (
            f"{len(self._postponed):,} questions wait for their answers in {', '.join(map(str, wait))}; {said}"
            "Have each file answered, for example by\n"
            f"    vllm run-batch --model {shlex.quote(self.model)} -i {shlex.quote(str(first))} "
            f"-o {shlex.quote(str(answers))}\n"
            f"or by a vendor's batch queue, put the answers beside it as {answers.name} (a second file, of errors, as "
            f"{answers.stem}-errors.jsonl), and give the same command again"
        )

    def _write(self, key: str, question: Question) -> None:
        line = json.dumps(
            {"custom_id": key, "method": "POST", "url": _URL, "body": request_body(question, self.model)},
            ensure_ascii=False,
        ).encode("utf-8", "replace")
        if self._writer is not None and not self._writer.has_room(len(line)):
            self._end_file(self._writer)
        if self._writer is None:
            known = [int(_REQUESTS.fullmatch(path.name)[1]) for path in _requests(self.folder)]  # type: ignore[index]
            number = max(known, default=0) + 1
            self._writer = _Writer(self.folder / f"requests-{number:04}.jsonl")
        self._writer.add(line)

    def _end_file(self, writer: "_Writer") -> None:
        self._written.append(writer.end())
        self._writer = None

    def _read(self, key: str, place: _Place) -> Answer:
        handle = self._handles.get(place.file)
        if handle is None:
            handle = self._handles[place.file] = place.file.open("rb")
        handle.seek(place.offset)
        line = json.loads(handle.readline())
        try:
            return read_completion(line["response"]["body"])
        except (BadAnswerError, KeyError, TypeError) as error:
            raise NoAnswerError(f"{place.file}: {key}: {error}; --again writes it into a new batch") from error


class _Writer:
    """One new file, which gets its name when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._context = replace_file(path)
        self._temporary = self._context.__enter__()
        self._file = self._temporary.open("wb")
        self._lines = 0
        self._bytes = 0

    def has_room(self, more: int) -> bool:
        return self._lines < LINES_OF_A_FILE and self._bytes + more < BYTES_OF_A_FILE

    def add(self, line: bytes) -> None:
        try:
            self._file.write(line + b"\n")
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._lines += 1
        self._bytes += len(line) + 1

    def end(self) -> Path:
        try:
            self._file.close()
        except OSError as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise cannot_write(self._path, error) from error
        self._context.__exit__(None, None, None)
        return self._path


def _taken(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(f"{folder}: another process works on these batch files; wait for it") from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    return lock


def _requests(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _REQUESTS.fullmatch(path.name))


def _answers_of(requests: Path) -> list[Path]:
    stem = requests.stem.replace("requests", "answers", 1)
    beside = requests.parent.glob(f"{stem}*.jsonl")
    return sorted(path for path in beside if path.stem == stem or path.stem.startswith(f"{stem}-"))


def _look_through(folder: Path) -> tuple[set[bytes], dict[bytes, _Place], dict[bytes, str]]:
    """Read what all files say.

    Returns:
        Keys that wait for an answer, where the answers are, and why others have none.

    Raises:
        DataError: A file is damaged, or has answers twice, or to questions that were not in its batch.
    """
    waiting: set[bytes] = set()
    answered: dict[bytes, _Place] = {}
    failed: dict[bytes, str] = {}
    for requests in _requests(folder):
        asked = {_key(line, requests, number) for number, _, line in _lines(requests)}
        files = _answers_of(requests)
        if not files:
            waiting |= asked
            continue
        seen: dict[bytes, str] = {}
        for file in files:
            for number, offset, line in _lines(file):
                name = _key(line, file, number)
                if name not in asked:
                    raise DataError(
                        f"{file}, line {number}: custom_id {line['custom_id']!r} is no question of {requests.name}: "
                        "these are another batch's answers; take them away"
                    )
                if name in seen:
                    raise DataError(
                        f"{file}, line {number}: custom_id {line['custom_id']!r} is answered a second time "
                        f"({seen[name]} was the first); take one of them away"
                    )
                seen[name] = f"{file.name}, line {number}"
                trouble = _trouble(line)
                if trouble is None:
                    answered[name] = _Place(file, offset)
                else:
                    failed[name] = f"{file}, line {number}: {trouble}"
        for name in asked - seen.keys():
            failed[name] = f"{files[0]}: {name.hex()} of {requests.name} has no line"
    for name in answered:
        failed.pop(name, None)
    for name in waiting:  # asked again in a later batch
        failed.pop(name, None)
    return waiting - answered.keys(), answered, failed


def _lines(file: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Number, offset and content of each line."""
    offset = 0
    try:
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    try:
                        value = json.loads(line)
                    except (ValueError, RecursionError) as error:
                        raise DataError(
                            f"{file}, line {number}: no JSON ({line[:40]!r}); is the file whole?"
                        ) from error
                    if not isinstance(value, dict):
                        raise DataError(f"{file}, line {number}: no JSON object; is it a batch file?")
                    yield number, offset, value
                offset += len(line)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error


def _key(line: dict[str, Any], file: Path, number: int) -> bytes:
    said = line.get("custom_id")
    if not isinstance(said, str) or not said:
        raise DataError(f"{file}, line {number}: no custom_id; is it a batch file?")
    try:
        name = bytes.fromhex(said)
    except ValueError:
        name = b""
    return name if len(name) == 32 else said.encode("utf-8", "replace")


def _trouble(line: dict[str, Any]) -> str | None:
    """Why a line is no answer; None where it is one."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and response.get("status_code") == 200 and not error:
        body = response.get("body")
        try:
            read_completion(body)
        except BadAnswerError as bad:
            return str(bad)
        return None
    said = error or (response.get("body") if isinstance(response, dict) else None) or "no response"
    status = f"HTTP {response['status_code']}: " if isinstance(response, dict) and "status_code" in response else ""
    return status + " ".join(json.dumps(said, ensure_ascii=False).split())[:200]
