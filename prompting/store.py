"""The durable store of answers: what was asked of which model with which settings, and what it said.

An answer is there as soon as it has come, and a question that is there is never asked again, whichever task, run or
process asks it. While a process asks a question, no other one does.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from ..errors import DataError
from ..files import cannot_write
from ..journal import Journal
from .engines.interface import Answer, EngineInfo

STORE_FILE = "answers.sqlite"
_PURPOSE = {"format": "answers of language models 1"}
_CLAIM_BITS = 60


class AnswerStore:
    """Answers by the keys of their questions, in one file; open a file once in a process.

    Args:
        path: The file; made if it is not there. Beside it lies ``PATH-claims``, empty, while runs are at work.

    Raises:
        JournalError: It is another kind of file, or damaged.
        LLM4MatError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path, _PURPOSE, remedy="give another --store")
        try:
            self._claims = _Claims(path.with_name(path.name + "-claims"))
        except OSError as error:
            self._journal.close()
            raise cannot_write(path, error) from error

    def get(self, key: str) -> Answer | None:
        """The answer to a question, None where there is none yet."""
        value = self._journal.get(key)
        return None if value is None else self._answer(key, value)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is there when this returns.

        Raises:
            LLM4MatError: The disk is full or the like.
        """
        self._journal.put({key: answer.model_dump(mode="json", exclude_defaults=True)})

    def claim(self, key: str) -> bool:
        """Take a question for this process; False while another one is asking it. The claim ends with the process."""
        return self._claims.take(key)

    def release(self, key: str) -> None:
        """Let others at a question."""
        self._claims.release(key)

    def remember(self, info: EngineInfo) -> None:
        """Keep what an engine said of a model, so that what is answered can be read again without it."""
        name = _model_key(info.engine, info.model)
        if self._journal.get(name) != (value := info.model_dump(mode="json")):
            self._journal.put({name: value})

    def remembered(self, engine: str, model: str) -> EngineInfo | None:
        """What an engine last said of a model."""
        value = self._journal.get(_model_key(engine, model))
        return None if value is None else EngineInfo.model_validate(value)

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """All answers with their keys."""
        for key, value in self._journal.items():
            if not str(key).startswith("model "):
                yield str(key), self._answer(str(key), value)

    def close(self) -> None:
        """Let go of the file."""
        self._claims.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, key: str, value: Any) -> Answer:  # noqa: ANN401 - what the journal holds
        try:
            return Answer.model_validate(value)
        except ValidationError as error:
            raise DataError(f"{self.path}: {key}: no answer of this version; give another --store") from error


def _model_key(engine: str, model: str) -> str:
    return f"model {engine} {model}"


class _Claims:
    """Who is asking what: locks on bytes of a file, which the system undoes when a process ends, in whatever way."""

    def __init__(self, path: Path) -> None:
        self._file: int | None = None
        try:
            import fcntl  # noqa: F401
        except ImportError:  # Windows has no such locks
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self, key: str) -> bool:
        if self._file is None:
            return True
        import fcntl

        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, key: str) -> None:
        if self._file is not None:
            import fcntl

            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(key))

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _place(key: str) -> int:
    return int(key[: _CLAIM_BITS // 4], 16)
