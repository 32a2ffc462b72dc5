"""``plan``: what runs would cost, before anything runs."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import UsageError
from .console import JsonOption, err, out, print_json
from .places import PlacesOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..baselines.rates import Rate
    from ..dataset_builder.catalogue import Modality
    from ..plan import Line, Plan


def plan(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] TASKS...",
            help="A model, one of `models` or one whose rate you give; then tasks, patterns ('mp/*'), sources, or all.",
        ),
    ],
    modality: Annotated[
        str | None,
        typer.Option(
            "--modality", "-m", metavar="NAME[,NAME]", help="By commas, or all; what the model reads if left out."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs of each task.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training rows.")] = 1,
    prompted: Annotated[
        bool, typer.Option("--prompted", help="The model is asked, not trained: test rows only.")
    ] = False,
    shots: Annotated[int, typer.Option(min=0, help="Examples in each question to a prompted model.")] = 0,
    other_tokens: Annotated[
        int, typer.Option(min=0, help="Tokens of the rest of a question to a prompted model, and of its answer.")
    ] = 0,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Texts are cut there.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Count its tokens: a tokenizer.json, a folder with one, or a name on the Hub.")
    ] = None,
    gpu_rate: Annotated[
        float | None,
        typer.Option(min=1e-9, metavar="TOKENS", help="Tokens a second that your GPU reads with this model."),
    ] = None,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of a GPU where --gpu-rate is given, else of a processor core.")
    ] = None,
    price_per_million: Annotated[
        float | None, typer.Option(min=0, help="Price of a million tokens, where a service reads them.")
    ] = None,
    data: PlacesOption = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure again how fast this machine is.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what runs would cost: rows, tokens, disk, core-hours; GPU-hours and money at your rates.

    Rates of the models that are installed are measured on the embedded sample, once. Other rates are yours to give.
    """
    from ..dataset_builder.catalogue import MODALITIES, match_tasks
    from ..dataset_builder.statistics import load_tokenizer
    from ..metrics.results.places import data_of, read_places
    from ..plan import Pass, Prices, make_plan
    from .train import read_modalities

    name, patterns = _split(words)
    if not patterns:
        raise UsageError(f"{name}: for which tasks? Add a pattern such as 'mp/*', or all")
    if prompted and epochs != 1:
        raise UsageError("--epochs is for models that are trained, --prompted for others")
    if (shots or other_tokens) and not prompted:
        raise UsageError("--shots and --other-tokens are for --prompted models")
    tasks = match_tasks(patterns)
    views = read_modalities(modality) if modality else list(MODALITIES)
    views, rates = _rates(name, views, given=modality is not None, prompted=prompted, again=measure, quiet=as_json)
    found = make_plan(
        tasks,
        views,
        Pass(
            trained=not prompted,
            epochs=epochs,
            shots=shots,
            other_tokens=other_tokens,
            seeds=seeds,
            max_tokens=max_tokens,
        ),
        model=name,
        rates=rates,
        prices=Prices(gpu_rate=gpu_rate, price_per_hour=price_per_hour, price_per_million=price_per_million),
        data_of=partial(data_of, places=read_places(data or [])),
        count_tokens=load_tokenizer(tokenizer).count_tokens if tokenizer else None,
    )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    _print(found)
    if name is not None and rates is None and gpu_rate is None and price_per_million is None:
        out.print(
            f"No rate of {name} is known here: measure tokens a second where it will run and give --gpu-rate, or "
            "--price-per-million.",
            soft_wrap=True,
        )


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """Tell a model from the patterns behind it."""
    from ..dataset_builder.catalogue import list_sources

    sources = {name for source in list_sources(include_sample=True) for name in (source.id, *source.aliases)}
    first = words[0]
    if "/" in first or first.casefold() == "all" or first.casefold() in sources:
        return None, words
    return first, words[1:]


def _rates(
    name: str | None, views: "list[Modality]", *, given: bool, prompted: bool, again: bool, quiet: bool
) -> "tuple[list[Modality], dict[Modality, Rate] | None]":
    """What is read, and the rates of a model of this room that runs on processors."""
    from ..baselines.rates import rate_of
    from ..baselines.registry import check_installed, check_reads, get_baseline, list_baselines
    from .progress import show_progress

    known = {one.id for one in list_baselines()}
    if name is None or prompted:
        return views, None
    if name not in known:
        err.print(f"{name} is none of the models here ({', '.join(sorted(known))}): its rate is yours to give")
        return views, None
    baseline = get_baseline(name)
    if given:
        for view in views:
            check_reads(baseline, view)
    views = [view for view in views if view in baseline.declaration.modalities]
    if baseline.declaration.kind not in ("dummy", "classical"):
        return views, None
    check_installed(baseline)
    with show_progress(quiet=quiet) as progress:
        return views, {view: rate_of(baseline, view, measure_again=again, progress=progress) for view in views}


def _print(plan: "Plan") -> None:
    out.print(_table(plan))
    facts = [
        f"{plan.runs:,} runs",
        f"{_short(plan.tokens)} tokens",
        f"{plan.text_bytes / 1e9:,.1f} GB of texts on disk",
    ]
    if plan.result_bytes is not None:
        facts.append(f"{plan.result_bytes / 1e9:,.2f} GB of results, at the size of the sample's")
    if plan.core_hours is not None:
        facts.append(f"{_hours(plan.core_hours)} core-hours")
    if plan.gpu_hours is not None:
        facts.append(f"{_hours(plan.gpu_hours)} GPU-hours")
    if plan.cost is not None:
        facts.append(f"{plan.cost:,.2f} in money")
    out.print(", ".join(facts) + ".", highlight=False)
    for note in plan.notes:
        out.print(note, style="dim", soft_wrap=True, highlight=False, markup=False)


def _table(plan: "Plan") -> Table:
    """A row for each source and modality."""
    table = Table(title=f"Plan of {plan.model or 'reading everything once'}", box=SIMPLE_HEAD, pad_edge=False)
    optional = (("core-hours", "core_hours"), ("GPU-hours", "gpu_hours"), ("cost", "cost"))
    shown = [(title, field) for title, field in optional if getattr(plan, field) is not None]
    for heading in ("source", "modality"):
        table.add_column(heading, no_wrap=True)
    for heading in ("tasks", "rows", "tokens a text", "tokens", *(title for title, _ in shown)):
        table.add_column(heading, justify="right")
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in plan.lines:
        groups.setdefault((line.task.partition("/")[0], line.modality), []).append(line)
    for (source, view), lines in groups.items():
        rows = sum(sum(line.rows.values()) for line in lines)
        cells = [
            f"{len(lines)}",
            f"{rows:,}",
            f"{lines[0].tokens_a_text:,.0f}",
            _short(sum(one.tokens for one in lines)),
        ]
        cells += [_amount(field, [getattr(one, field) for one in lines]) for _, field in shown]
        table.add_row(source, view, *cells)
    return table


def _amount(field: str, values: "Sequence[Any]") -> str:
    total = float(sum(values))
    return f"{total:,.2f}" if field == "cost" else _hours(total)


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def _short(count: float) -> str:
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count:,.0f}"
