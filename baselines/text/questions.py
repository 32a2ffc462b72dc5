"""A crystal as a question to a language model, in the words of its own chat template, and the answer that is taught."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...answers.form import answer_text
from ...dataset_builder.catalogue import Modality, Task
from ...errors import UsageError, said
from .encoding import Reading, in_pieces
from .preprocess import preprocess

_TEXT, _ANSWER = "THE-CRYSTAL-STANDS-HERE", "THE-ANSWER-STANDS-HERE"
_HEADINGS: dict[Modality, str] = {"composition": "Formula", "cif": "CIF", "description": "Description"}


@dataclass(frozen=True)
class ChatForm:
    """A chat template, rendered once.

    Attributes:
        before: What stands before a crystal's text: the instruction, and whatever begins a chat of this model.
        after: What stands behind it: whatever makes the model answer.
        end: Id of the token that ends an answer.
    """

    before: str
    after: str
    end: int


def chat_form(tokenizer: Any, task: Task, modality: Modality, model_id: str) -> ChatForm:  # noqa: ANN401
    """Render the question of a task by the model's chat template, with a mark where the crystal's text belongs.

    Raises:
        UsageError: There is no chat template, or none that can be used.
    """
    if not tokenizer.chat_template:
        raise UsageError(
            f"{model_id}: its tokenizer has no chat template: take a model made to answer (its name often ends in "
            "Instruct), or form=head"
        )
    order = instruction(task)
    question = f"{_HEADINGS[modality]}: {_TEXT}"
    with_system = [{"role": "system", "content": order}, {"role": "user", "content": question}]
    without = [{"role": "user", "content": f"{order}\n{question}"}]
    first: Exception | None = None
    for messages in (with_system, without):
        try:
            asked = _render(tokenizer, messages)
            whole = _render(tokenizer, [*messages, {"role": "assistant", "content": _ANSWER}], answered=True)
        except Exception as error:  # a template may refuse in any way, such as a system text that it does not know
            first = first or error
            continue
        # A template that passes over a system text has not asked the question.
        if asked.count(_TEXT) == 1 and order in asked and whole.count(_ANSWER) == 1:
            before, _, after = asked.partition(_TEXT)
            return ChatForm(before, after, _end(tokenizer, whole.partition(_ANSWER)[2], model_id))
    reason = f" ({said(first, 160)})" if first is not None else ""
    raise UsageError(f"{model_id}: its chat template does not render a plain question{reason}; form=head does without")


def instruction(task: Task) -> str:
    """What is asked for, in a few words: a model that is taught the answers needs no more."""
    prop, classes = task.property, task.property.classes
    value = "number" if classes is None else f'"{classes.positive}" or "{classes.negative}"'
    unit = f", in {task.unit}" if task.unit else ""
    return (
        f"You estimate properties of crystalline materials. Property: {prop.title}{unit}. "
        f'Answer with one JSON object and nothing else: {{"{prop.name}": {value}}}'
    )


@dataclass(frozen=True)
class ChatEncoder:
    """Turns crystals into the token ids of questions.

    Attributes:
        tokenizer: Of the model.
        form: Its chat template, rendered.
        reading: What is done to a text first.
        max_length: Tokens of a question; of one that is longer, the crystal's text is cut.
    """

    tokenizer: Any
    form: ChatForm
    reading: Reading
    max_length: int

    def __call__(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        """Encode the questions of some texts.

        Returns:
            Token ids of each question, and whether its text was cut.

        Raises:
            UsageError: The question alone is too long.
        """
        return in_pieces(self._encode, texts)

    def _encode(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        ready = [preprocess(text, self.reading.steps, self.reading.stop_words).strip() for text in texts]
        # The template has written the token that begins a text, so none is added.
        encoded = self.tokenizer(
            [self.form.before + text + self.form.after for text in ready],
            add_special_tokens=False,
            return_attention_mask=False,
        )
        ids: list[list[int]] = encoded["input_ids"]
        long = [len(one) > self.max_length for one in ids]
        return [self._cut(text) if cut else one for text, one, cut in zip(ready, ids, long, strict=True)], long

    def _cut(self, text: str) -> list[int]:
        """Leave out the end of a text, by whole tokens, until its question fits."""
        start = len(self.form.before)
        while True:
            encoded = self.tokenizer(
                self.form.before + text + self.form.after, add_special_tokens=False, return_offsets_mapping=True
            )
            ids: list[int] = encoded["input_ids"]
            excess = len(ids) - self.max_length
            if excess <= 0:
                return ids
            ends = [
                end - start for begin, end in encoded["offset_mapping"] if begin >= start and end - start < len(text)
            ]
            ends = [end for end in ends if end > 0]
            if len(ends) < excess or not text:
                raise UsageError(
                    f"max_length={self.max_length} leaves no room for the crystal: the question alone takes "
                    f"{len(ids) - len(ends)} tokens"
                )
            text = text[: ends[-excess]].rstrip()


class EncodeAnswers:
    """Questions, each with the answer that is taught."""

    def __init__(self, encoder: ChatEncoder, task: Task, digits: int) -> None:
        """Take what turns texts into questions, the task, and how many digits an answer has."""
        self.encoder, self.task, self.digits = encoder, task, digits

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Encode a batch; rows without a text are left out."""
        there = [at for at, text in enumerate(batch["text"]) if text]
        questions, cut = self.encoder([batch["text"][at] for at in there])
        targets = [float(batch["target"][at]) for at in there]
        answers = [self.answer(target) for target in targets]
        ids = [question + answer for question, answer in zip(questions, answers, strict=True)]
        return {
            "input_ids": ids,
            "start": [len(one) for one in questions],
            "length": [len(one) for one in ids],
            "cut": cut,
            "target": targets,
        }

    def answer(self, target: float) -> list[int]:
        """Token ids of an answer, with the one that ends it."""
        value = bool(target) if self.task.kind == "classification" else target
        return answer_ids(self.encoder.tokenizer, answer_text(value, self.task, self.digits), self.encoder.form.end)


def answer_ids(tokenizer: Any, text: str, end: int) -> list[int]:  # noqa: ANN401
    """Token ids of an answer, with the one that ends it."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, end]


def _render(tokenizer: Any, messages: list[dict[str, str]], *, answered: bool = False) -> str:  # noqa: ANN401
    # Models that may think before they answer are asked not to; templates of others pass over the word.
    rendered: str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=not answered, enable_thinking=False
    )
    return rendered


def _end(tokenizer: Any, behind: str, model_id: str) -> int:  # noqa: ANN401
    """The token that ends an answer: the first special one that the template writes behind it."""
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    for one in tokenizer(behind, add_special_tokens=False)["input_ids"]:
        if one in special:
            return int(one)
    if tokenizer.eos_token_id is None:
        raise UsageError(f"{model_id}: neither chat template nor tokenizer has a token that ends an answer; form=head")
    return int(tokenizer.eos_token_id)
