"""A dataset folder: data of the sources, and the files that describe the whole."""

import shutil
from pathlib import Path

import yaml
from filelock import FileLock

from ... import __version__
from ...files import write_json, write_text
from .card import dataset_card
from .croissant import croissant
from .eval_yaml import eval_declaration
from .report import BuildReport, SourceReport, read_report

REPORT = "build_report.json"
SPLITS_FILE = "splits.json"
WORK = ".build"  # what an unfinished build has done so far


class DatasetFolder:
    """A folder that holds a built dataset, or will."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def report(self) -> BuildReport:
        """The report of what the folder holds; an empty one if nothing was built yet."""
        path = self.path / REPORT
        return read_report(path) if path.exists() else BuildReport(package_version=__version__)

    def work(self, source_id: str) -> Path:
        """Folder of the unfinished build of a source."""
        return self.path / WORK / source_id

    def publish(self, staged: Path, report: SourceReport) -> None:
        """Put the finished data of a source in its place and describe the folder anew.

        Args:
            staged: Folder with ``data/{source}`` and perhaps ``faults/{source}``, on the same file system.
            report: What was built.
        """
        source_id = report.declaration.id
        lock = self.path / WORK / "publish.lock"
        with FileLock(lock):  # two sources may be built into one folder at the same time
            self._publish(staged, report, source_id)
        shutil.rmtree(self.work(source_id), ignore_errors=True)
        left = [path for path in (self.path / WORK).iterdir() if path != lock]
        if not left:
            shutil.rmtree(self.path / WORK, ignore_errors=True)

    def _publish(self, staged: Path, report: SourceReport, source_id: str) -> None:
        for part in ("data", "faults"):
            _swap(staged / part / source_id, self.path / part / source_id)
        sources = {**self.report.sources, source_id: report}
        self.describe(BuildReport(package_version=__version__, sources=dict(sorted(sources.items()))))

    def describe(self, build: BuildReport, sections: dict[str, str] | None = None) -> None:
        """Write card, splits, metadata and report; the report comes last and says that the rest is complete."""
        write_json(
            self.path / SPLITS_FILE,
            {
                source_id: {
                    name: {"rows": split.written, "distinct_ids": split.distinct_ids, "ids_sha256": split.ids_sha256}
                    for name, split in report.splits.items()
                }
                for source_id, report in build.sources.items()
            },
        )
        write_text(self.path / "README.md", dataset_card(build, sections))
        write_text(
            self.path / "eval.yaml", yaml.safe_dump(eval_declaration(build), sort_keys=False, allow_unicode=True)
        )
        write_json(self.path / "croissant.json", croissant(build))
        write_json(self.path / REPORT, build.model_dump(mode="json"))


def _swap(staged: Path, place: Path) -> None:
    """Move a finished folder to its place; an older one there goes away only once the new one can be put there."""
    if not staged.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    old = staged.with_name(f"{staged.name}.replaced")
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    staged.rename(place)
    shutil.rmtree(old, ignore_errors=True)
