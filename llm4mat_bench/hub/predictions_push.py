"""Publish records and predictions as a dataset repo, which `verify` and `leaderboard` read back by its name."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from ..dataset_builder.catalogue import get_task
from ..metrics.headline import HEADLINE, whole_headline, written, written_interval
from ..metrics.results.names import is_repo_name
from ..metrics.results.places import Truths
from ..metrics.results.verify import Verification, verify_results
from ..progress import Progress, silent
from .errors import hub_errors
from .model_card import RECORDS, markdown, path_of
from .model_folder import stage_predictions
from .model_results import require_sound
from .patience import patiently
from .records import PushResult
from .state import check_repo_name, hub_api
from .upload import push_folder


def push_predictions(
    results: Path,
    repo: str,
    truths: Truths,
    *,
    licence: str | None = None,
    private: bool | None = None,
    revision: str = "main",
    message: str | None = None,
    create_pr: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
    workers: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> PushResult:
    """Publish all runs of a folder; every one is verified first.

    Args:
        results: Folder of results.
        repo: ``owner/name`` of a dataset repo.
        truths: Where data is.
        licence: Under which the predictions are published.
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
        DataError: A run does not verify.
        HubError: The Hub refused or could not be reached.
    """
    check_repo_name(repo)
    found = verify_results(results, truths, progress, workers=workers)
    require_sound(found)
    with tempfile.TemporaryDirectory(prefix="llm4mat-push-") as temporary:
        folder = Path(temporary)
        records = [(one.folder, one.record) for one in found if one.record is not None]
        summary = stage_predictions(folder, records, _card(repo, found, licence))
        return push_folder(
            folder,
            summary,
            repo,
            "dataset",
            private=private,
            revision=revision,
            message=message or f"Predictions of {len(records)} runs",
            dry_run=dry_run,
            create_pr=create_pr,
            tell=tell,
        )


def results_folder(place: str) -> Path:
    """A folder of results: one here, or the records of a repo on the Hub, which are downloaded and not run.

    Args:
        place: A folder, or ``owner/name`` of a dataset repo (or of a model repo with records).

    Raises:
        HubError: There is no such repo, or it cannot be reached.
    """
    here = Path(place)
    if here.exists() or not is_repo_name(place):
        return here
    from huggingface_hub.errors import RepositoryNotFoundError

    api = hub_api()
    with hub_errors(place, "downloading"):
        kept = [f"{RECORDS}/*.json", f"{RECORDS}/*.parquet"]
        try:
            home = patiently(lambda: api.snapshot_download(place, repo_type="dataset", allow_patterns=kept))
        except RepositoryNotFoundError:
            home = patiently(lambda: api.snapshot_download(place, allow_patterns=kept))
    return Path(home) / RECORDS


def _card(repo: str, found: list[Verification], licence: str | None) -> str:
    tasks = sorted({one.record.task for one in found if one.record})
    metadata = {
        **({"license": licence} if licence else {}),
        "tags": ["llm4mat-bench", "predictions", "materials-science"],
        "configs": [{"config_name": task.replace("/", "-"), "data_files": _files_of(task)} for task in tasks],
    }
    rows = []
    for one in found:
        record, report = one.record, one.report
        if record is None or report is None:
            continue
        score = whole_headline(report)
        checked = f"with {markdown(one.place)}" if one.place else "**not at hand**"
        rows.append(
            f"| {record.task} | {record.modality} | [{markdown(record.model.id)}]({path_of(record)}/result.json) | "
            f"{HEADLINE[get_task(record.task).kind]} {written(score)} {markdown(written_interval(score))} | "
            f"{100 * report.coverage:.1f} % | {checked} |"
        )
    table = "\n".join(rows)
    return (
        f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n\n# Predictions\n\n"
        "Predictions and records of runs on [LLM4Mat-Bench](https://doi.org/10.1088/2632-2153/add3bb). Everything "
        f"that stands here can be computed again:\n\n    llm4mat-bench verify {repo} --data DATASET\n\n"
        "| task | reads | model | score, whole test set | answered | compared with the data |\n"
        "|---|---|---|---|---|---|\n"
        f"{table}\n"
    )


def _files_of(task: str) -> list[dict[str, str]]:
    return [{"split": "test", "path": f"{RECORDS}/{task}/**/*.parquet"}]
