"""``prompt``: ask a language model the questions of tasks."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import LLM4MatError, UsageError
from .console import JsonOption, err, out, print_json
from .places import PlacesOption, places_of
from .train import ModalityOption, PatternsArgument, ResultsOption, RevisionOption, read_modalities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dataset_builder.catalogue import Modality, Task
    from ..prompting.engines.interface import Engine
    from ..prompting.run import PromptRun, PromptSettings, Spending
    from ..prompting.tokens import Counter


_CONTROLS = ("shuffled", "sentences", "unit")


def prompt(
    model: Annotated[str, typer.Argument(help="Name of the model on the server, or its folder (--engine hf).")],
    tasks: PatternsArgument,
    modality: ModalityOption = "composition",
    results: ResultsOption = Path("results"),
    engine: Annotated[
        str,
        typer.Option(
            help="openai: any server of that kind (vLLM, llama.cpp, a vendor); vllm: in this process; ray: vLLM on a "
            "Ray cluster; batch: files for `vllm run-batch` and vendors' queues; hf: transformers, here."
        ),
    ] = "openai",
    engine_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="An argument of vLLM's engine (vllm, ray), such as dtype."),
    ] = None,
    ray: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Of the Ray cluster (ray): local, auto, HOST:6379.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Copies of the model on the cluster (ray).")] = 1,
    batch: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where batch files are and go [batch in --out].")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Write what a batch left unanswered into a new one (batch).")
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the server: http://localhost:8000/v1 [OPENAI_BASE_URL]."),
    ] = None,
    api_key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the key of the server.")
    ] = "OPENAI_API_KEY",
    template: Annotated[str, typer.Option(metavar="ID_OR_FILE", help="How to ask: json, words, ...")] = "json",
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask the questions of a published prompts file, as they stand.")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, max=1000, metavar="K", help="Solved examples before each question.")] = 0,
    shot_rule: Annotated[
        str, typer.Option(metavar="RULE", help="fixed, random, nearest, stratified or fixed_published.")
    ] = "fixed",
    seed: Annotated[int, typer.Option(min=0, help="Of shots, samples and the control.")] = 0,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest answer.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1)] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, thinking included.")] = 256,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Ends an answer; repeat for more.")] = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Answers to each question; the median counts.")] = 1,
    structured: Annotated[bool, typer.Option("--structured", help="Hold answers to a JSON schema.")] = False,
    logprobs: Annotated[bool, typer.Option(help="Ask how probable the classes are, for a real AUC.")] = True,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="FOLDER_OR_REPO", help="Counts the model's tokens, to cut long prompts.")
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Tokens that the model can read and write, if the server is silent."),
    ] = None,
    body: Annotated[
        list[str] | None, typer.Option("--body", metavar="NAME=JSON", help="A further field of each request.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1, max=1_000_000, metavar="N", help="Questions in flight [openai: 16, vllm: 256, ray: 20,000]."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="The longest that a request takes.")
    ] = 300.0,
    tries: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="How often a question is asked.")] = 6,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where answers are kept [answers.sqlite in --out].")
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="shuffled: each question shows another crystal's text; sentences: its own in another order; unit: "
            "another unit is asked for.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Ask only so many test rows: a trial, which is not ranked.")
    ] = None,
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million tokens of prompts.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million tokens of answers.")] = 0.0,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop before more is spent.")] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on though the first 50 answers are all invalid.")
    ] = False,
    leave_unanswered: Annotated[
        bool,
        typer.Option("--leave-unanswered", help="Finish though questions got no answer: their rows count as invalid."),
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.01, metavar="N", help="The most questions a minute (openai).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask nothing: show a whole prompt, tokens and the likely cost.")
    ] = False,
    data: PlacesOption = None,
    revision: RevisionOption = None,
    overwrite: Annotated[bool, typer.Option(help="Make finished runs again, from the stored answers.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a language model, and write predictions and a result record as every other run.

    Each answer is kept as it comes: a call that was stopped, however, asks only what is missing when it is made again,
    and no question is paid twice. The key of a server comes from the environment and is never shown.
    """
    from ..dataset_builder.catalogue import match_tasks
    from ..metrics.results.places import data_of
    from ..prompting.engines.choice import EngineChoice, make_engine
    from ..prompting.run import Spending, check_settings, read_prompt_settings
    from ..prompting.watch import Prices, check_prices

    if control not in (None, "none", *_CONTROLS):
        raise UsageError(f"--control {control}: there are {', '.join(_CONTROLS)}")
    settings = read_prompt_settings(
        template=template,
        shots=shots,
        shot_rule=shot_rule,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        structured=structured,
        samples=samples,
        logprobs=logprobs,
        context=context,
        extra=_fields(body or [], "--body"),
    )
    places = places_of(data, None)
    wanted = [(task, view, data_of(task, places)) for task in match_tasks(tasks) for view in read_modalities(modality)]
    spending = Spending(Prices(prompt=price_in, completion=price_out), max_cost, keep_going, leave_unanswered)
    counter = _counter(tokenizer)
    call = _Call(
        settings,
        spending,
        seed,
        control or "none",
        limit,
        results,
        store or results / "answers.sqlite",
        revision,
        overwrite,
        counter,
        prompts,
    )
    if dry_run:
        check_settings(settings, engine, structured=engine != "hf")
        check_prices(spending.prices, max_cost)
        _show(call, wanted, as_json=as_json)
        return
    asker = make_engine(
        EngineChoice(
            name=engine,
            model=model,
            concurrency=concurrency,
            base_url=base_url,
            key_name=api_key_env,
            timeout=timeout,
            tries=tries,
            rate=rate,
            options=_fields(engine_option or [], "--engine-option"),
            ray_address=ray,
            workers=workers,
            batch_folder=batch or results / "batch",
            batch_again=again,
        )
    )
    _run(call, asker, wanted, as_json=as_json)


