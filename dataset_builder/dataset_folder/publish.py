"""Put the finished data of a source into a dataset folder and describe the folder anew."""

import shutil
from pathlib import Path

import yaml
from filelock import FileLock

from ... import __version__
from ...files import write_json, write_text
from .card import dataset_card
from .card_sections import card_sections, mark_outdated, put_section
from .croissant import croissant
from .eval_yaml import eval_declaration
from .layout import CARD, CROISSANT, DATA, EVALUATION, FAULTS, REPORT, SPLITS_FILE, WORK
from .report import BuildReport, SourceReport, read_report


def report_of(folder: Path) -> BuildReport:
    """The report of what a folder holds; an empty one if nothing was built yet."""
    path = folder / REPORT
    return read_report(path) if path.exists() else BuildReport(package_version=__version__)


def work_folder(folder: Path, source_id: str) -> Path:
    """Folder of the unfinished build of a source, inside the dataset folder."""
    return folder / WORK / source_id


def publish_source(folder: Path, staged: Path, report: SourceReport) -> None:
    """Put the finished data of a source in its place and describe the folder anew.

    Args:
        folder: The dataset folder.
        staged: Folder with ``data/{source}`` and perhaps ``faults/{source}``, on the same file system.
        report: What was built.
    """
    source_id = report.declaration.id
    lock = folder / WORK / "publish.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # two sources may be built into one folder at the same time
        for part in (DATA, FAULTS):
            _swap(staged / part / source_id, folder / part / source_id)
        sources = {**report_of(folder).sources, source_id: report}
        describe_folder(folder, BuildReport(package_version=__version__, sources=dict(sorted(sources.items()))))
    shutil.rmtree(work_folder(folder, source_id), ignore_errors=True)
    left = [path for path in (folder / WORK).iterdir() if path != lock]
    if not left:
        shutil.rmtree(folder / WORK, ignore_errors=True)


def describe_folder(folder: Path, build: BuildReport) -> None:
    """Write card, splits, metadata and report; the report comes last and says that the rest is complete.

    What checks wrote into the card stands in the new one too.
    """
    write_json(
        folder / SPLITS_FILE,
        {
            source_id: {
                name: {"rows": split.written, "distinct_ids": split.distinct_ids, "ids_sha256": split.ids_sha256}
                for name, split in report.splits.items()
            }
            for source_id, report in build.sources.items()
        },
    )
    card = dataset_card(build)
    changed = _changed(report_of(folder), build)
    for section in card_sections(folder / CARD).values():
        card = put_section(card, mark_outdated(section, changed) if changed else section)
    write_text(folder / CARD, card)
    write_text(folder / EVALUATION, yaml.safe_dump(eval_declaration(build), sort_keys=False, allow_unicode=True))
    write_json(folder / CROISSANT, croissant(build))
    write_json(folder / REPORT, build.model_dump(mode="json"))


def _changed(before: BuildReport, after: BuildReport) -> list[str]:
    """Sources whose files are not what they were."""
    return [
        name
        for name, report in after.sources.items()
        if name not in before.sources or report.shards != before.sources[name].shards
    ]


def _swap(staged: Path, place: Path) -> None:
    """Move a finished folder to its place; an older one there goes away only once the new one can be put there.

    Without a staged folder there is nothing of the kind any more (no row at fault), so the older one goes as well.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    old = staged.with_name(f"{staged.name}.replaced")
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        old.parent.mkdir(parents=True, exist_ok=True)
        place.rename(old)
    if staged.is_dir():
        staged.rename(place)
    shutil.rmtree(old, ignore_errors=True)
