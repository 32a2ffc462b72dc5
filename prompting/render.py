"""From a template, a crystal and shots to the messages that a model is sent, cut to what the model can read."""

import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..answers.form import shown_value
from ..dataset_builder.catalogue import Modality, Task
from ..errors import DataError
from .messages import Message, messages_sha256
from .shots import Example
from .templates import Template, words_of_task
from .tokens import Counter, WordCounter

_SEAMS = 16
"""Tokens that a prompt may have more than its parts."""
_PYMATGEN = "# generated using pymatgen\n"


class Cut(NamedTuple):
    """How much of a prompt was left out: characters of the question's text and of the shots' texts, whole shots."""

    question_characters: int = 0
    shot_characters: int = 0
    shots_dropped: int = 0


class Prompt(NamedTuple):
    """What a model is asked; ``tokens`` is None where nothing counted them, ``shot_ids`` are the shots kept."""

    messages: tuple[Message, ...]
    shot_ids: tuple[str, ...]
    cut: Cut
    tokens: int | None

    @property
    def sha256(self) -> str:
        """SHA-256 of the messages: equal for equal questions."""
        return messages_sha256(self.messages)


class Renderer:
    """Renders the questions of one task in one modality."""

    def __init__(
        self,
        template: Template,
        task: Task,
        modality: Modality,
        *,
        counter: Counter | None = None,
        room: int | None = None,
        quick: bool = False,
    ) -> None:
        """Prepare for many questions.

        Args:
            template: How to ask.
            task: What is asked for.
            modality: What the crystal's texts are.
            counter: Counts the model's tokens; needed where the template limits tokens, and with ``room``.
            room: The most tokens of a whole prompt (the model's context less the longest answer); None is no limit.
            quick: Count whole prompts only where they may not fit: else the tokens before the question, which are the
                same for many, and those of its text are added up, and a token may be missed at the seam.

        Raises:
            DataError: A limit in tokens, and nothing to count them with.
        """
        truncation = template.truncation
        in_tokens = truncation.counted_in == "tokens" and (truncation.question or truncation.shot)
        if counter is None and (room is not None or in_tokens):
            raise DataError(f"template {template.id}: a limit in tokens needs the model's tokenizer to count them")
        self.template = template
        self.task = task
        self.modality = modality
        self.counter = counter
        self.room = room
        self._quick = quick
        self._texts = template.question.count("$input") + template.question.count("${input}")
        self._tokens_before: dict[tuple[tuple[str, str], ...], int] = {}
        self._words = words_of_task(task, modality)
        self._count: Callable[[str], int] = (
            WordCounter().text if counter is None or truncation.counted_in == "words" else counter.text
        )
        self._shown: dict[tuple[str, str, float | bool | None], tuple[str, int]] = {}
        self._last: tuple[Sequence[Example], list[tuple[tuple[str, str], int]]] = ((), [])
        self._before: dict[tuple[tuple[str, str], ...], tuple[tuple[Message, ...], str]] = {}

    def render(self, question: Example, shots: Sequence[Example] = ()) -> Prompt:
        """Render one question.

        Args:
            question: The test row; its target is never shown.
            shots: Solved examples, in the order in which they stand.

        Raises:
            DataError: The row has no text, or the prompt does not fit even without shots and with an empty text.
        """
        if not question.text:
            raise DataError(f"{self.task.name}: {question.material_id} has no {self.modality} to ask about")
        limits = self.template.truncation
        whole = self._text_of(question)
        limit = limits.question_limit(self.modality, with_shots=bool(shots))
        text = whole if limit is None else cut_to(whole, limit, self._count)
        shown = self._shown_shots(shots)
        fitted = self._fit(text, shown)
        cut = Cut(
            question_characters=len(whole) - len(fitted.text),
            shot_characters=sum(removed for _, removed in shown[: len(fitted.shots)]) + fitted.shot_characters,
            shots_dropped=len(shots) - len(fitted.shots),
        )
        return Prompt(
            messages=fitted.messages,
            shot_ids=tuple(shot.material_id for shot in shots[: len(fitted.shots)]),
            cut=cut,
            tokens=fitted.tokens,
        )

    def _text_of(self, row: Example) -> str:
        text = (row.text or "").strip()
        return text.removeprefix(_PYMATGEN) if self.modality == "cif" else text

    def _shown_shots(self, shots: Sequence[Example]) -> list[tuple[tuple[str, str], int]]:
        """Texts and answers of shots; most rules give all questions the very same ones."""
        if shots is not self._last[0] or isinstance(shots, list):  # a list may have changed
            self._last = shots, [self._shot(shot) for shot in shots]
        return self._last[1]

    def _shot(self, shot: Example) -> tuple[tuple[str, str], int]:
        """Text and answer of a shot within the template's limit, and how many characters were cut."""
        if shot.target is None:
            raise DataError(f"{self.task.name}: shot {shot.material_id} has no target")
        answer = self._fill(self.template.answer, value=shown_value(shot.target, self.task, self.template.digits))
        limit = self.template.truncation.shot_limit(self.modality)
        key = (shot.material_id, shot.text or "", shot.target)
        known = self._shown.get(key)
        if known is None:
            whole = self._text_of(shot)
            text = whole if limit is None else cut_to(whole, limit, self._count)
            known = text, len(whole) - len(text)
            if len(self._shown) > 1000:
                self._shown.clear()
            self._shown[key] = known
        return (known[0], answer), known[1]

    def _fill(self, text: str, **more: str) -> str:
        return string.Template(text).substitute(self._words, **more)

    def _messages(self, text: str, shots: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
        key = tuple(shots)
        known = self._before.get(key)
        if known is None:
            if len(self._before) > 50:
                self._before.clear()
            known = self._before[key] = self._before_question(shots)
        before, inline = known
        return (*before, Message(role="user", content=self._fill(self.template.question, input=text, shots=inline)))

    def _before_question(self, shots: Sequence[tuple[str, str]]) -> tuple[tuple[Message, ...], str]:
        """The messages before the question, and the shots that stand in it."""
        template = self.template
        messages: list[Message] = []
        if template.system is not None:
            messages.append(Message(role="system", content=self._fill(template.system)))
        if template.shot is not None:
            inline = "".join(self._fill(template.shot, input=shown, answer=answer) for shown, answer in shots)
            return tuple(messages), inline
        for shown, answer in shots:
            messages.append(Message(role="user", content=self._fill(template.question, input=shown, shots="")))
            messages.append(Message(role="assistant", content=answer))
        return tuple(messages), ""

    def _fit(self, text: str, shown: Sequence[tuple[tuple[str, str], int]]) -> "_Fitted":
        shots = [shot for shot, _ in shown]
        messages = self._messages(text, shots)
        if self.counter is None:
            return _Fitted(text, shots, messages, 0, None)
        if self._quick:
            tokens = self._before_text(shots) + self._texts * self.counter.text(text)
            if self.room is None or tokens + self._texts * _SEAMS <= self.room:
                return _Fitted(text, shots, messages, 0, tokens)
        tokens = self.counter.chat(messages)
        if self.room is None or tokens <= self.room:
            return _Fitted(text, shots, messages, 0, tokens)
        if self.template.truncation.too_long == "cut_texts":
            return self._cut_all(text, shots)
        while shots:
            shots = shots[:-1]
            messages = self._messages(text, shots)
            tokens = self.counter.chat(messages)
            if tokens <= self.room:
                return _Fitted(text, shots, messages, 0, tokens)
        return self._cut_all(text, [])

    def _before_text(self, shots: Sequence[tuple[str, str]]) -> int:
        """Tokens of a prompt whose question has no text."""
        assert self.counter is not None  # noqa: S101 - only called where there is one
        key = tuple(shots)
        if key not in self._tokens_before:
            if len(self._tokens_before) > 50:
                self._tokens_before.clear()
            self._tokens_before[key] = self.counter.chat(self._messages("", shots))
        return self._tokens_before[key]

    def _cut_all(self, text: str, shots: Sequence[tuple[str, str]]) -> "_Fitted":
        """Cut all texts to the greatest length at which the prompt fits."""
        counter, room = self.counter, self.room
        assert counter is not None and room is not None  # noqa: S101 - only called where both are
        low, high = 0, max(counter.text(one) for one in (text, *(shot for shot, _ in shots)))
        best: _Fitted | None = None
        while low <= high:
            middle = (low + high) // 2
            short = cut_to(text, middle, counter.text)
            pairs = [(cut_to(shot, middle, counter.text), answer) for shot, answer in shots]
            messages = self._messages(short, pairs)
            tokens = counter.chat(messages)
            if tokens <= room:
                removed = sum(len(one) for one, _ in shots) - sum(len(one) for one, _ in pairs)
                best, low = _Fitted(short, pairs, messages, removed, tokens), middle + 1
            else:
                high = middle - 1
        if best is None or not best.text:
            raise DataError(
                f"{self.task.name}: template {self.template.id} does not fit into {room} tokens, even with the "
                "crystal's text cut away; take a model with a longer context, or ask for shorter answers"
            )
        return best


class _Fitted(NamedTuple):
    text: str
    shots: Sequence[tuple[str, str]]
    messages: tuple[Message, ...]
    shot_characters: int
    tokens: int | None


def cut_to(text: str, limit: int, count: Callable[[str], int]) -> str:
    """The longest beginning of a text that has at most that many tokens (or words), ended between two words.

    Args:
        text: What to cut.
        limit: The most tokens; 0 leaves nothing.
        count: Counts the tokens of a text.
    """
    if limit <= 0:
        return ""
    if count(text) <= limit:
        return text
    ends = [
        0,
        *(place for place, char in enumerate(text) if char.isspace() and not text[place - 1].isspace()),
        len(text),
    ]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[: ends[middle]]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[: ends[low]]
