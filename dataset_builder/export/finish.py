"""From parts to the finished tables of a source: faults across rows, shards in order, the report."""

import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...errors import DataError
from ...files import replace_file
from ...progress import Progress, silent
from ..catalogue import MODALITIES, SPLITS
from ..cleaning.policy import RULE_NAMES
from ..cleaning.rows import KEY_NAMES
from ..crossings.marks import Bits, SplitKeys, bit, count_bits, first_rule, mark_crossings, strict_drop
from ..dataset_folder.identity import split_texts_sha256
from ..dataset_folder.layout import STRIPPED, faults_path, shard_path
from ..dataset_folder.parquet import describe_shard, write_shard
from ..dataset_folder.report import Shard, SplitReport
from ..readers.base import PIECE_BYTES
from ..splits import ids_sha256
from .parts import EXAMPLES, UNASSIGNED, PartReport, data_path, keys_path

# Keys of each split and the parts that hold its rows -> places of the rows that match.
_FEWEST = 4  # rows from which a share says anything
StructureSearch = Callable[[dict[str, SplitKeys], dict[str, list[int]]], dict[str, NDArray[np.int64]]]
_FAULTS_SCHEMA = pa.schema(
    [
        ("material_id", pa.string()),
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("action", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass
class Finished:
    """What came of the parts of a source."""

    splits: dict[str, SplitReport]
    unassigned: SplitReport | None
    shards: list[Shard]
    faults: list[Shard]


@dataclass
class _Ids:
    """Ids and row numbers of one split, in order, with the bits of the rules that mark each row."""

    ids: pa.ChunkedArray
    numbers: NDArray[np.int64]
    bits: Bits
    part_rows: list[int]


def finish_source(
    reports: Sequence[PartReport],
    parts: Path,
    staged: Path,
    source_id: str,
    *,
    strict: bool,
    expected: dict[str, int | None],
    match: StructureSearch | None = None,
    progress: Progress = silent,
) -> Finished:
    """Put the parts of a source together.

    Args:
        reports: Reports of all parts.
        parts: Folder of the parts, which stay as they are.
        staged: Folder to write ``data/{source}`` and ``faults/{source}`` to.
        source_id: Id of the source.
        strict: Leave marked rows out.
        expected: Number of rows that each split should have, None where that is not known.
        match: Finds rows whose structure matches one of a held-out split; left out, structures are not compared.
        progress: Told the rows whose texts are hashed.
    """
    ordered = sorted(reports, key=lambda report: report.number)
    loaded = {split: _load(ordered, parts, split) for split in SPLITS}
    crossed = mark_crossings({split: keys for split, (keys, _) in loaded.items()})
    if match is not None:
        held = {split: [r.number for r in ordered if split in r.splits] for split in SPLITS}
        for split, rows in match({split: keys for split, (keys, _) in loaded.items()}, held).items():
            crossed[split][rows] |= bit("same_crystal_in_held_out")
    finished = Finished({}, None, [], [])
    for split in SPLITS:
        ids = loaded[split][1]
        ids.bits = crossed[split]
        drop = strict_drop(ids.bits) if strict else np.zeros(len(ids.bits), np.bool_)
        shards, missing = _write_shards(ordered, parts, staged, source_id, split, ids.part_rows, drop)
        finished.shards += shards
        counts = _split_report(ordered, split, ids, drop, missing, expected.get(split))
        texts = _hash_texts(staged, shards, f"{source_id}: hashing texts of {split}", progress)
        finished.splits[split] = counts.model_copy(update={"texts_sha256": texts})
        path = staged / faults_path(source_id, split)
        if _write_faults(ordered, split, ids, drop, path):
            finished.faults.append(describe_shard(path, staged))
    rest = _counts(ordered, UNASSIGNED)
    if rest.read or rest.dropped or rest.repaired:
        finished.unassigned = rest
    return finished


def _load(reports: Sequence[PartReport], parts: Path, split: str) -> tuple[SplitKeys, _Ids]:
    tables, part_rows = [], []
    for report in reports:
        if split in report.splits:
            tables.append(pq.read_table(keys_path(parts, report.number, split)))
            part_rows.append(tables[-1].num_rows)
    names = ["id", "number", *KEY_NAMES, "bits"]
    types = [pa.string(), pa.int64(), *[pa.uint64()] * len(KEY_NAMES), pa.uint32()]
    table = pa.concat_tables(tables) if tables else pa.schema(list(zip(names, types, strict=True))).empty_table()
    keys = {name: table[name].to_numpy() for name in KEY_NAMES}
    bits = table["bits"].to_numpy()
    return SplitKeys(keys, bits), _Ids(table["id"], table["number"].to_numpy(), bits, part_rows)


def _write_shards(
    reports: Sequence[PartReport],
    parts: Path,
    staged: Path,
    source_id: str,
    split: str,
    part_rows: Sequence[int],
    drop: NDArray[np.bool_],
) -> tuple[list[Shard], Counter[str]]:
    """Write the rows of a split as shards; a part that fills a shard by itself is moved, not written again."""
    if drop.all():  # no rows, no file: `datasets` cannot load a split without rows
        return [], Counter()
    holding = [report for report in reports if split in report.splits]
    starts = [0, *itertools.accumulate(part_rows)]
    groups = _group(holding, split)
    missing: Counter[str] = Counter()
    shards = []
    done = 0
    for index, group in enumerate(groups):
        path = staged / shard_path(source_id, split, index, len(groups))
        mask = drop[starts[done] : starts[done + len(group)]]
        if len(group) == 1 and not mask.any():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            part = data_path(parts, group[0].number, split)
            try:
                path.hardlink_to(part)
            except OSError:  # not every file system has links
                shutil.copy2(part, path)
            missing.update(group[0].splits[split].missing)
        else:
            table = pa.concat_tables(pq.read_table(data_path(parts, part.number, split)) for part in group)
            table = table.filter(pa.array(~mask))
            write_shard(table, path)
            missing.update({name: table[name].null_count for name in table.column_names if table[name].null_count})
        done += len(group)
        shards.append(describe_shard(path, staged))
    return shards, missing


def _hash_texts(staged: Path, shards: Sequence[Shard], name: str, progress: Progress) -> dict[str, str]:
    if not shards:
        return {}
    paths = tuple(staged / shard.path for shard in shards)
    there = pq.read_schema(paths[0]).names
    columns = tuple(one for one in (*MODALITIES, STRIPPED) if one in there)
    return split_texts_sha256(paths, columns, progress, name, sum(shard.rows for shard in shards))


def _group(parts: Sequence[PartReport], split: str) -> list[list[PartReport]]:
    """Group consecutive parts so that a shard has at least half the size of a piece, the last one aside."""
    groups: list[list[PartReport]] = []
    size = PIECE_BYTES
    for part in parts:
        if size >= PIECE_BYTES // 2:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.splits[split].text_bytes
    return groups


def _counts(reports: Sequence[PartReport], split: str) -> SplitReport:
    """Add up what the parts say of a split, or of the rows outside of all."""
    dropped: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    read = 0
    for report in reports:
        counts = report.splits.get(split)
        if counts is None:
            continue
        read += counts.read
        dropped.update({rule: len(rows) for rule, rows in counts.dropped.items()})
        repaired.update(counts.repaired)
        for rule, found in counts.examples.items():
            examples[rule] = (examples.get(rule, []) + found)[:EXAMPLES]
        for rule, rows in counts.dropped.items():
            named = [f"row {row}" + (f": {why}" if why else "") for row, why in rows[:EXAMPLES]]
            examples[rule] = (examples.get(rule, []) + named)[:EXAMPLES]
    return SplitReport(
        expected=None,
        read=read,
        written=0,
        distinct_ids=0,
        ids_sha256=ids_sha256([]),
        dropped=_in_order(dropped),
        repaired=_in_order(repaired),
        examples=examples,
    )


def _split_report(
    reports: Sequence[PartReport],
    split: str,
    ids: _Ids,
    drop: NDArray[np.bool_],
    missing: Counter[str],
    expected: int | None,
) -> SplitReport:
    counts = _counts(reports, split)
    dropped = Counter(counts.dropped)
    if drop.any():
        dropped.update({rule: int((mask & drop).sum()) for rule, mask in first_rule(ids.bits).items()})
    marked = count_bits(ids.bits[~drop])
    examples = dict(counts.examples)
    for rule in (*marked, *(rule for rule in dropped if rule not in examples)):
        if rule in counts.examples:  # they say more than the id: which label, and what it is
            continue
        places = np.flatnonzero(ids.bits & bit(rule))[:EXAMPLES]
        examples[rule] = [f"row {ids.numbers[place]}: {ids.ids[int(place)].as_py()}" for place in places]
    written = set(ids.ids.filter(pa.array(~drop)).to_pylist())
    return counts.model_copy(
        update={
            "expected": expected,
            "written": int((~drop).sum()),
            "distinct_ids": len(written),
            "ids_sha256": ids_sha256(written),
            "dropped": _in_order(dropped),
            "marked": marked,
            "missing": dict(sorted(missing.items())),
            "examples": {rule: examples[rule] for rule in RULE_NAMES if rule in examples},
        }
    )


def _write_faults(reports: Sequence[PartReport], split: str, ids: _Ids, drop: NDArray[np.bool_], path: Path) -> bool:
    """Write the table of dropped and marked rows; returns whether there are any."""
    tables = list(_faults(reports, split, ids, drop))
    if not tables:
        return False
    with replace_file(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary, compression="zstd")
    return True


def _faults(reports: Sequence[PartReport], split: str, ids: _Ids, drop: NDArray[np.bool_]) -> Iterator[pa.Table]:
    for report in reports:
        counts = report.splits.get(split)
        for rule, rows in (counts.dropped if counts else {}).items():
            yield pa.table(
                [
                    pa.nulls(len(rows), pa.string()),
                    [row for row, _ in rows],
                    [rule] * len(rows),
                    ["dropped"] * len(rows),
                    [why or None for _, why in rows],
                ],
                schema=_FAULTS_SCHEMA,
            )
    for rule in RULE_NAMES:
        places = np.flatnonzero(ids.bits & bit(rule))
        if len(places):
            actions = np.where(drop[places], "dropped", "marked").tolist()
            yield pa.table(
                [
                    ids.ids.take(pa.array(places)),
                    ids.numbers[places],
                    [rule] * len(places),
                    actions,
                    pa.nulls(len(places), pa.string()),
                ],
                schema=_FAULTS_SCHEMA,
            )


_WHAT = {"material_id": "name", "composition": "formula", "cif": "CIF", "description": "description in words"}


def refuse_shifted_columns(source_id: str, reports: Sequence[PartReport]) -> None:
    """Refuse files whose cells are not what their columns hold: columns swapped, shifted, or of another source.

    Raises:
        DataError: More than half of a split's rows are broken, or more than half of the cells of a column that hold
            anything are unreadable.
    """
    for split in (*SPLITS, UNASSIGNED):
        counts = [report.splits[split] for report in reports if split in report.splits]
        where = source_id if split == UNASSIGNED else f"{source_id}: {split}"
        broken = [found for one in counts for found in one.dropped.get("broken_row", ())]
        read = sum(one.read for one in counts)
        if split == UNASSIGNED:  # what was found before the split of a row was known
            read = sum(one.read for report in reports for one in report.splits.values())
        if read >= _FEWEST and len(broken) > read / 2:
            row, why = broken[0]
            raise DataError(
                f"{where}: {len(broken):,} of {read:,} rows are broken (row {row}: {why}): header and rows do not "
                "belong together"
            )
        filled, unreadable, commas = (
            _sum(getattr(one, name) for one in counts) for name in ("filled", "unreadable", "decimal_commas")
        )
        for name, count in unreadable.items():
            if filled[name] < _FEWEST or count <= filled[name] / 2:
                continue
            if commas[name] > count / 2:
                raise DataError(
                    f"{where}: column {name} holds numbers with decimal commas in {commas[name]:,} of "
                    f"{filled[name]:,} rows; write them with points"
                )
            raise DataError(
                f"{where}: column {name} holds no {_WHAT.get(name, 'label')} in {count:,} of {filled[name]:,} rows: "
                "the columns of the file are shifted against its header or swapped, or it belongs to another source"
            )


def _sum(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {rule: counts[rule] for rule in RULE_NAMES if counts.get(rule)}
