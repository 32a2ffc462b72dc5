"""Which dataset repo on the Hub holds the very data of a run, and which tasks it declares."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..dataset_builder.catalogue import get_task
from ..dataset_builder.dataset_folder.layout import EVALUATION
from ..dataset_builder.dataset_folder.shard_files import HubFile
from ..errors import DataError, LLM4MatError
from ..metrics.leaderboard.entries import SoundRun
from ..metrics.results.places import Truths
from ..metrics.results.truth import Truth, read_truth
from .errors import hub_errors


@dataclass(frozen=True)
class BenchmarkRepo:
    """A dataset repo at one commit.

    Attributes:
        repo: Its name.
        commit: The commit.
        tasks: Ids of the tasks in its ``eval.yaml``; none where it has no such file.
    """

    repo: str
    commit: str
    tasks: frozenset[str]


@dataclass
class BenchmarkRepos:
    """The dataset repos among the places that were given; each task's labels are read once."""

    truths: Truths
    _found: dict[tuple[str, str], Truth | None] = field(default_factory=dict)
    _repos: dict[tuple[str, str], BenchmarkRepo] = field(default_factory=dict)

    def of(self, run: SoundRun) -> BenchmarkRepo | None:
        """The first repo whose labels, and texts where it says their hash, are those that a run saw."""
        task, data = run.record.task, run.record.data
        for place in self.truths.places:
            if place.is_folder:
                continue
            truth = self._truth(task, place.data)
            if truth is None or truth.labels_sha256 != data.labels_sha256:
                continue
            texts = truth.texts_sha256(run.record.modality)
            if texts is not None and texts != data.texts_sha256:
                continue
            shard = truth.files.shards["test"][0]
            if isinstance(shard, HubFile):
                self.truths.used.add(place)
                return self._repo(place.data, shard.commit)
        return None

    def _truth(self, task: str, repo: str) -> Truth | None:
        key = (task, repo)
        if key not in self._found:
            try:
                self._found[key] = read_truth(get_task(task), repo)
            except LLM4MatError:
                self._found[key] = None  # it holds other sources
        return self._found[key]

    def _repo(self, repo: str, commit: str) -> BenchmarkRepo:
        key = (repo, commit)
        if key not in self._repos:
            self._repos[key] = BenchmarkRepo(repo, commit, _tasks(repo, commit))
        return self._repos[key]


def _tasks(repo: str, commit: str) -> frozenset[str]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with hub_errors(repo, f"reading {EVALUATION} of"):
        try:
            path = Path(hf_hub_download(repo, EVALUATION, repo_type="dataset", revision=commit))
        except EntryNotFoundError:
            return frozenset()
    try:
        value: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return frozenset(str(task["id"]) for task in value["tasks"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"{repo}: its {EVALUATION} names no tasks ({type(error).__name__}); push the dataset again"
        ) from error
