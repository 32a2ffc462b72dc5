"""Publish a model's results as a model repo: card, metadata, records, predictions, the trained model."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..baselines.artifacts import MODEL_FOLDER
from ..metrics.results.places import Truths
from ..progress import Progress, silent
from .benchmark_repo import BenchmarkRepos
from .errors import shown_endpoint
from .front_matter import comments_that_go
from .model_card import RECORDS
from .model_folder import CARD, MODEL_MANIFEST, stage_model
from .model_results import ModelResults, model_results
from .records import PushResult
from .result_entries import ENTRIES_FILE, entries_that_go, metadata_of
from .staging import staging_folder
from .state import check_repo_name, hub_api, read_state, text_on_hub
from .upload import push_folder


@dataclass(frozen=True)
class ModelPush:
    """How publishing a model's results ended.

    Attributes:
        result: Of the push.
        results: What is shown.
        diff: What changes in the card and the entries, as a unified diff.
        left_out: Metadata that was not written, and why.
    """

    result: PushResult
    results: ModelResults
    diff: str
    left_out: tuple[str, ...]


def push_results(
    results: Path,
    repo: str,
    truths: Truths,
    *,
    model: str | None = None,
    row: str | None = None,
    licence: str | None = None,
    weights: bool = True,
    figures: bool = True,
    private: bool | None = None,
    revision: str = "main",
    message: str | None = None,
    create_pr: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
    workers: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> ModelPush:
    """Publish the results of one model.

    Args:
        results: Folder of results; every run of the model is verified first.
        repo: ``owner/name`` of a model repo.
        truths: Where data is. A dataset repo on the Hub among the places that holds the very data of a run is the one
            that its metadata points at.
        model: Name of the model, or NAME@REVISION, where there are several.
        row: Start of the id of a row of the setting to show, where the model was run with several settings.
        licence: Licence of the model, for a new card or one without.
        weights: Whether trained models go along.
        figures: Whether to draw figures.
        private: Whether a new repo is private (the default).
        revision: The branch.
        message: Of the commit.
        create_pr: Open a pull request instead.
        dry_run: Write nothing.
        progress: Told of the verifying.
        workers: Processes to verify with.
        tell: Takes a line on each step.

    Raises:
        UsageError: The call is at fault.
        DataError: A run does not verify, or what is on the Hub cannot be merged.
        HubError: The Hub refused, could not be reached, or was changed meanwhile.
    """
    check_repo_name(repo)
    found = model_results(results, truths, model=model, row=row, progress=progress, workers=workers)
    tell(f"{len(found.runs)} runs of {found.model} verified")
    api = hub_api()
    state = read_state(api, repo, "model", revision)
    present = {name: text_on_hub(api, repo, "model", state, name) for name in (CARD, ENTRIES_FILE, MODEL_MANIFEST)}
    there = {name: text for name, text in present.items() if text is not None}
    records = f"{shown_endpoint()}/{repo}/tree/{revision}/{RECORDS}"
    metadata = metadata_of(found, BenchmarkRepos(truths), records)
    with staging_folder() as folder:
        summary = stage_model(
            folder,
            repo,
            found,
            metadata,
            there,
            truths=truths,
            weights=weights,
            figures=figures,
            licence=licence,
            revision=revision,
        )
        for line in _what_goes(folder, there, repo):
            tell(line)
        if any(file.path in summary.gone and file.path.startswith(f"{MODEL_FOLDER}/") for file in state.files):
            tell(f"{MODEL_FOLDER}/: the model there is of another run than the card tells of; it goes with this commit")
        diff = "".join(_diff(folder, name, there.get(name, "")) for name in (CARD, ENTRIES_FILE))
        result = push_folder(
            folder,
            summary,
            repo,
            "model",
            private=private,
            revision=revision,
            message=message or f"LLM4Mat-Bench results of {len(found.runs)} runs",
            dry_run=dry_run,
            made_from=state.commit,
            create_pr=create_pr,
            tell=tell,
        )
    return ModelPush(result, found, diff, metadata.left_out)


def _what_goes(folder: Path, before: dict[str, str], repo: str) -> list[str]:
    """What people may miss in the new texts: comments, and entries whose results are not published any more."""
    card, entries = (_text(folder / name) for name in (CARD, ENTRIES_FILE))
    return [
        *comments_that_go(before.get(CARD, ""), card, CARD),
        *entries_that_go(before.get(ENTRIES_FILE, ""), entries, repo),
    ]


def _text(path: Path) -> str:
    return path.read_bytes().decode() if path.is_file() else ""


def _diff(folder: Path, name: str, before: str) -> str:
    after = _text(folder / name)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"Hub/{name}", f"new/{name}"
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ no newline at the end\n" for line in lines)
