"""Publish records and predictions as a dataset repo, which `verify` and `leaderboard` read back by its name."""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath

from ..dataset_builder.dataset_folder.card_sections import begin_mark, end_mark, put_section
from ..errors import DataError
from ..metrics.headline import headline_name, whole_headline, written, written_interval
from ..metrics.protocols import ClassificationReport, RegressionReport
from ..metrics.results.counted import once
from ..metrics.results.names import is_repo_name
from ..metrics.results.places import Truths
from ..metrics.results.record import RESULT_FILE, ResultRecord, shortfalls
from ..metrics.results.verify import Verification, verify_results
from ..progress import Progress, silent
from .errors import hub_errors
from .front_matter import comments_that_go, read_block, split_card, with_keys
from .model_card import RECORDS, markdown, path_of, together
from .model_folder import CARD, stage_predictions
from .model_results import require_sound
from .patience import patiently
from .records import PushResult
from .staging import staging_folder
from .state import check_repo_name, hub_api, read_state, text_on_hub
from .upload import push_folder

_SECTION = "predictions"
_TAGS = ("llm4mat-bench", "predictions", "materials-science")
_HEAD = """\
| task | reads | model | score, whole test set | answered | compared with the data |
|---|---|---|---|---|---|"""
_NO_DATA = re.compile(r"(^|/)\.|\.(md|py|ya?ml|toml|cff)$|(^|/)(LICEN[CS]E|NOTICE)(\.txt)?$", re.IGNORECASE)
_LINK = re.compile(rf"\]\(({RECORDS}/[^()\s]+/result\.json)\)")


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
        DataError: A run does not verify, what stands in the card on the Hub cannot be merged, or the repo holds data of
            its own that would not load any more.
        HubError: The Hub refused or could not be reached.
    """
    check_repo_name(repo)
    found = verify_results(results, truths, progress, workers=workers)
    require_sound(found)
    found, _ = once(found)
    api = hub_api()
    state = read_state(api, repo, "dataset", revision)
    present = text_on_hub(api, repo, "dataset", state, CARD)
    card = card_text(present, repo, found, licence, {file.path for file in state.files})
    for line in comments_that_go(present or "", card, CARD):
        tell(line)
    with staging_folder() as folder:
        records = [(one.folder, one.record) for one in found if one.record is not None]
        summary = stage_predictions(folder, records, card)
        return push_folder(
            folder,
            summary,
            repo,
            "dataset",
            private=private,
            revision=revision,
            message=message or f"Predictions of {len(records)} runs",
            dry_run=dry_run,
            made_from=state.commit,
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


def card_text(
    present: str | None, repo: str, found: Sequence[Verification], licence: str | None, there: Set[str]
) -> str:
    """The text of a card: what others wrote in it stays, and so do the rows of runs that were published before.

    Args:
        present: The card on the Hub, None where there is none.
        repo: ``owner/name``.
        found: The runs that are published now.
        licence: Under which; that of the present card stays where none is given.
        there: Files on the Hub.

    Raises:
        DataError: The present card's YAML cannot be read, or its section has no end.
    """
    block, body = split_card(present or "")
    where = f"{repo}/{CARD}"
    before = read_block(block, where)
    _refuse_data_of_others(repo, before, there)
    runs = [(one.record, one.report, one.place) for one in found if one.record is not None and one.report is not None]
    kept = _rows_that_stay(body, {path_of(record) for record, _, _ in runs}, there)
    rows = sorted([*kept, *(_row(record, report, place) for record, report, place in runs)])
    changes = {
        **({"license": licence} if licence else {}),
        "tags": together(before.get("tags"), _TAGS),
        "configs": _configs(before.get("configs"), [record for record, _, _ in runs], there),
    }
    section = (
        f"{begin_mark(_SECTION, 'push')}\n## Predictions and records\n\n"
        "Of runs on [LLM4Mat-Bench](https://doi.org/10.1088/2632-2153/add3bb). Everything that stands here can be "
        f"computed again:\n\n    llm4mat-bench verify {repo} --data DATASET\n\n"
        "Each run is a configuration of its own, by the name of its folder.\n\n"
        f"{_HEAD}\n" + "\n".join(rows) + f"\n{end_mark(_SECTION)}\n"
    )
    return put_section(with_keys(present or "# Predictions", changes, where), section)


def _row(record: ResultRecord, report: RegressionReport | ClassificationReport, place: str | None) -> str:
    score = whole_headline(report)
    checked = f"with {markdown(place)}" if place else "**not at hand**"
    return (
        f"| {record.task} | {record.modality} | [{markdown(record.model.id)}]({path_of(record)}/{RESULT_FILE}) | "
        f"{headline_name(report)} {written(score)} {markdown(written_interval(score))}{_apart(record)} | "
        f"{100 * report.coverage:.1f} % | {checked} |"
    )


def _apart(record: ResultRecord) -> str:
    """What keeps a run from being ranked, for whoever reads the score alone."""
    reasons = shortfalls(record)
    return f" (**not ranked:** {'; '.join(reasons)})" if reasons else ""


def _refuse_data_of_others(repo: str, card: Mapping[str, object], there: Set[str]) -> None:
    """Refuse a repo whose data loads without ``configs``: ours, once they are there, would be the only ones."""
    if card.get("configs"):
        return
    own = [path for path in sorted(there) if not path.startswith(f"{RECORDS}/") and not _NO_DATA.search(path)]
    if own:
        raise DataError(
            f"{repo} holds data of its own ({own[0]}), which `load_dataset` finds because its card has no `configs:`; "
            "with those of predictions it would not. Push to a repo for predictions alone, or write `configs:` with "
            f"that data into its {CARD} first"
        )


def _rows_that_stay(body: str, new: Set[str], there: Set[str]) -> list[str]:
    """Rows of an earlier push whose runs are still on the Hub and are not published anew."""
    _, _, rest = body.partition(begin_mark(_SECTION, "push"))
    old = rest.partition(end_mark(_SECTION))[0]
    found = [(line, _LINK.search(line)) for line in old.splitlines() if line.startswith("| ")]
    return [line for line, link in found if link and link[1] in there and str(PurePosixPath(link[1]).parent) not in new]


def _configs(before: object, records: Sequence[ResultRecord], there: Set[str]) -> list[dict[str, object]]:
    """A configuration a run: those of others and of runs that were published before stay."""
    ours: dict[str, dict[str, object]] = {}
    for record in records:
        name = record.flat_name
        file = f"{path_of(record)}/{record.predictions.file}"
        ours[name] = {"config_name": name, "data_files": [{"split": "test", "path": file}]}
    kept = []
    for one in before if isinstance(before, list) else []:
        if not isinstance(one, dict) or one.get("config_name") in ours:
            continue
        files = one.get("data_files")
        paths = [part.get("path") for part in files if isinstance(part, dict)] if isinstance(files, list) else []
        gone = [path for path in paths if str(path).startswith(f"{RECORDS}/") and path not in there]
        if not gone:
            kept.append(one)
    return [*kept, *ours.values()]
