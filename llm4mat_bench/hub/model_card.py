"""A model card: made from a template, or brought up to date without touching what people wrote in it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..dataset_builder.catalogue import Task, get_benchmark, get_task
from ..dataset_builder.dataset_folder.card_sections import begin_mark, end_mark, put_section
from ..errors import DataError
from ..metrics.headline import HEADLINE
from ..metrics.leaderboard.entries import Cell, Entry, SoundRun
from ..metrics.results.names import is_repo_name, visible
from ..metrics.results.record import AnyProtocol, ResultRecord
from .front_matter import read_block, split_card, with_keys
from .model_results import ModelResults
from .result_entries import Metadata, merged_index

SECTION = "llm4mat-bench-results"
RECORDS = "results"
"""Folder of the records in a model repo."""
_TEMPLATES = Path(__file__).resolve().parent / "templates"
_TAGS = ("llm4mat-bench", "materials-science", "crystal-property-prediction")
_OVERLAP = {
    "none": "Its author says that the weights had seen no test material before.",
    "known": "**The weights had seen test materials before**: scores say less than those of other models.",
    "unknown": "Whether the weights had seen test materials before is not known.",
}
_MOST_TITLES = 8
_NAMED = re.compile(r"^`(?P<model>[^`\n]+)` \(revision `", re.MULTILINE)
_COMMIT = re.compile(r"[0-9a-f]{40}(?![0-9a-f])")
_LOCAL = re.compile(r"[/~\\]|\.\.?[/\\]|[A-Za-z]:[/\\]|file:")
_EXAMPLES = {"composition": "NaCl", "cif": "data_NaCl ...", "description": "NaCl is ..."}


@dataclass(frozen=True)
class Figure:
    """A picture in the card: its path in the repo and what it shows."""

    path: str
    title: str


@dataclass(frozen=True)
class Weights:
    """The trained model that the card shows how to load.

    Attributes:
        run: The run that left it.
        folder: Its folder in the repo, empty for the one place where it is found by the repo's name alone.
        others: How many more there are.
    """

    run: SoundRun
    folder: str
    others: int


def path_of(record: ResultRecord) -> str:
    """Folder of a run in a repo."""
    return str(PurePosixPath(RECORDS, record.task, record.modality, record.run_id))


def card_text(
    present: str | None,
    repo: str,
    results: ModelResults,
    metadata: Metadata,
    *,
    weights: Weights | None = None,
    figures: Sequence[Figure] = (),
    licence: str | None = None,
    revision: str = "main",
) -> str:
    """The text of a card.

    Args:
        present: The card on the Hub, None where there is none: then it is made from the template. Else the marked
            section is put in place of the older one (or at the end), metadata is set key by key, and all else stays.
        repo: ``owner/name``.
        results: The model's results.
        metadata: What programs read.
        weights: The trained model, where one goes along.
        figures: Pictures, by their paths in the repo.
        licence: Licence of the model, where its owner names one.
        revision: The branch, which whoever loads the model must name where it is not ``main``.

    Raises:
        DataError: The present card's YAML cannot be read, its section has no end, or it tells of another model.
    """
    section = _section(repo, results, metadata, weights, figures, revision)
    base = _base_model(results, repo)
    fresh: dict[str, Any] = {
        "license": licence,
        "library_name": "llm4mat-bench" if weights else None,
        "base_model": base,
    }
    if present is None:
        return _new(repo, results, metadata, section, {name: one for name, one in fresh.items() if one is not None})
    where = f"{repo}/README.md"
    found = read_block(split_card(present)[0], where)
    _refuse_other_model(present, repo, results)
    changes: dict[str, Any] = {name: one for name, one in fresh.items() if one is not None and not found.get(name)}
    for name, ours in (("tags", _TAGS), ("datasets", metadata.datasets)):
        changes[name] = together(found.get(name), ours)
    changes["model-index"] = merged_index(found.get("model-index"), _model_name(results), metadata.index)
    changes = {name: one for name, one in changes.items() if one or name in found}
    return put_section(with_keys(present, changes, where), section)


def _new(repo: str, results: ModelResults, metadata: Metadata, section: str, fresh: Mapping[str, Any]) -> str:
    from huggingface_hub import ModelCard, ModelCardData

    data = ModelCardData(
        **fresh,
        tags=list(_TAGS),
        datasets=list(metadata.datasets) or None,
        model_name=_model_name(results) if metadata.index else None,
        eval_results=list(metadata.index) or None,
    )
    card = ModelCard.from_template(
        data,
        template_path=str(_TEMPLATES / "model_card.md.j2"),
        title=markdown(repo.partition("/")[2]),
        use=_use(_tasks(results)),
        modalities=_listed(sorted({entry.modality for _, entry in results.rows}), "or"),
        doi=get_benchmark().citation.doi,
        section=section,
    )
    text = str(card.content)
    return text if text.endswith("\n") else text + "\n"


def _refuse_other_model(card: str, repo: str, results: ModelResults) -> None:
    """Refuse a card whose section tells of another model: its scores would be taken for those of this one."""
    _, _, rest = card.partition(begin_mark(SECTION, "push"))
    named = _NAMED.search(rest.partition(end_mark(SECTION))[0])
    if named and named["model"] != _code(results.model):
        raise DataError(
            f"{repo}: its card tells of `{named['model']}`, and a card tells of one model. Push "
            f"{visible(results.model)} to a repo of its own, or take that section out of the card first"
        )


def _section(
    repo: str,
    results: ModelResults,
    metadata: Metadata,
    weights: Weights | None,
    figures: Sequence[Figure],
    revision: str,
) -> str:
    runs = results.runs
    sources = list(dict.fromkeys(source.id for source, _ in results.rows))
    by_id = {source.id: source for source, _ in results.rows}
    closed = [by_id[one].title for one in sources if by_id[one].licence.commercial_use is False]
    urls = {run.record.protocol.model_url for run in runs if run.record.protocol.kind == "submission"}
    rows = [
        _row(get_task(task), entry, cell, results)
        for source, entry in results.rows
        for task, cell in sorted(
            entry.cells.items(), key=lambda item: [one.name for one in source.tasks].index(item[0])
        )
    ]
    text: str = _template("results_section.md.j2").render(
        begin=begin_mark(SECTION, "push"),
        end=end_mark(SECTION),
        summary=_summary(results),
        repo=repo,
        branch=None if revision == "main" else revision,
        records=RECORDS,
        loading=_loading(weights),
        model=markdown(results.model),
        revision=markdown(results.revision),
        model_url=markdown(min(urls)) if urls else None,
        trained=any(run.record.protocol.kind == "training" for run in runs),
        sources=[by_id[one] for one in sources],
        non_commercial=_listed(closed),
        datasets=_listed([f"[{one}](https://huggingface.co/datasets/{one})" for one in metadata.datasets])
        or _listed(sorted({markdown(entry.dataset) for _, entry in results.rows})),
        rows=rows,
        notes=_notes(results),
        figures=[Figure(one.path, markdown(one.title)) for one in figures],
        overlap=_OVERLAP[
            max((run.record.model.pretraining_overlap for run in runs), key=["none", "unknown", "known"].index)
        ],
        limits=_limits(results),
        environment=_environment(results),
    )
    return text


def _row(task: Task, entry: Entry, cell: Cell, results: ModelResults) -> dict[str, Any]:
    return {
        "task": task.name,
        "modality": entry.modality,
        "metric": HEADLINE[task.kind] + (" of hard labels" if cell.hard_labels else ""),
        "score": cell.text,
        "interval": markdown(cell.interval),
        "coverage": "" if cell.coverage is None else f"{100 * cell.coverage:.1f} %",
        "published": cell.published,
        "links": [f"{path_of(results.run(run).record)}/result.json" for run in cell.runs],
    }


def _loading(weights: Weights | None) -> dict[str, Any] | None:
    if weights is None:
        return None
    record = weights.run.record
    task = get_task(record.task)
    answer = f"in {task.unit}" if task.unit else "a number without unit"
    return {
        "folder": weights.folder,
        "task": record.task,
        "modality": record.modality,
        "example": _EXAMPLES[record.modality],
        "answer": answer if task.kind == "regression" else "scores of the positive class",
        "others": weights.others,
    }


def _notes(results: ModelResults) -> list[str]:
    found = []
    for source, entry in results.rows:
        for kind, mean in entry.means.items():
            if mean.value is not None:
                found.append(
                    f"{source.title}, {entry.modality}: mean {HEADLINE[kind]} {mean.text}, weighted by samples."
                )
        found += [
            f"{task}, {entry.modality}: {markdown(cell.note)}." for task, cell in entry.cells.items() if cell.note
        ]
    found += [f"Not shown: {markdown(line)}." for line in results.left_out]
    return found


def _limits(results: ModelResults) -> list[str]:
    limits = ["Scores hold for crystals like those of the test split; nothing is said of other chemistries or methods."]
    if any((run.report.coverage) < 1 for run in results.runs):
        limits.append(
            "Some test materials have no answer: the column `answered` says how many. They count against the model."
        )
    if any(cell.hard_labels for _, entry in results.rows for cell in entry.cells.values()):
        limits.append("AUC of hard labels is a balanced accuracy and not comparable with an AUC of probabilities.")
    if any(run.record.protocol.kind == "submission" for run in results.runs):
        limits.append("The predictions were submitted: how they were made is their author's word.")
    if any(run.record.provenance.git_dirty for run in results.runs):
        limits.append("Some runs were made with code that was not committed.")
    return limits


def _environment(results: ModelResults) -> list[str]:
    seen = [run.record.provenance for run in results.runs]
    libraries = dict(sorted({name: version for one in seen for name, version in one.libraries.items()}.items()))
    lines = [
        f"llm4mat-bench {_listed(sorted({markdown(one.package_version) for one in seen}))}, "
        f"Python {_listed(sorted({markdown(one.python) for one in seen}))}",
        _listed([f"{markdown(name)} {markdown(version)}" for name, version in libraries.items()]),
        _listed(sorted({f"{markdown(one.processor)}, {markdown(one.platform)}" for one in seen})),
        f"runs: {len(results.runs)}, {sum(one.wall_seconds for one in seen):,.0f} s in all",
    ]
    settings = {json.dumps(_shown(run.record.protocol), sort_keys=True, ensure_ascii=False) for run in results.runs}
    lines += [f"settings: `{_code(one)}`" for one in sorted(settings)[:4]]
    if len(settings) > 4:
        lines.append(f"{len(settings) - 4} more settings: see the records")
    seeds = sorted({run.record.protocol.seed for run in results.runs})
    return [*[line for line in lines if line], f"seeds: {', '.join(map(str, seeds))}"]


def _summary(results: ModelResults) -> str:
    first = results.runs[0].record.model
    parameters = {run.record.model.parameters for run in results.runs}
    size = f", {min(one for one in parameters if one):,} parameters" if len(parameters) == 1 and all(parameters) else ""
    return f"`{_code(results.model)}` (revision `{_code(results.revision)}`, {first.kind}{size}) on LLM4Mat-Bench."


def _model_name(results: ModelResults) -> str:
    return visible(results.model, 200)


def _tasks(results: ModelResults) -> list[Task]:
    return [get_task(task) for _, entry in results.rows for task in entry.cells]


def _use(tasks: Sequence[Task]) -> str:
    """What the model is for, in words: titles of numbers are nouns, those of classes are said of a crystal."""
    titles = {kind: list(dict.fromkeys(one.property.title for one in tasks if one.kind == kind)) for kind in HEADLINE}
    numbers, classes = titles["regression"], [f"“{title}”" for title in titles["classification"]]
    if len(numbers) > _MOST_TITLES:
        numbers = [f"{len(numbers)} properties"]
    said = [f"predicting the {_listed(numbers)} of crystals"] if numbers else []
    if classes:
        said.append(f"telling of which {'ones' if numbers else 'crystals'} it holds that {_listed(classes, 'or')}")
    words = _listed(said)
    return words[:1].upper() + words[1:]


def _shown(protocol: AnyProtocol) -> dict[str, Any]:
    """Settings as they are published: of what lies somewhere on the machine of the run, the last part of its path."""
    places = protocol.places if protocol.kind == "training" else {}
    return {name: _last_part(value, name in places) for name, value in protocol.settings.items()}


def _last_part(value: Any, is_path: bool) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_last_part(one, is_path) for one in value]
    if isinstance(value, str) and (is_path or _LOCAL.match(value)):
        return PureWindowsPath(value).name or value  # which takes both slashes
    return value


def _base_model(results: ModelResults, repo: str) -> str | None:
    """The checkpoint that a model was trained from or is, where the records show that it came from the Hub.

    They do by a commit as its revision; what lay in a folder, or was named by a server, has none.
    """
    named = set()
    for run in results.runs:
        protocol = run.record.protocol
        if (checkpoint := protocol.settings.get("model_id")) and protocol.kind == "training":
            named.add((str(checkpoint), str(protocol.settings.get("model_revision"))))
        if protocol.kind == "prompt":
            named.add((results.model, results.revision))
    only, revision = named.pop() if len(named) == 1 else ("", "")
    return only if only != repo and is_repo_name(only) and _COMMIT.match(revision) else None


def together(present: Any, ours: Sequence[str]) -> list[Any]:  # noqa: ANN401 - YAML
    """What a card lists already, and ours behind it, each once."""
    there = list(present) if isinstance(present, list) else ([present] if present else [])
    return [*there, *(one for one in ours if one not in there)]


def markdown(text: str) -> str:
    """A name that others chose, in Markdown: shown as it is, no markup, no link, no end of a table's cell."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", visible(text, 400))
    for sign, spelt in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("://", ":\u200b//")):
        escaped = escaped.replace(sign, spelt)
    return escaped


def _code(text: str) -> str:
    return visible(text, 1000).replace("`", "'")


def _listed(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else (f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "")


@cache
def _template(name: str) -> Any:  # noqa: ANN401 - jinja2 is imported where it is used
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown; what others chose is made safe on the way in
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
