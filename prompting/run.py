"""Ask a language model a task's questions: load, choose shots, render, ask, keep, parse, score, record."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..answers.form import answer_schema
from ..dataset_builder.catalogue import Modality, Task
from ..errors import LLM4MatError, UsageError, said_value
from ..faults import first_fault
from ..files import file_sha256, write_json
from ..metrics.results.record import Control, ModelIdentity, PromptProtocol, ResultRecord, RunConfig
from ..metrics.results.runs import FinishedRun, OpenRun, open_run
from ..metrics.results.truth import read_data_record
from ..progress import Progress, silent
from .asking import Asked, ask_missing
from .engines.interface import Answer, Engine, EngineInfo, PostponedError, Question, ServerGoneError
from .outcomes import Outcomes
from .parser import PARSER_VERSION
from .perturbations import perturbation
from .published import PublishedShots
from .published_questions import PublishedQuestions, published_shots, read_published_questions
from .questions import Questions, read_questions
from .render import Prompt, Renderer
from .shots import Rule, ShotSettings
from .store import AnswerStore
from .templates import load_template
from .tokens import Counter
from .watch import Prices, Watch

_ALTERNATIVES = 10
"""Alternatives of each token that are asked for where the answer is a class."""

_BEGUN = "asked.json"
_CHARACTERS = 3
"""Of a token, where no tokenizer is at hand: formulas and CIFs have short ones."""


class PromptSettings(BaseModel):
    """How a model is asked: all that can change an answer, but for the seed and the control."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str = Field(default="json", description="id, or path of one of your own")
    shots: int = Field(default=0, ge=0, le=1000)
    shot_rule: Rule = "fixed"
    temperature: float = Field(default=0.0, ge=0, le=10)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=256, ge=1)
    stop: tuple[str, ...] = ()
    structured: bool = False
    samples: int = Field(default=1, ge=1, le=1000)
    logprobs: bool = Field(default=True, description="ask for the probabilities of classes")
    context: int | None = Field(default=None, ge=1, description="tokens of prompt and answer; what is longer is cut")
    extra: dict[str, JsonValue] = Field(default={}, description="further fields of each request")


def read_prompt_settings(**given: object) -> PromptSettings:
    """Read settings as they are given on a command line.

    Raises:
        UsageError: One is of the wrong form.
    """
    try:
        return PromptSettings.model_validate(given)
    except ValidationError as error:
        fault = first_fault(error)
        name = fault.where.partition(".")[0].replace("_", "-")
        raise UsageError(f"--{name} {said_value(fault.value)}: {fault.what}") from error


@dataclass(frozen=True)
class Spending:
    """What may be spent on a run; no answer hangs on it.

    Attributes:
        prices: Of tokens.
        max_cost: The most that one call spends.
        keep_going: Go on though the first answers are all invalid.
        leave_unanswered: Finish though some questions got no answer: their rows are missing, as invalid ones are.
    """

    prices: Prices = field(default_factory=Prices)
    max_cost: float | None = None
    keep_going: bool = False
    leave_unanswered: bool = False


@dataclass(frozen=True)
class PromptRun:
    """A finished run.

    Attributes:
        folder: Where its result lies.
        record: What it is and how well the model did.
        already_there: An earlier call made it.
        summary: What this call asked and spent; empty where the run was there.
    """

    folder: Path
    record: ResultRecord
    already_there: bool
    summary: dict[str, JsonValue]