@dataclass(frozen=True)
class _Call:
    """What all runs of a call share."""

    settings: "PromptSettings"
    spending: "Spending"
    seed: int
    control: Any
    limit: int | None
    results: Path
    store: Path
    revision: str | None
    overwrite: bool
    counter: "Counter | None"
    prompts: Path | None


def _run(call: _Call, engine: "Engine", wanted: "list[tuple[Task, Modality, str | None]]", *, as_json: bool) -> None:
    from ..prompting.engines.interface import EngineError, PostponedError
    from ..prompting.run import prompt_task
    from ..prompting.store import AnswerStore
    from .progress import show_progress

    runs: list[PromptRun] = []
    failed: list[dict[str, str]] = []
    waiting: list[dict[str, str]] = []
    with (
        _finishing(engine, as_json=as_json),
        AnswerStore(call.store) as store,
        show_progress(quiet=as_json) as progress,
    ):
        for number, (task, view, data) in enumerate(wanted):
            try:
                run = prompt_task(
                    engine,
                    task,
                    view,
                    call.results,
                    store,
                    settings=call.settings,
                    seed=call.seed,
                    control=call.control,
                    limit=call.limit,
                    data=data,
                    revision=call.revision,
                    overwrite=call.overwrite,
                    spending=call.spending,
                    counter=call.counter,
                    prompts=call.prompts,
                    progress=progress,
                )
            except EngineError as error:  # the other runs would meet the same
                if len(wanted) == 1:
                    raise
                rest = f"{error}. {len(wanted) - number} of {len(wanted)} runs are missing; the same command makes them"
                raise EngineError(rest) from error
            except PostponedError as error:
                waiting.append({"task": task.name, "modality": view, "waiting": str(error)})
            except LLM4MatError as error:
                if len(wanted) == 1:
                    raise
                failed.append({"task": task.name, "modality": view, "error": str(error)})
                err.print(f"{task.name} {view}: {error}", markup=False, highlight=False, soft_wrap=True)
            else:
                runs.append(run)
    _tell(runs, failed, waiting, call, as_json=as_json, single=len(wanted) == 1)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _finishing(engine: "Engine", *, as_json: bool) -> "Iterator[None]":
    """Let an engine end its work after all runs, whatever came of them, and say what is to be done next."""
    try:
        yield
    finally:
        said = engine.finish()
        if said and not as_json:
            err.print(said, markup=False, highlight=False, soft_wrap=True)


