"""Instruction tuning: a language model is taught to answer as prompts ask, and is read as prompted models are."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from ...answers.form import answer_text
from ...answers.parser import PARSER_VERSION, parse_answer
from ...dataset_builder.catalogue import Task
from ...errors import DataError, UsageError, said_value
from ...faults import first_fault
from ...files import write_json, write_text
from ...progress import Progress
from ..protocol import Answers, Context, Fitted, TaskData, Texts
from .adapters import adapted_model, load_adapted, to_processor
from .answering import (
    AnswerNetwork,
    CollateAnswers,
    answers_error,
    log_probabilities,
    write_answers,
)
from .checkpoints import load_config, load_tokenizer, quiet, writes_text
from .compatibility import longest
from .curve import draw_learning_curve
from .encoding import Reading, encode_splits, prepare_tokenizer, reading_of
from .fine_tune import prepare
from .fitted import CURVE_FILE, HISTORY_FILE, STOP_WORDS_FILE, read_words
from .lora_settings import AdapterSettings
from .preprocess import Preprocessing
from .questions import ChatEncoder, ChatForm, EncodeAnswers, answer_ids, chat_form
from .training import facts_of, history, train_network

STATE_FILE = "taught_model.json"
_ROWS_A_CHUNK = 1024
_SPARE_TOKENS = 8
"""How many tokens an answer may have more than the longest that was taught."""


class TaughtState(BaseModel):
    """What a saved model says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    parser: str
    task: Task
    steps: Preprocessing
    before: str
    after: str
    end: int
    max_length: int
    most_tokens: int
    precision: str
    parameters: int
    facts: dict[str, JsonValue]