def prompt_task(
    engine: Engine,
    task: Task,
    modality: Modality,
    results: Path,
    store: AnswerStore,
    *,
    settings: PromptSettings | None = None,
    seed: int = 0,
    control: Control = "none",
    limit: int | None = None,
    data: str | Path | None = None,
    revision: str | None = None,
    overwrite: bool = False,
    spending: Spending | None = None,
    counter: Counter | None = None,
    prompts: Path | None = None,
    progress: Progress = silent,
) -> PromptRun:
    """Ask a model the questions of a task, or find the run finished.

    Every answer is kept as it comes: the same call again asks only what is missing.

    Args:
        engine: Who answers.
        task: What is asked for.
        modality: Which view of a crystal is shown.
        results: Folder of all results.
        store: Where answers are and go.
        settings: How it is asked.
        seed: Of shots, samples and the control.
        control: ``shuffled`` shows each question another test crystal's text, ``sentences`` those of its
            description in another order; ``unit`` asks for another unit and converts the answers back.
        limit: Ask only so many test rows: a trial, which is not ranked.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
        overwrite: Make the run again where it is finished; stored answers are used all the same.
        spending: What may be spent.
        counter: Counts the model's tokens; the engine's own if None.
        prompts: A published prompts file: its questions are asked, with 0 or 5 shots, in place of the template's.
        progress: Called as the work goes on.

    Raises:
        UsageError: The call is wrong, or the data is not at hand.
        DataError: The data is damaged.
        EngineError: The model cannot be asked.
        PostponedError: Answers come later; nothing is wrong.
        StoppedError: Going on would only cost.
        LLM4MatError: Questions got no answer.
    """
    settings = settings or PromptSettings()
    spending = spending or Spending()
    check_settings(settings, engine.name, structured=engine.structured)
    template = load_template(settings.template)
    if prompts is not None:
        published = check_published(settings, control)
    changed = perturbation(control, task, modality, seed)
    watch = Watch(
        changed.task,
        structured=settings.structured,
        keep_going=spending.keep_going,
        prices=spending.prices,
        max_cost=spending.max_cost,
    )
    info = known_model(engine, store)
    counter = counter or engine.counter()
    context = (settings.context or info.context) if counter is not None else None
    if settings.context is not None and counter is None:
        raise UsageError("--context needs the model's tokenizer to count with: give --tokenizer")
    room = None if context is None else context - settings.max_tokens
    if room is not None and room < 1:
        raise UsageError(f"--max-tokens {settings.max_tokens} leaves no room for a prompt in {context} tokens")
    renderer = Renderer(template, changed.task, modality, counter=counter, room=room, quick=True)
    asking = Asking(changed.task, settings, seed, info, published=prompts is not None)
    progress(f"looking at {task.name}", 0, 0)
    config = RunConfig.of(
        task,
        modality,
        read_data_record(task, modality, data, revision=revision, progress=progress),
        ModelIdentity(id=info.model, revision=info.revision, kind="prompted"),
        PromptProtocol(
            settings={**asking.recorded(context if prompts is None else None), "engine": engine.name},
            seed=seed,
            template_id=template.id if prompts is None else "published_file",
            template_sha256=template.sha256 if prompts is None else file_sha256(prompts),
            parser_version=PARSER_VERSION,
            shots=settings.shots,
            control=control,
            limit=limit,
        ),
    )
    run = open_run(config, results, overwrite=overwrite)
    if isinstance(run, FinishedRun):
        return PromptRun(run.folder, run.record, True, {})
    with run:
        questions: Questions | PublishedQuestions
        if prompts is not None:
            questions = read_published_questions(
                prompts,
                task,
                modality,
                published,
                data=data,
                revision=revision,
                limit=limit,
                counter=counter,
                progress=progress,
            )
        else:
            questions = read_questions(
                task,
                modality,
                renderer,
                ShotSettings(rule=settings.shot_rule, count=settings.shots, seed=seed),
                data=data,
                revision=revision,
                control=control,
                limit=limit,
                progress=progress,
            )
        outcomes = Outcomes(changed.task, len(questions.test), settings.samples, back=changed.back, counter=counter)
        try:
            failures = _ask(engine, store, questions, asking, outcomes, watch, spending, progress)
        except BaseException:
            if watch.paid:  # so that the call that finishes it knows that it was not the first
                with suppress(LLM4MatError):  # on a full disk; what comes through is why
                    write_json(run.work / _BEGUN, {"answers": str(store.path)})
            raise
        record = _finish(run, engine, info, store, questions, outcomes, failures)
    return PromptRun(run.folder, record, False, dict(watch.summary))


def check_published(settings: PromptSettings, control: Control) -> PublishedShots:
    """Which prompts of a published file are asked for.

    Raises:
        UsageError: Something is asked for that the file cannot give.
    """
    if settings.template != PromptSettings().template or settings.shot_rule != "fixed" or settings.context is not None:
        raise UsageError("--prompts: the file has its own wording and shots: no --template, --shot-rule or --context")
    if control != "none":
        raise UsageError("--prompts: the file shows each crystal its own text: no --control")
    return published_shots(settings.shots)


def about_tokens(prompt: Prompt) -> int:
    """Tokens of a prompt; about as many as there are where nothing counted them."""
    if prompt.tokens is not None:
        return prompt.tokens
    return sum(len(message.content) for message in prompt.messages) // _CHARACTERS + 1


def known_model(engine: Engine, store: AnswerStore) -> EngineInfo:
    """Ask the engine about its model; where nobody answers, take what it said before: answers can still be read again.

    Raises:
        EngineError: There is no such model, or nobody answers and never did.
    """
    try:
        info = engine.describe()
    except ServerGoneError:
        info_before = store.remembered(engine.name, engine.model)
        if info_before is None:
            raise
        return info_before
    store.remember(info)
    return info


