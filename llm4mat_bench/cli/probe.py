"""``probe``: what a language model knows by heart."""

from pathlib import Path
from typing import Annotated

import typer

from .console import JsonOption, out, print_json
from .places import PlacesOption, places_of
from .train import ModalityOption, PatternsArgument, ResultsOption, RevisionOption, read_modalities


def probe(
    model: Annotated[str, typer.Argument(help="Name of the model on the server, or its folder (--engine hf).")],
    tasks: PatternsArgument,
    modality: ModalityOption = "description",
    results: ResultsOption = Path("results"),
    engine: Annotated[str, typer.Option(help="As in prompt.")] = "openai",
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of the server [OPENAI_BASE_URL].")
    ] = None,
    api_key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable with the key of the server.")
    ] = "OPENAI_API_KEY",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Requests in flight.")] = 16,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where answers are kept [answers.sqlite in --out].")
    ] = None,
    limit: Annotated[int, typer.Option(min=2, metavar="N", help="So many test crystals of each task.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
    data: PlacesOption = None,
    revision: RevisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask what a model knows by heart: crystals' database ids from their texts, and how the texts go on.

    No score: what is found lies in --out, in probes/, and is told by `report`.
    """
    from ..dataset_builder.catalogue import match_tasks
    from ..metrics.results.places import data_of
    from ..prompting.engines.choice import EngineChoice, make_engine
    from ..prompting.memory.probe import probe_memory, write_probe
    from ..prompting.store import AnswerStore
    from .progress import show_progress

    asker = make_engine(
        EngineChoice(name=engine, model=model, concurrency=concurrency, base_url=base_url, key_name=api_key_env)
    )
    places = places_of(data, None)
    found = []
    with AnswerStore(store or results / "answers.sqlite") as answers, show_progress(quiet=as_json) as progress:
        for task in match_tasks(tasks):
            for view in read_modalities(modality):
                for kind in ("id", "continuation") if view != "composition" else ("id",):
                    one = probe_memory(
                        asker,
                        task,
                        view,
                        kind,
                        answers,
                        limit=limit,
                        seed=seed,
                        data=data_of(task, places),
                        revision=revision,
                        progress=progress,
                    )
                    found.append((write_probe(one, results), one))
    if as_json:
        print_json([{"file": str(path), **one.model_dump(mode="json")} for path, one in found])
        return
    for path, one in found:
        out.print(one.sentence, markup=False, highlight=False, soft_wrap=True)
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)