class TaughtModel(Fitted):
    """A language model with adapters that writes JSON answers."""

    def __init__(
        self,
        network: AnswerNetwork,
        tokenizer: Any,  # noqa: ANN401 - of transformers
        state: TaughtState,
        reading: Reading,
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        """Take the parts; the history is drawn when the model is saved."""
        self.network = network
        self.tokenizer = tokenizer
        self.state = state
        self.reading = reading
        self._history = history or []
        self.parameters = state.parameters
        self.facts = state.facts
        form = ChatForm(state.before, state.after, state.end)
        self.encode = ChatEncoder(tokenizer, form, reading, state.max_length)

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer each text: a value in the unit of the task, or the probability of the positive class.

        NaN where there is no text, and where no value could be read in what the model wrote.
        """
        return self.answer(texts).values

    def answer(self, texts: Texts) -> Answers:
        """Answer each text, and keep what was written and how it was read."""
        values = np.full(len(texts), np.nan)
        written: list[str | None] = [None] * len(texts)
        statuses = ["missing"] * len(texts)
        start = 0
        for batch in texts.batches(_ROWS_A_CHUNK):
            said = batch.to_pylist()
            there = [at for at, text in enumerate(said) if text]
            questions, _ = self.encode([said[at] for at in there])
            outputs = write_answers(
                self.network,
                questions,
                ends=self._ends(),
                most=self.state.most_tokens,
                pad_id=self.tokenizer.pad_token_id,
                precision=self.state.precision,
                done=partial(_tell, self.progress, start, len(texts)),
            )
            for at, output in zip(there, outputs, strict=True):
                text = self.tokenizer.decode(output.ids, skip_special_tokens=True)
                # What cannot stand in UTF-8 cannot stand in a file of predictions.
                text = text.encode("utf-8", "replace").decode("utf-8")
                parsed = parse_answer(text, self.state.task, finish_reason="stop" if output.ended else "length")
                written[start + at], statuses[start + at] = text, parsed.status
                if parsed.value is not None:
                    values[start + at] = float(parsed.value)
            if self.state.task.kind == "classification":
                valid = [place for place, at in enumerate(there) if not np.isnan(values[start + at])]
                sure = self._positive([questions[place] for place in valid])
                values[[start + there[place] for place in valid]] = sure
            start += len(said)
        return Answers(values, {"raw_output": written, "parse_status": statuses})

    def reason(self, text: str) -> str | None:
        """What the model wrote, where no value could be read in it."""
        columns = self.answer(Texts([text])).columns
        written, status = columns["raw_output"][0], columns["parse_status"][0]
        return None if written is None else f"its answer cannot be read ({status}): {said_value(written)}"

    def _positive(self, questions: list[list[int]]) -> NDArray[np.float64]:
        """Probability of the positive class: its share of both, at the token where the two answers part."""
        if not questions:
            return np.empty(0)
        negative, positive = (
            answer_ids(self.tokenizer, answer_text(value, self.state.task, None), self.state.end)
            for value in (False, True)
        )
        fork = next(at for at, (one, other) in enumerate(zip(negative, positive, strict=False)) if one != other)
        begun = [[*question, *positive[:fork]] for question in questions]
        both = [
            log_probabilities(
                self.network,
                [[*one, answer[fork]] for one in begun],
                [len(one) for one in begun],
                self.tokenizer.pad_token_id,
                self.state.precision,
            )
            for answer in (negative, positive)
        ]
        share: NDArray[np.float64] = 1 / (1 + np.exp(np.clip(both[0] - both[1], -700, 700)))
        return share

    def _ends(self) -> list[int]:
        return sorted({self.state.end, self.tokenizer.eos_token_id} - {None})

    def save(self, folder: Path) -> None:
        """Write adapters, tokenizer, question, task and preprocessing; the base model is only named."""
        self.network.save_adapter(folder)
        self.tokenizer.save_pretrained(folder)
        if self.reading.words_file is not None:
            write_text(folder / STOP_WORDS_FILE, self.reading.words_file.read_text(encoding="utf-8"))
        if self._history:
            write_json(folder / HISTORY_FILE, self._history)
            draw_learning_curve(
                self._history, folder / CURVE_FILE, classes=True, error="- log probability of an answer"
            )
        write_json(folder / STATE_FILE, self.state.model_dump(mode="json"))


def teach(data: TaskData, context: Context[Any]) -> TaughtModel:
    """Teach a language model the answers to a task's questions.

    Raises:
        UsageError: The model cannot be had, writes no text, or has no chat template.
        DataError: The training rows cannot teach: one class, a constant target, no text.
    """
    settings: AdapterSettings = context.settings
    prepare(data, context)
    config = load_config(settings.model_id, settings.model_revision, decoders=True)
    if not writes_text(config):
        raise UsageError(
            f"{settings.model_id}: a {config.model_type} is an encoder and writes no answers; form=head, or take a "
            "language model"
        )
    tokenizer = load_tokenizer(settings.model_id, settings.model_revision, any_padding=True)
    form = chat_form(tokenizer, data.task, data.modality, settings.model_id)
    reading = reading_of(settings, data.modality)
    new_tokens = prepare_tokenizer(tokenizer, reading.steps, "")
    model, base = adapted_model(settings, config, tokenizer, new_tokens, writing=True)
    network = AnswerNetwork(model, base)

    most = _SPARE_TOKENS + _longest_answer(data, tokenizer, form, settings.digits)
    max_length = longest(settings, model, spare=most)
    encode = EncodeAnswers(ChatEncoder(tokenizer, form, reading, max_length), data.task, settings.digits)
    rows = encode_splits(data, encode, context)
    best = train_network(
        network,
        rows.train,
        settings=settings,
        collate=CollateAnswers(tokenizer.pad_token_id),
        score=partial(answers_error, rows=rows.validation, pad_id=tokenizer.pad_token_id, precision=settings.precision),
        seed=context.seed,
        work=context.work,
        progress=context.progress,
    )
    state = TaughtState(
        parser=PARSER_VERSION,
        task=data.task,
        steps=reading.steps,
        before=form.before,
        after=form.after,
        end=form.end,
        max_length=max_length,
        most_tokens=most,
        precision=settings.precision,
        parameters=sum(one.numel() for one in network.parameters()),
        facts=facts_of(best, rows, max_length, new_tokens, network),
    )
    return TaughtModel(network, tokenizer, state, reading, history(context.work))


def load_taught(folder: Path) -> TaughtModel:
    """Read a saved model.

    Raises:
        DataError: A file is missing, damaged, or of another model; the base model is not there, or another one.
    """
    quiet()
    try:
        state = TaughtState.model_validate_json((folder / STATE_FILE).read_bytes())
    except ValidationError as error:
        raise DataError(f"{folder / STATE_FILE}: {first_fault(error).told}; train the model again") from error
    words, path = read_words(folder, state.steps)
    tokenizer = load_tokenizer(str(folder), None)
    network = AnswerNetwork(*load_adapted(folder))
    to_processor(network)
    return TaughtModel(network, tokenizer, state, Reading(state.steps, words, path))


def _tell(progress: Progress, before: int, total: int, done: int) -> None:
    progress("answering", before + done, total)


def _longest_answer(data: TaskData, tokenizer: Any, form: ChatForm, digits: int) -> int:  # noqa: ANN401
    """Tokens of the longest answer that is taught."""
    targets = np.unique(data.train.targets)
    values = [bool(one) if data.task.kind == "classification" else float(one) for one in targets]
    texts = {answer_text(value, data.task, digits) for value in values}
    return max(len(answer_ids(tokenizer, text, form.end)) for text in texts)