class Asking:
    """Makes questions of prompts."""

    def __init__(
        self, task: Task, settings: PromptSettings, seed: int, info: EngineInfo, *, published: bool = False
    ) -> None:
        self.settings = settings
        self.published = published
        self.samples = settings.samples
        self._info = info
        self._seed = seed
        self._schema = answer_schema(task) if settings.structured else None
        self.top_logprobs = _ALTERNATIVES if settings.logprobs and task.kind == "classification" else 0

    def asked(self, row: int, prompt: Prompt, sha256: str) -> Iterator[Asked]:
        """The questions about one row, one for each sample."""
        settings = self.settings
        drawn = settings.temperature > 0
        for sample in range(settings.samples):
            question = Question(
                messages=prompt.messages,
                temperature=settings.temperature,
                top_p=settings.top_p,
                max_tokens=settings.max_tokens,
                stop=settings.stop,
                # a greedy answer hangs on no seed, and is not paid again for another one
                seed=(self._seed * 1000 + sample) % 2**31 if drawn else None,
                sample=sample,
                answer_schema=self._schema,
                top_logprobs=self.top_logprobs,
                extra=settings.extra,
            )
            yield Asked(row, sample, question.key(self._info, sha256), question)

    def recorded(self, context: int | None) -> dict[str, JsonValue]:
        """The settings as a record has them: the template and the number of shots stand beside them."""
        shown = self.settings.model_dump(mode="json", exclude={"template", "shots", "logprobs", "context"})
        if self.settings.shots == 0 or self.published:
            del shown["shot_rule"]
        return {**shown, "top_logprobs": self.top_logprobs, "context": context}


def check_settings(settings: PromptSettings, engine: str, *, structured: bool) -> None:
    """Refuse settings that no run can have.

    Args:
        settings: How a model is to be asked.
        engine: Name of the engine.
        structured: Whether it can hold answers to a schema.

    Raises:
        UsageError: They cannot be.
    """
    if settings.samples > 1 and settings.temperature == 0:
        raise UsageError("--samples: at temperature 0 all samples are the same; give --temperature, for example 0.7")
    if settings.structured and not structured:
        raise UsageError(f"--structured: the engine {engine} cannot hold answers to a schema")


def _ask(
    engine: Engine,
    store: AnswerStore,
    questions: Questions | PublishedQuestions,
    asking: Asking,
    outcomes: Outcomes,
    watch: Watch,
    spending: Spending,
    progress: Progress,
) -> list[str]:
    """Ask; what is returned are the reasons why questions got no answer, where they may be left so."""
    total = questions.asked * asking.samples
    done = 0

    def all_questions() -> Iterator[Asked]:
        for row, prompt in questions:
            sha256 = prompt.sha256
            outcomes.prompted(row, prompt, sha256)
            watch.expect(about_tokens(prompt), asking.settings.max_tokens)
            for asked in asking.asked(row, prompt, sha256):
                outcomes.asked(row, asked.sample, asked.key)
                yield asked

    def seen(asked: Asked, answer: Answer, paid: bool) -> None:
        nonlocal done
        done += 1
        watch.seen(answer, outcomes.parse(asked.row, asked.sample, answer), paid=paid)
        progress("asking", done, total)
        if paid:
            progress("invalid", watch.invalid, watch.answered)
            watch.tell(total - done, progress)

    progress("asking", 0, total)
    failures, postponed = asyncio.run(ask_missing(engine, store, all_questions(), seen, watch.afford))
    progress("asking", total, total)
    if postponed:
        raise PostponedError(f"{postponed} of {total} questions wait for their answers")
    if failures and not spending.leave_unanswered:
        raise LLM4MatError(
            f"{len(failures)} of {total} questions got no answer ({failures[0]}); all others are kept, the "
            "same command asks these again, and --leave-unanswered does without them"
        )
    watch.end()
    return failures


def _finish(
    run: OpenRun,
    engine: Engine,
    info: EngineInfo,
    store: AnswerStore,
    questions: Questions | PublishedQuestions,
    outcomes: Outcomes,
    failures: list[str],
) -> ResultRecord:
    outcomes.unanswered = bool(failures)
    columns = outcomes.columns(store, questions)
    facts: dict[str, JsonValue] = {
        "engine": info.model_dump(mode="json"),
        "answered_by": [*sorted(outcomes.answered_by)[:20]],
        **outcomes.facts,
    }
    if failures:
        why: list[JsonValue] = [*dict.fromkeys(failures)]
        facts |= {"unanswered": len(failures), "unanswered_why": why[:5]}
    if outcomes.score_kind == "probability" and outcomes.samples == 1:
        facts["class_logprobs"] = engine.logprobs
    if questions.record:
        facts["shots"] = questions.record
    return run.finish(
        columns,
        parameters=info.parameters,
        fitted=facts,
        score_kind=outcomes.score_kind,
        libraries=engine.libraries,
    )
