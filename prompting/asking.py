"""Asks what is not in the store yet, many questions at a time, and keeps every answer as it comes."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .engines.interface import Answer, Engine, NoAnswerError, PostponedError, Question, ServerGoneError
from .store import AnswerStore

_OTHERS_SECONDS = 0.2
"""How often to look whether another process has got its answer."""
_BREATH = 200
"""Stored answers that are passed over at a time, before answers that came meanwhile are looked at."""


@dataclass(frozen=True)
class Asked:
    """A question of a run.

    Attributes:
        row: Which test row it is about.
        sample: Which of its samples.
        key: Key in the store.
        question: What is asked.
    """

    row: int
    sample: int
    key: str
    question: Question


Seen = Callable[[Asked, Answer, bool], None]
"""Called with each answer, and whether it came now; may raise to stop."""


class Unanswered(NamedTuple):
    """Questions without an answer.

    Attributes:
        failures: Why, one line each.
        postponed: How many others will be answered later.
    """

    failures: list[str]
    postponed: int


_Task = asyncio.Task[tuple[Asked, Answer]]


@dataclass
class _Flight:
    """What is under way. Tasks say themselves when they are done: nobody looks through all of them."""

    tasks: set[_Task] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    landed: deque[_Task] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[str] = field(default_factory=list)
    postponed: int = 0
    in_a_row: int = 0
    gone_after: int | None = None

    def add(self, task: _Task) -> None:
        self.tasks.add(task)
        task.add_done_callback(self._land)

    def _land(self, task: _Task) -> None:
        self.landed.append(task)
        self.news.set()


async def ask_missing(
    engine: Engine,
    store: AnswerStore,
    questions: Iterable[Asked],
    seen: Seen,
    afford: Callable[[int], bool] = lambda _in_flight: True,
) -> Unanswered:
    """Ask what has no answer yet.

    When it stops early, what is in flight is waited for and kept, since it is paid; only a server that is gone is not
    waited for.

    Args:
        engine: Who is asked.
        store: Where answers are and go.
        questions: The questions, made as they are needed.
        seen: Told of every answer.
        afford: Asked before each question, with how many are in flight; False lets it wait for one of those, and it
            raises to stop.

    Returns:
        What got no answer.

    Raises:
        EngineError: No question is answered any more.
        LLM4MatError: What ``seen`` and ``afford`` raise; the store cannot be written.
    """
    flight = _Flight(gone_after=engine.gone_after)
    others: list[Asked] = []
    async with engine:
        try:
            passed = 0
            for asked in questions:
                if asked.key in flight.keys:  # another row of the very same text
                    others.append(asked)
                    continue
                answer = store.get(asked.key)
                if answer is not None:
                    seen(asked, answer, False)
                    flight.in_a_row = 0
                    engine.answers = True
                    passed += 1
                    if passed % _BREATH == 0:
                        await asyncio.sleep(0)
                        _collect(flight, seen)
                    continue
                while not afford(len(flight.tasks)):
                    await _wait(flight, seen)
                if not _begin(engine, store, asked, flight, seen):
                    others.append(asked)
                while len(flight.tasks) >= engine.concurrency:
                    await _wait(flight, seen)
            while others or flight.tasks:
                others = [one for one in others if not _begin_other(engine, store, one, flight, seen, afford)]
                if flight.tasks:
                    await _wait(flight, seen, _OTHERS_SECONDS if others else None)
                elif others:
                    await asyncio.sleep(_OTHERS_SECONDS)
        except (ServerGoneError, asyncio.CancelledError):
            await _cancel(flight)
            raise
        except Exception:
            await asyncio.gather(*flight.tasks, return_exceptions=True)  # their answers are in the store then
            raise
    return Unanswered(flight.failures, flight.postponed)


def _begin(engine: Engine, store: AnswerStore, asked: Asked, flight: _Flight, seen: Seen) -> bool:
    """Ask a question, or take its answer where another process has got it meanwhile.

    Returns:
        False while it is being asked, here or by another process.
    """
    if asked.key in flight.keys:
        return False
    if not store.claim(asked.key):
        return False
    answer = store.get(asked.key)  # after the claim: it may have come between the look before and the claim
    if answer is not None:
        store.release(asked.key)
        seen(asked, answer, False)
        return True
    flight.keys.add(asked.key)
    flight.add(asyncio.create_task(_answered(engine, store, asked, flight)))
    return True


def _begin_other(
    engine: Engine, store: AnswerStore, asked: Asked, flight: _Flight, seen: Seen, afford: Callable[[int], bool]
) -> bool:
    """Ask a question that another process was asking, if there is room and money for it."""
    if len(flight.tasks) >= engine.concurrency:
        return False
    if store.get(asked.key) is None and not afford(len(flight.tasks)):
        return False
    return _begin(engine, store, asked, flight, seen)


async def _answered(engine: Engine, store: AnswerStore, asked: Asked, flight: _Flight) -> tuple[Asked, Answer]:
    try:
        answer = await engine.ask(asked.question)
        store.put(asked.key, answer)
        return asked, answer
    finally:
        store.release(asked.key)
        flight.keys.discard(asked.key)


async def _wait(flight: _Flight, seen: Seen, timeout: float | None = None) -> None:
    if not flight.landed:
        flight.news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await flight.news.wait()
    _collect(flight, seen)


def _collect(flight: _Flight, seen: Seen) -> None:
    done = list(flight.landed)
    flight.landed.clear()
    flight.tasks.difference_update(done)
    trouble: Exception | None = None
    for task in done:
        try:
            asked, answer = task.result()
            flight.in_a_row = 0
            seen(asked, answer, True)
        except PostponedError:
            flight.postponed += 1
        except NoAnswerError as error:
            flight.failures.append(str(error))
            flight.in_a_row += 1
            if flight.gone_after is not None and flight.in_a_row >= flight.gone_after:
                trouble = trouble or ServerGoneError(
                    f"{flight.in_a_row} questions one after the other got no answer: {error}; all answers so far "
                    "are kept"
                )
        except Exception as error:  # the others that came with it are looked at first
            trouble = trouble or error
    if trouble is not None:
        raise trouble


async def _cancel(flight: _Flight) -> None:
    for task in flight.tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*flight.tasks, return_exceptions=True)
