"""Results as metadata: ``.eval_results/*.yaml`` and ``model-index``. Only scores of which more is better go there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from ..dataset_builder.catalogue import Kind, Task
from ..dataset_builder.dataset_folder.card_sections import line_end
from ..dataset_builder.dataset_folder.eval_yaml import MEAN_OF_CLASSES, eval_task_id
from ..errors import DataError
from ..metrics.headline import HEADLINE
from ..metrics.leaderboard.entries import Cell
from .benchmark_repo import BenchmarkRepo, BenchmarkRepos
from .model_results import ModelResults
from .yaml_edit import edit_yaml, lost_comments, says

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, EvalResultEntry

ENTRIES_FILE = ".eval_results/llm4mat-bench.yaml"
SOURCE_NAME = "LLM4Mat-Bench"
"""By which our rows are known among others."""
_MEANS: dict[Kind, str | None] = {"regression": None, "classification": MEAN_OF_CLASSES}
"""What stands for a property in the ids of means."""
_TYPES: dict[Kind, tuple[str, str]] = {
    "regression": ("tabular-regression", "mad_mae"),
    "classification": ("tabular-classification", "roc_auc"),
}


@dataclass(frozen=True)
class Metadata:
    """What goes into a model repo for programs to read.

    Attributes:
        index: Rows of ``model-index``.
        entries: Entries of ``.eval_results``.
        datasets: The dataset repos.
        left_out: What is not among the entries, and why.
    """

    index: "tuple[EvalResult, ...]"
    entries: "tuple[EvalResultEntry, ...]"
    datasets: tuple[str, ...]
    left_out: tuple[str, ...]


def metadata_of(results: ModelResults, repos: BenchmarkRepos, records_url: str) -> Metadata:
    """Make the metadata of a model's results.

    Args:
        results: The results.
        repos: The dataset repos that were given.
        records_url: Where the records will be.
    """
    from huggingface_hub import EvalResult, EvalResultEntry

    index: list[EvalResult] = []
    entries: list[EvalResultEntry] = []
    used: dict[str, None] = {}
    left_out: list[str] = []
    for source, entry in results.rows:
        shared: BenchmarkRepo | None = None
        complete = True
        for task in source.tasks:
            cell = entry.cells.get(task.name)
            if cell is None or cell.value is None:
                continue
            run = results.run(cell.runs[0])
            repo = repos.of(run)
            complete &= repo is not None and shared in (None, repo)
            shared = shared or repo
            index.append(_index_row(EvalResult, task, entry.modality, cell, repo, run.record.data.dataset, records_url))
            if repo is None:
                left_out.append(
                    f"{task.name}, {entry.modality}: no dataset repo on the Hub among --data holds this data"
                )
                continue
            used[repo.repo] = None
            task_id = eval_task_id(source.id, entry.modality, task.property.name)
            if task_id not in repo.tasks:
                left_out.append(f"{task_id} is no task of {repo.repo}'s eval.yaml; push the dataset again")
                continue
            entries.append(_entry(EvalResultEntry, repo, task_id, cell, task.kind, results, cell.runs, records_url))
        if shared is None or not complete:
            continue
        for kind, name in _MEANS.items():
            mean, task_id = entry.means.get(kind), eval_task_id(source.id, entry.modality, name)
            if mean is None or mean.value is None or task_id not in shared.tasks:
                continue
            its = [entry.cells[task.name] for task in source.tasks if task.kind == kind]
            runs = tuple(run for cell in its for run in cell.runs)
            entries.append(_entry(EvalResultEntry, shared, task_id, mean, kind, results, runs, records_url))
    return Metadata(tuple(index), tuple(entries), tuple(used), tuple(left_out))


def merged_entries(present: str | None, entries: "Sequence[EvalResultEntry]", repo: str) -> str:
    """The text of an ``.eval_results`` file with our entries in it.

    Entries of others stay by letter, and so do fields of ours that the library does not know
    (``evaluation_framework``); a token that proves a value goes with the value, an entry of ours with its result.

    Args:
        present: The file as it is on the Hub, None where it is not.
        entries: Ours.
        repo: ``owner/name``.

    Returns:
        The text; empty where no entry is left.

    Raises:
        DataError: The file cannot be read.
    """
    from huggingface_hub import eval_result_entries_to_yaml

    found = _read_entries(present, repo)
    new = eval_result_entries_to_yaml(list(entries))
    told = {_task_of(one) for one in new}
    merged = [dict(one) for one in found if _task_of(one) in told or not _is_entry_of(one, repo)]
    places = {_task_of(one): place for place, one in enumerate(merged)}
    for one in new:
        place = places.get(_task_of(one))
        if place is None:
            merged.append(one)
            continue
        old = merged[place]
        both = {**old, **one, "dataset": {**old["dataset"], **one["dataset"]}}
        same = [old.get("value"), old["dataset"].get("revision")] == [one["value"], one["dataset"].get("revision")]
        if not same:
            both.pop("verifyToken", None)
        merged[place] = both
    if merged == found:
        return present or ""
    if not merged:
        return ""
    text = edit_yaml(present or "", merged, line_end(present or ""))
    if says(text, merged):
        return text
    return yaml.safe_dump(merged, sort_keys=False, allow_unicode=True, width=1000)  # there are anchors in it


def entries_that_go(before: str, after: str, repo: str) -> list[str]:
    """A line for each entry of ours, and for each comment, that a file of entries does not have any more."""
    left = {_task_of(one) for one in _read_entries(after, repo)}
    gone = [_task_of(one)[1] for one in _read_entries(before, repo) if _task_of(one) not in left]
    return [
        *(f"{ENTRIES_FILE}: {one} goes, it is not among what is published now" for one in gone),
        *(f"{ENTRIES_FILE}: this comment goes: {one}" for one in lost_comments(before, after)),
    ]


def _read_entries(text: str | None, repo: str) -> list[dict[str, Any]]:
    where = f"{repo}/{ENTRIES_FILE}"
    try:
        found = (yaml.safe_load(text) if text else None) or []  # comments alone say nothing
    except yaml.YAMLError as error:
        raise DataError(f"{where}: its YAML cannot be read ({' '.join(str(error).split())}); mend it first") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{where}: a list of entries is needed; mend it first")
    return found


def _is_entry_of(entry: Mapping[str, Any], repo: str) -> bool:
    """Whether an entry is one that an earlier push to this very repo wrote: its source says so."""
    source = entry.get("source")
    return _is_ours(entry) and isinstance(source, Mapping) and f"/{repo}/tree/" in str(source.get("url"))


def merged_index(present: Any, name: str, index: "Sequence[EvalResult]") -> list[dict[str, Any]]:  # noqa: ANN401 - YAML
    """The value of ``model-index`` with our rows in it: those of others stay as they are.

    Args:
        present: What the card has, None for nothing.
        name: Name of the model, where there is no entry yet.
        index: Our rows.
    """
    from huggingface_hub.repocard_data import eval_results_to_model_index

    ours: list[dict[str, Any]] = eval_results_to_model_index(name, list(index))[0]["results"] if index else []
    if not isinstance(present, list) or not present or not all(isinstance(one, dict) for one in present):
        return [{"name": name, "results": ours}]
    named = [place for place, one in enumerate(present) if one.get("name") == name]
    held = [place for place, one in enumerate(present) if any(_is_ours(row) for row in one.get("results") or [])]
    if not named and not held:
        return [*present, {"name": name, "results": ours}] if ours else present
    place = (named or held)[0]  # people may have given the model another name
    others = [one for one in present[place].get("results") or [] if not _is_ours(one)]
    entry = {**present[place], "results": [*others, *ours]}
    return [entry if number == place else one for number, one in enumerate(present)]


def _is_ours(row: Any) -> bool:  # noqa: ANN401 - whatever the YAML holds
    source = row.get("source") if isinstance(row, Mapping) else None
    return isinstance(source, Mapping) and source.get("name") == SOURCE_NAME


def _task_of(entry: Mapping[str, Any]) -> tuple[object, object]:
    dataset = entry.get("dataset")
    return (dataset.get("id"), dataset.get("task_id")) if isinstance(dataset, Mapping) else (None, None)


def _index_row(
    make: "type[EvalResult]",
    task: Task,
    modality: str,
    cell: Cell,
    repo: BenchmarkRepo | None,
    dataset: str,
    records_url: str,
) -> "EvalResult":
    task_type, metric = _TYPES[task.kind]
    return make(
        task_type=task_type,
        task_name=f"{task.property.title} from {modality}",
        dataset_type=repo.repo if repo else "llm4mat-bench",
        dataset_name=f"LLM4Mat-Bench {task.name} ({modality}){'' if repo else f', {dataset}'}",
        dataset_config=f"{task.source.id}-{modality}",
        dataset_split="test",
        dataset_revision=repo.commit if repo else None,
        dataset_args={"task": task.name},
        metric_type=metric,
        metric_name=HEADLINE[task.kind] + (" of hard labels" if cell.hard_labels else ""),
        metric_value=cell.value,
        source_name=SOURCE_NAME,
        source_url=records_url,
    )


def _entry(
    make: "type[EvalResultEntry]",
    repo: BenchmarkRepo,
    task_id: str,
    cell: Cell,
    kind: Kind,
    results: ModelResults,
    runs: Sequence[str],
    records_url: str,
) -> "EvalResultEntry":
    notes = [f"{HEADLINE[kind]} over the whole test set", cell.interval]
    if not cell.runs:  # a mean
        notes = [f"mean {HEADLINE[kind]} over the source's {kind}s, weighted by samples"]
    if cell.coverage is not None and cell.coverage < 1:
        notes.append(f"{100 * cell.coverage:.1f} % answered")
    if cell.hard_labels:
        notes.append("hard labels: a balanced accuracy")
    return make(
        dataset_id=repo.repo,
        task_id=task_id,
        dataset_revision=repo.commit,
        value=cell.value,
        date=max(results.run(run).record.provenance.started_at for run in runs),
        source_url=records_url,
        source_name=SOURCE_NAME,
        notes="; ".join(note for note in notes if note),
    )
