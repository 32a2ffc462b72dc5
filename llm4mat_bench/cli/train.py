"""``train``: a baseline on a task, or on a whole benchmark."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ..errors import UsageError
from .console import JsonOption, err, out, print_json
from .places import OldSourceOption, PlacesOption, places_of

if TYPE_CHECKING:
    from ..baselines.registry import Baseline
    from ..baselines.sweep import Options, Outcome, Wanted
    from ..dataset_builder.catalogue import Modality

ResultsOption = Annotated[Path, typer.Option("--out", "-o", help="Folder of all results.")]
RevisionOption = Annotated[str | None, typer.Option(help="Revision of the Hub repo.")]
PatternsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TASKS...",
        help="SOURCE/PROPERTY (sample/band_gap), a pattern ('mp/*', '*/band_gap'), a source, or all.",
    ),
]
ModalityOption = Annotated[
    str,
    typer.Option(
        "--modality", "-m", metavar="NAME[,NAME]", help="composition, cif, description; several by commas, or all."
    ),
]


class ModelCommand(TyperCommand):
    """A command whose help ends with the models there are; they are looked up only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's own copy of click
        """Add the models and print the help."""
        from ..baselines.registry import list_baselines

        lines = [
            f"{one.id} ({one.declaration.title}; {', '.join(one.declaration.modalities)})" for one in list_baselines()
        ]
        self.epilog = "Models: " + "; ".join(lines) + ". `llm4mat-bench models MODEL` shows the settings of one."
        super().format_help(ctx, formatter)


