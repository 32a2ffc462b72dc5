"""Find crystals that stand in train and again in validation or test: equal reduced formula and matching structure.

``crossings.matching`` decides, as for ``check``; answers are kept as they come.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ...errors import UsageError
from ...files import write_json
from ...progress import Progress
from ..crossings.marks import HELD_OUT, SplitKeys
from ..crossings.matching import StructureComparer
from .executor import run_jobs
from .options import BuildOptions
from .parts import data_path

Places = NDArray[np.int64]
_BUCKET_ROWS = 40_000  # candidates whose CIFs are held at a time
_JOB_PAIRS = 200


class MatchJob(BaseModel):
    """Crystals of one formula: those to be looked for, and those held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    places: tuple[int, ...]
    cifs: tuple[str, ...]
    held_out: tuple[str, ...]


def find_same_crystals(
    splits: dict[str, SplitKeys],
    part_numbers: dict[str, list[int]],
    *,
    parts: Path,
    options: BuildOptions,
    progress: Progress,
) -> dict[str, Places]:
    """Find the rows of train (and validation) that match one of the splits held out from it.

    Args:
        splits: Hashes of all rows.
        part_numbers: Numbers of the parts that hold the rows of each split, in order.
        parts: Folder of the parts; answers are kept in ``matches`` beside it.
        options: Workers or Ray.
        progress: Told how many formulas are compared.

    Raises:
        UsageError: pymatgen is not installed.
    """
    try:
        import pymatgen.core  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UsageError("--match-structures needs pymatgen: pip install 'llm4mat-bench[raw]'") from error
    found = {}
    for split, others in HELD_OUT.items():
        pool = np.unique(
            np.concatenate([splits[other].keys["reduced_formula"] for other in others] or [np.zeros(0, np.uint64)])
        )
        formulas = splits[split].keys["reduced_formula"]
        candidates = np.isin(formulas, pool[pool != 0])
        buckets = max(1, -(-int(candidates.sum()) // _BUCKET_ROWS))
        places: list[int] = []
        for bucket in range(buckets):
            name = f"{split}: formulas also held out, part {bucket + 1} of {buckets}"
            places += _bucket(splits, part_numbers, parts, split, others, bucket, buckets, options, name, progress)
        found[split] = np.asarray(sorted(places), np.int64)
    return found


def match_group(job: MatchJob) -> list[int]:
    """Compare the crystals of one formula; returns the places of those that match."""
    comparer = _comparer()
    return [
        place
        for place, text in zip(job.places, job.cifs, strict=True)
        if text in job.held_out or any(comparer.same(text, other) for other in job.held_out)
    ]


@cache
def _comparer() -> StructureComparer:
    """One a process: jobs of one formula follow one another and share the structures that are held out."""
    return StructureComparer()


def _bucket(
    splits: dict[str, SplitKeys],
    part_numbers: dict[str, list[int]],
    parts: Path,
    split: str,
    others: Sequence[str],
    bucket: int,
    buckets: int,
    options: BuildOptions,
    name: str,
    progress: Progress,
) -> list[int]:
    """Compare one share of the formulas, or take the answer of an earlier run over the same rows."""
    digest = hashlib.sha256(f"{split} {bucket} {buckets}".encode())
    for one in (split, *others):
        digest.update(splits[one].keys["row"].tobytes())
    path = parts.parent / "matches" / f"{digest.hexdigest()[:32]}.json"
    if path.exists():
        return list(json.loads(path.read_text(encoding="utf-8")))

    def chosen(one: str) -> NDArray[np.bool_]:
        keys = splits[one].keys
        share = keys["reduced_formula"] % np.uint64(buckets) == bucket
        return np.asarray(share & (keys["reduced_formula"] != 0) & (keys["cif"] != 0))

    held: dict[int, list[str]] = {}
    for other in others:
        for _, formula, text in _texts(parts, other, part_numbers[other], splits[other], chosen(other)):
            held.setdefault(formula, []).append(text)
    wanted: dict[int, list[tuple[int, str]]] = {}
    mask = chosen(split) & np.isin(splits[split].keys["reduced_formula"], np.array(list(held), np.uint64))
    for place, formula, text in _texts(parts, split, part_numbers[split], splits[split], mask):
        wanted.setdefault(formula, []).append((place, text))
    jobs = [job for formula, rows in wanted.items() for job in _jobs(rows, held[formula])]
    found: list[int] = []
    for count, places in enumerate(
        run_jobs(match_group, jobs, workers=options.workers, ray_address=options.ray_address), start=1
    ):
        found += places
        progress(name, count, len(jobs))
    write_json(path, sorted(found))
    return found


def _jobs(rows: Sequence[tuple[int, str]], held_out: Sequence[str]) -> Iterator[MatchJob]:
    step = max(1, _JOB_PAIRS // len(held_out))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        yield MatchJob(
            places=tuple(place for place, _ in some), cifs=tuple(text for _, text in some), held_out=tuple(held_out)
        )


def _texts(
    parts: Path, split: str, numbers: Sequence[int], keys: SplitKeys, mask: NDArray[np.bool_]
) -> Iterator[tuple[int, int, str]]:
    """Yield place, hash of the formula and CIF of the rows that the mask names, reading a part at a time."""
    start = 0
    formulas = keys.keys["reduced_formula"]
    for number in numbers:
        path = data_path(parts, number, split)
        rows = pq.read_metadata(path).num_rows
        part = mask[start : start + rows]
        if part.any():
            texts = pq.read_table(path, columns=["cif"])["cif"].filter(pa.array(part)).to_pylist()
            for place, text in zip((np.flatnonzero(part) + start).tolist(), texts, strict=True):
                yield place, int(formulas[place]), text
        start += rows