def _tell(
    runs: "list[PromptRun]",
    failed: list[dict[str, str]],
    waiting: list[dict[str, str]],
    call: _Call,
    *,
    as_json: bool,
    single: bool,
) -> None:
    from .tables import score_table

    said = [
        {"folder": str(run.folder), "already_there": run.already_there, "call": run.summary}
        | run.record.model_dump(mode="json")
        for run in runs
    ]
    if as_json:
        print_json(said[0] if single and said else {"runs": said, "failed": failed, "waiting": waiting})
        return
    for run in runs:
        if run.already_there:
            err.print(f"found the finished run {run.folder}", highlight=False, soft_wrap=True)
    if runs:
        out.print(
            score_table([run.record for run in runs], title=f"{runs[0].record.model.id}, {call.settings.shots} shots")
        )
    for run in runs:
        if run.summary:
            out.print(_numbers(run), highlight=False, soft_wrap=True)
        out.print(str(run.folder), highlight=False, soft_wrap=True)


def _numbers(run: "PromptRun") -> str:
    counts = run.summary
    line = (
        f"{counts['answers']} answers, {counts['asked_now']} of them asked now, {counts['invalid']} invalid; "
        f"{counts['prompt_tokens_now']:,} tokens of prompts and {counts['completion_tokens_now']:,} of answers now"
    )
    return line if counts["cost_now"] is None else f"{line}, {_money(counts['cost_now'])} to pay"


def _money(amount: Any) -> str:  # noqa: ANN401 - a number out of a summary
    """An amount with two decimals; of small ones two digits, so that what costs something is not shown as nothing."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.2g}"


def _counter(name: str | None) -> "Counter | None":
    if name is None:
        return None
    from ..prompting.tokens import load_counter

    return load_counter(name)


def _fields(written: list[str], option: str) -> dict[str, Any]:
    found = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{option} {one}: write NAME=JSON")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError as error:
            raise UsageError(f"{option} {one}: {value!r} is no JSON; texts stand in quotation marks") from error
    return found


def _show(call: _Call, wanted: "list[tuple[Task, Modality, str | None]]", *, as_json: bool) -> None:
    from ..prompting.estimate import estimate

    found = [
        estimate(
            task,
            view,
            call.settings,
            seed=call.seed,
            control=call.control,
            limit=call.limit,
            data=data,
            revision=call.revision,
            counter=call.counter,
            prompts=call.prompts,
        )
        for task, view, data in wanted
    ]
    prices = call.spending.prices
    costs = [prices.of(one.prompt_tokens, one.completion_tokens) for one in found]
    if as_json:
        print_json(
            {
                "messages": [message.model_dump() for message in found[0].example],
                "runs": [
                    one.model_dump(mode="json", exclude={"example"}) | {"cost": cost}
                    for one, cost in zip(found, costs, strict=True)
                ],
            }
        )
        return
    for message in found[0].example:
        out.print(f"--- {message.role}", markup=False, highlight=False)
        out.print(message.content, markup=False, highlight=False, soft_wrap=True)
    out.print("---", markup=False)
    for one, cost in zip(found, costs, strict=True):
        about = "" if one.counted else "about "
        line = (
            f"{one.task} {one.modality}: {one.questions:,} questions, {about}{one.prompt_tokens:,} tokens of prompts, "
            f"at most {one.completion_tokens:,} of answers"
        )
        out.print(
            f"{line}, at most {_money(cost)} to pay" if prices.prompt or prices.completion else line,
            highlight=False,
            soft_wrap=True,
        )
