"""Build one source: plan, parts, finish, publish. Every step keeps what an earlier, killed run has done."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from ...errors import DataError
from ...files import file_sha256, write_json
from ...progress import Progress, silent
from ..catalogue import SPLITS, Source
from ..cleaning import policy
from ..dataset_folder.publish import publish_source, work_folder
from ..dataset_folder.report import InputFile, SourceReport
from ..readers.base import InputIdentity, Plan, Reader
from ..readers.registry import get_reader
from .executor import run_jobs
from .fingerprint import code_fingerprint
from .finish import Finished, finish_source, refuse_shifted_columns
from .manifest import read_manifest, seeded_manifest, write_assignment
from .options import BuildOptions
from .parts import PartJob, PartReport, build_part, finished_part, job_fingerprint
from .same_crystal import find_same_crystals

_WORTH_A_PROCESS = 256 << 20  # bytes to read; less is done before another process has started


class Splits(NamedTuple):
    """Where rows belong, and how many a split should have."""

    origin: Literal["published", "manifest", "seeded"]
    assignment: Path | None
    expected: dict[str, int | None]


def build_source(
    source: Source,
    origin: Path,
    out: Path,
    options: BuildOptions | None = None,
    *,
    reader_name: str = "published_csv",
    progress: Progress = silent,
) -> SourceReport:
    """Build one source into a dataset folder.

    Args:
        source: Declaration of the source.
        origin: Folder or file that holds its raw form.
        out: Dataset folder to make or add to.
        options: What the user chooses.
        reader_name: Which reader understands the raw form.
        progress: Told what is done.

    Returns:
        What was built, as it stands in ``build_report.json``.

    Raises:
        DataError: A file is missing or damaged, a number of rows is not the published one, or another build is writing
            into the same folder. What was done so far is kept; the same call goes on from there.
    """
    options = options or BuildOptions()
    work = work_folder(out, source.id)
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            return _build(source, origin, out, work, options, get_reader(reader_name), progress)
    except Timeout as error:
        raise DataError(f"{out}: another build of '{source.id}' is writing here; wait for it, or stop it") from error


def _build(
    source: Source,
    origin: Path,
    folder: Path,
    work: Path,
    options: BuildOptions,
    reader: Reader,
    progress: Progress,
) -> SourceReport:
    plan = make_plan(source, origin, work, reader, progress)
    if plan.absent and not options.allow_partial:
        raise DataError(
            f"{', '.join(plan.absent)}: no such file; a build needs train.csv, validation.csv and test.csv. "
            "--allow-partial builds what is there"
        )
    splits = find_splits(source, reader, plan, work, options)
    reports = _build_parts(source, origin, work, options, reader, plan, splits, progress)
    refuse_shifted_columns(source.id, reports)
    staged = work / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    match = partial(find_same_crystals, parts=work / "parts", options=options, progress=progress)
    finished = finish_source(
        reports,
        work / "parts",
        staged,
        source.id,
        strict=options.strict,
        expected=splits.expected,
        match=match if options.match_structures else None,
        progress=progress,
    )
    differences = _differences(source, reader, finished)
    if differences and not options.allow_partial:
        raise DataError(
            f"{source.id}: {'; '.join(differences)}. Is the download complete (an upload before 2024-12-04 was not)? "
            "--allow-partial builds it as it is"
        )
    report = SourceReport(
        declaration=source,
        reader=reader.name,
        splits_from=splits.origin,
        seed=options.seed if splits.origin == "seeded" else None,
        policy="strict" if options.strict else "mark",
        structures_matched=options.match_structures,
        cleaning_version=policy.VERSION,
        cif_policy=options.cif_policy,
        partial=bool(differences),
        inputs=tuple(InputFile(name=one.name, size_bytes=one.size_bytes, sha256=one.sha256) for one in plan.inputs),
        splits=finished.splits,
        unassigned=finished.unassigned,
        shards=tuple(finished.shards),
        faults=tuple(finished.faults),
        notes=(*plan.notes, *differences),
    )
    publish_source(folder, staged, report)
    return report


class _SavedPlan(BaseModel):
    """A plan with what it depends on, so that a second run need not read the files again to cut them."""

    key: str
    plan: Plan


def make_plan(source: Source, origin: Path, work: Path, reader: Reader, progress: Progress) -> Plan:
    """Plan the pieces of a source, or take the plan of an earlier run over the same files."""
    path = work / "plan.json"
    key = job_fingerprint(code_fingerprint(), reader.name, str(origin.resolve()), source.model_dump_json())
    try:
        saved = _SavedPlan.model_validate_json(path.read_text(encoding="utf-8"))
        if saved.key == key and _unchanged(saved.plan):
            return saved.plan
    except (OSError, ValidationError):
        pass
    plan = reader.plan(source, origin, work, progress)
    write_json(path, _SavedPlan(key=key, plan=plan).model_dump(mode="json"), compact=True)
    return plan


def _unchanged(plan: Plan) -> bool:
    """Whether the files are as they were; looked at by size and time, as make does."""

    def same(identity: InputIdentity) -> bool:
        try:
            status = Path(identity.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (identity.size_bytes, identity.mtime_ns)

    return bool(plan.inputs) and all(map(same, plan.inputs)) and all(piece.path.exists() for piece in plan.pieces)


def find_splits(source: Source, reader: Reader, plan: Plan, work: Path, options: BuildOptions) -> Splits:
    """Say which split every row is in: by the files, by a manifest of ids, or by the protocol with a seed."""
    if reader.has_splits and options.manifest is None:
        published = source.published.splits
        return Splits("published", None, {split: getattr(published, split) for split in SPLITS})
    if options.manifest is not None:
        manifest = read_manifest(options.manifest)
        kind: Literal["manifest", "seeded"] = "manifest"
    else:
        ids = (one for piece in plan.pieces for batch in reader.read_ids(source, piece) for one in batch)
        manifest = seeded_manifest(ids, options.seed)
        kind = "seeded"
    path = work / "assignment.npz"
    write_assignment(manifest, path)
    return Splits(kind, path, {split: len(set(manifest.get(split, ()))) for split in SPLITS})


def _build_parts(
    source: Source,
    origin: Path,
    work: Path,
    options: BuildOptions,
    reader: Reader,
    plan: Plan,
    splits: Splits,
    progress: Progress,
) -> list[PartReport]:
    parts = work / "parts"
    parts.mkdir(exist_ok=True)
    for leftover in parts.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    depends = [
        code_fingerprint(),
        source.model_dump_json(),
        reader.name,
        options.cif_policy,
        *(one.model_dump_json() for one in plan.inputs),
        "" if splits.assignment is None else file_sha256(splits.assignment),
    ]
    jobs = [
        PartJob(
            source=source,
            reader=reader.name,
            piece=piece,
            origin=origin.resolve(),
            number=number,
            folder=parts.resolve(),
            assignment=splits.assignment.resolve() if splits.assignment else None,
            cif_policy=options.cif_policy,
            fingerprint=job_fingerprint(*depends, piece.model_dump_json(), str(number)),
        )
        for number, piece in enumerate(plan.pieces)
    ]
    total = sum(piece.rows for piece in plan.pieces)
    reports = [report for job in jobs if (report := finished_part(job)) is not None]
    done = sum(plan.pieces[report.number].rows for report in reports)
    progress(f"{source.id}: rows", done, total)
    finished = {report.number for report in reports}
    waiting = [job for job in jobs if job.number not in finished]
    run: Callable[[PartJob], PartReport] = build_part
    size = sum(job.piece.offsets[-1] - job.piece.offsets[0] for job in waiting)
    workers = options.workers if size > _WORTH_A_PROCESS else 1
    for report in run_jobs(run, waiting, workers=workers, ray_address=options.ray_address):
        reports.append(report)
        done += plan.pieces[report.number].rows
        progress(f"{source.id}: rows", done, total)
    return reports


def _differences(source: Source, reader: Reader, finished: Finished) -> list[str]:
    """Say where the number of rows read is not the expected one."""
    found = []
    for split, report in finished.splits.items():
        usable = report.read - sum(report.dropped.get(rule, 0) for rule in ("broken_row", "empty_row", "missing_id"))
        if report.expected is not None and usable != report.expected:
            damaged = f" and {report.read - usable:,} unusable ones" if report.read != usable else ""
            found.append(f"{split} has {usable:,} rows{damaged}, {report.expected:,} are expected")
    if not reader.has_splits and source.download.records is not None:
        read = sum(report.read for report in finished.splits.values())
        read += finished.unassigned.read if finished.unassigned else 0
        if read != source.download.records:
            found.append(f"the dump has {read:,} records, {source.download.records:,} are expected")
    return found
