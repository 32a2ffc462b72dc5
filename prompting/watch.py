"""Watches the answers come in, and says when going on would only cost."""

import json
from collections import Counter
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..dataset_builder.catalogue import Task
from ..errors import LLM4MatError, UsageError, said_value
from ..progress import Progress
from .engines.interface import Answer
from .parser import Answer as Parsed

FIRST_ANSWERS = 50
"""A run stops where so many, from the first, are all invalid."""
DISOBEDIENT = 3
"""So many answers that break the schema, and more than a tenth of all, show that a server does not heed it."""


class StoppedError(LLM4MatError):
    """Going on would only cost; what was answered is kept."""


class Prices(BaseModel):
    """What tokens cost, in the currency of the one who pays, for a million."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Price of so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


def check_prices(prices: Prices, max_cost: float | None) -> None:
    """Refuse a limit of what may be spent where nobody says what tokens cost.

    Raises:
        UsageError: There are no prices.
    """
    if max_cost is not None and not (prices.prompt or prices.completion):
        raise UsageError("--max-cost needs --price-in and --price-out, the price of a million tokens")


class Watch:
    """Counts what comes in, and stops where it should.

    Args:
        task: What is asked for.
        structured: Answers should obey the task's schema.
        keep_going: Do not stop at invalid answers.
        prices: What tokens cost.
        max_cost: Spend no more in this call.
    """

    def __init__(
        self,
        task: Task,
        *,
        structured: bool = False,
        keep_going: bool = False,
        prices: Prices | None = None,
        max_cost: float | None = None,
    ) -> None:
        self.prices = prices or Prices()
        check_prices(self.prices, max_cost)
        self.answered = 0
        self.invalid = 0
        self.paid = 0
        self.cost = 0.0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.statuses: Counter[str] = Counter()
        self.obeyed = 0
        self.checked = 0
        self._task = task
        self._structured = structured
        self._keep_going = keep_going
        self._max_cost = max_cost
        self._dearest = 0.0
        self._expected = 0.0
        self._example = ""

    def seen(self, answer: Answer, parsed: Parsed, *, paid: bool) -> None:
        """Take note of an answer.

        Args:
            answer: The answer.
            parsed: What was read from it.
            paid: It came now, not from the store.

        Raises:
            StoppedError: The first answers are all invalid, or the server does not heed the schema.
        """
        self.answered += 1
        self.statuses[parsed.status] += 1
        if parsed.value is None:
            self.invalid += 1
            self._example = self._example or answer.text
        if paid:
            self.paid += 1
            self.prompt_tokens += answer.prompt_tokens or 0
            self.completion_tokens += answer.completion_tokens or 0
            told = answer.prompt_tokens is not None and answer.completion_tokens is not None
            # What a server does not count is charged as what it may have cost.
            price = self.prices.of(answer.prompt_tokens or 0, answer.completion_tokens or 0) if told else self._expected
            self.cost += price
            self._dearest = max(self._dearest, price)
        if self._structured and answer.text:
            self.checked += 1
            self.obeyed += obeys(answer.text, self._task) or (
                answer.finish_reason == "length" and begins_to_obey(answer.text, self._task)
            )
            broken = self.checked - self.obeyed
            if broken >= DISOBEDIENT and 10 * broken > self.checked:
                self._disobeyed()
        if self.answered == self.invalid == FIRST_ANSWERS and not self._keep_going:
            status, count = self.statuses.most_common(1)[0]
            raise StoppedError(
                f"the first {FIRST_ANSWERS} answers are all invalid ({count} {status}; the first says "
                f"{said_value(self._example)}); the answers are kept. --keep-going asks on"
            )

    def end(self) -> None:
        """All answers are there.

        Raises:
            StoppedError: They are few, and none of them obeys the schema.
        """
        if self.checked and not self.obeyed:
            self._disobeyed()

    def _disobeyed(self) -> None:
        raise StoppedError(
            f"{self.checked - self.obeyed} of {self.checked} answers do not obey the JSON schema: the server does not "
            "heed response_format; leave --structured out"
        )

    def expect(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Say what the next question may cost at the most."""
        self._expected = self.prices.of(prompt_tokens, completion_tokens)

    def afford(self, in_flight: int) -> bool:
        """Look whether one more question can be paid, it and those in flight taken to cost what they can at the most.

        Returns:
            False where it is to wait for those in flight, which mostly cost less.

        Raises:
            StoppedError: It cannot be paid, and nothing is in flight.
        """
        each = max(self._dearest, self._expected)
        if self._max_cost is None or self.cost + (in_flight + 1) * each <= self._max_cost:
            return True
        if in_flight:
            return False
        raise StoppedError(
            f"--max-cost {self._max_cost:g}: {self.cost:.4g} are spent on {self.paid} answers, and the next one may "
            f"cost {each:.4g}; the answers are kept, the same command asks on"
        )

    def tell(self, left: int, progress: Progress) -> None:
        """Report the tokens and the money of this call so far, of what they will be if the rest is as the answers yet.

        Args:
            left: Answers to come.
            progress: Who is told.
        """
        if not self.paid:
            return
        more = left / self.paid
        tokens = self.prompt_tokens + self.completion_tokens
        progress("tokens", tokens, tokens + round(tokens * more))
        if self.prices.prompt or self.prices.completion:
            thousandths = round(1000 * self.cost)
            progress("cost, in thousandths", thousandths, thousandths + round(1000 * self.cost * more))

    @property
    def summary(self) -> Mapping[str, JsonValue]:
        """What this call did, in numbers."""
        return {
            "answers": self.answered,
            "asked_now": self.paid,
            "invalid": self.invalid,
            "prompt_tokens_now": self.prompt_tokens,
            "completion_tokens_now": self.completion_tokens,
            "cost_now": round(self.cost, 6) if self.prices.prompt or self.prices.completion else None,
        }


def begins_to_obey(text: str, task: Task) -> bool:
    """Whether an answer that was cut off begins as the task's schema wants it."""
    bare = "".join(text.split())
    begin = "{" + json.dumps(task.property.name, ensure_ascii=False).replace(" ", "") + ":"
    return bare.startswith(begin) or begin.startswith(bare)


def obeys(text: str, task: Task) -> bool:
    """Whether an answer is what the task's schema asks for, and nothing else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or list(value) != [task.property.name]:
        return False
    (found,) = value.values()
    classes = task.property.classes
    if classes is None:
        return isinstance(found, int | float) and not isinstance(found, bool)
    return found in (classes.positive, classes.negative)