def train(
    model: Annotated[str, typer.Argument(help="Name of a model; they are listed below.")],
    tasks: PatternsArgument,
    modality: ModalityOption = "composition",
    results: ResultsOption = Path("results"),
    seed: Annotated[
        str, typer.Option(metavar="N[,N]", help="Seed of everything random in the model; several by commas.")
    ] = "0",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the model; repeat for more.")
    ] = None,
    model_id: Annotated[
        str | None,
        typer.Option(metavar="FOLDER_OR_REPO", help="Pretrained checkpoint, for models that start from one."),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained", help="Evaluate the published trained model that the task asks for, as it is (cgcnn)."
        ),
    ] = False,
    preset: Annotated[
        str | None, typer.Option(help="Settings by name: published, fast. --set changes single ones.")
    ] = None,
    data: PlacesOption = None,
    source: OldSourceOption = None,
    revision: RevisionOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Answer only so many test rows: a trial, which is not ranked.")
    ] = None,
    train_rows: Annotated[
        int | None, typer.Option(min=1, help="Train on so many rows of a seeded order, for learning curves.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(metavar="shuffled", help="shuffled: each test crystal gets another one's text.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Work on this Ray cluster: auto, HOST:6379, ray://HOST:10001.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Train again where a finished run is found.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model and write predictions, result record and the model itself.

    The same call again finds the finished runs and goes on with the others. With several tasks, modalities or seeds, a
    run that fails is told and passed over, and the end is a table of what is there.
    """
    from ..baselines import processes
    from ..baselines.registry import check_installed, get_baseline
    from ..baselines.run import read_settings, train_along
    from ..baselines.sweep import Options, runs_wanted
    from ..dataset_builder.catalogue import match_tasks

    baseline = get_baseline(model)
    processes.check_can(baseline)
    places = places_of(data, source)  # may declare sources of the user's own
    found = match_tasks(tasks)
    views, seeds = read_modalities(modality), _seeds(seed)
    if control not in (None, "none", "shuffled"):
        raise UsageError(f"--control {control}: there is one, shuffled")
    checkpoint = [f"model_id={model_id}"] if model_id else []
    settings = [*(["pretrained=auto"] if pretrained else []), *(settings or []), *checkpoint]
    chosen = read_settings(baseline, read_pairs(settings), preset)
    wanted, left_out = runs_wanted(baseline, found, views, seeds, places)
    check_installed(baseline)
    options = Options(
        settings=chosen,
        results=results,
        revision=revision,
        overwrite=overwrite,
        limit=limit,
        train_rows=train_rows,
        control="shuffled" if control == "shuffled" else "none",
        # A preset of which something was changed is not that preset.
        preset=preset
        if chosen.that_answer() == read_settings(baseline, read_pairs(checkpoint), preset).that_answer()
        else None,
    )
    if processes.count() > 1 and (len(wanted) != 1 or ray is not None):
        raise UsageError("several processes train one run at a time: name one task, one modality, one seed, no --ray")
    if processes.rank():
        one = wanted[0]
        train_along(
            baseline, one.task, one.modality, seed=one.seed, data=one.data, revision=revision, train_rows=train_rows
        )
        return
    for line in left_out:
        err.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
    if len(wanted) == 1 and ray is None:
        _one(baseline, wanted[0], options, as_json=as_json)
    else:
        rest = _Rest(model, modality, seed, settings, preset, data or ([source] if source else []), options, ray)
        _many(baseline, wanted, options, rest, ray, as_json=as_json)


def _one(baseline: "Baseline", wanted: "Wanted", options: "Options", *, as_json: bool) -> None:
    from ..baselines.sweep import run_one
    from .progress import show_progress
    from .tables import score_table

    with show_progress(quiet=as_json) as progress:
        run = run_one(baseline, wanted, options, progress)
    if as_json:
        answer = {"folder": str(run.folder), "already_there": run.already_there, **run.record.model_dump(mode="json")}
        print_json(answer)
        return
    if run.already_there:
        err.print(f"found the finished run {run.folder}; --overwrite trains again", highlight=False, soft_wrap=True)
    out.print(score_table([run.record], title=f"{baseline.id} on {wanted.task.name}"))
    out.print(str(run.folder), highlight=False, soft_wrap=True)


class _Rest:
    """The command that makes what is missing."""

    def __init__(
        self,
        model: str,
        modality: str,
        seed: str,
        settings: list[str],
        preset: str | None,
        data: list[str],
        options: "Options",
        ray: str | None,
    ) -> None:
        self._model = model
        self._words = ["-m", modality, "--seed", seed, "--out", str(options.results)]
        for name, values in (("--set", settings), ("--data", data)):
            self._words += [word for value in values for word in (name, value)]
        optional = {
            "--preset": preset,
            "--revision": options.revision,
            "--limit": options.limit,
            "--train-rows": options.train_rows,
            "--ray": ray,
            "--control": None if options.control == "none" else options.control,
        }
        self._words += [str(word) for name, value in optional.items() if value is not None for word in (name, value)]

    def command(self, missing: "list[Outcome]") -> str:
        """Name the tasks that are not there yet; runs of them that are there are found."""
        tasks = dict.fromkeys(one.wanted.task.name for one in missing)
        without = dict.fromkeys(
            one.wanted.task.source.id for one in missing if one.wanted.data is None and one.wanted.task.source.benchmark
        )
        places = [word for source in without for word in ("--data", f"{source}=DIR")]
        return shlex.join(["llm4mat-bench", "train", self._model, *tasks, *self._words, *places])


def _many(
    baseline: "Baseline", wanted: "list[Wanted]", options: "Options", rest: _Rest, ray: str | None, *, as_json: bool
) -> None:
    from ..baselines.sweep import run_here, run_on_ray
    from .progress import show_progress

    outcomes: list[Outcome] = []
    with show_progress(quiet=as_json) as progress:
        progress("runs", 0, len(wanted))
        if ray is None:
            going = run_here(baseline, wanted, options, progress)
        else:
            going = run_on_ray(baseline, wanted, options, ray)
        for outcome in going:
            outcomes.append(outcome)
            if outcome.error is not None:
                err.print(f"{outcome.wanted}: {outcome.error}", markup=False, highlight=False, soft_wrap=True)
            progress("runs", len(outcomes), len(wanted))
    missing = [one for one in outcomes if one.status == "failed"]
    if as_json:
        answer: dict[str, Any] = {status: sum(one.status == status for one in outcomes) for status in STATUSES}
        answer["runs"] = [_said(one) for one in outcomes]
        answer["rest"] = rest.command(missing) if missing else None
        print_json(answer)
    else:
        out.print(_table(baseline, outcomes))
        counts = [f"{sum(one.status == status for one in outcomes)} {status}" for status in STATUSES]
        out.print(", ".join(counts) + f"; in {options.results}", highlight=False, soft_wrap=True)
        if missing:
            out.print("What is missing, once the reason above is mended:")
            out.print(f"  {rest.command(missing)}", markup=False, highlight=False, soft_wrap=True)
    if missing:
        raise typer.Exit(1)


STATUSES = ("trained", "found", "failed")


def _said(outcome: "Outcome") -> dict[str, Any]:
    wanted = outcome.wanted
    return {
        "task": wanted.task.name,
        "modality": wanted.modality,
        "seed": wanted.seed,
        "status": outcome.status,
        "folder": None if outcome.folder is None else str(outcome.folder),
        "error": outcome.error,
    }


def _table(baseline: "Baseline", outcomes: "list[Outcome]") -> Any:  # noqa: ANN401 - what rich prints
    """A row a task, a column a modality: the scores of the seeds that are there, and how many are missing."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from ..metrics.headline import HEADLINE, whole_headline, written
    from .tables import add_task_column

    views = list(dict.fromkeys(one.wanted.modality for one in outcomes))
    table = Table(
        title=f"{baseline.id}, whole test set", caption="A score for each seed.", box=SIMPLE_HEAD, pad_edge=False
    )
    add_task_column(table)
    table.add_column("metric")
    for view in views:
        table.add_column(view, justify="right")
    by_task: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_task.setdefault(one.wanted.task.name, []).append(one)
    for name, ofs in by_task.items():
        cells = []
        for view in views:
            here = [one for one in ofs if one.wanted.modality == view]
            scores = [written(whole_headline(one.record.metrics)) for one in here if one.record is not None]
            failed = sum(one.status == "failed" for one in here)
            cells.append("  ".join(scores + ([f"[red]{failed} missing[/]"] if failed else [])))
        table.add_row(name, HEADLINE[ofs[0].wanted.task.kind], *cells)
    return table


def read_modalities(text: str) -> "list[Modality]":
    """Read modalities separated by commas; ``all`` for every one.

    Raises:
        UsageError: One is unknown.
    """
    from ..dataset_builder.catalogue import MODALITIES
    from ..dataset_builder.dataset_folder import check_modality

    if text.strip().casefold() == "all":
        return list(MODALITIES)
    return list(dict.fromkeys(check_modality(one) for one in text.split(",")))


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(one) for one in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--seed {text}: write whole numbers separated by commas") from error
    if min(seeds) < 0:
        raise UsageError(f"--seed {text}: a seed is not negative")
    return list(dict.fromkeys(seeds))


def read_pairs(settings: list[str]) -> dict[str, str]:
    """Read settings given as NAME=VALUE.

    Raises:
        UsageError: One has no name or no ``=``, stands twice with different values, or is no UTF-8 text.
    """
    pairs: dict[str, str] = {}
    for setting in settings:
        shown = setting.encode("utf-8", "backslashreplace").decode()
        if shown != setting:
            raise UsageError(f"--set {shown}: bytes that are no UTF-8 text")
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise UsageError(f"--set {setting}: write NAME=VALUE")
        if pairs.get(name, value) != value:
            raise UsageError(f"--set {setting}: {name} is {pairs[name]} before; give it once")
        pairs[name] = value
    return pairs
