"""Which id is in which split, for raw dumps: a manifest of ids, or the published protocol with a seed of our own."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...files import replace_file
from ..catalogue import SPLITS
from ..cleaning.keys import hash_texts
from ..splits import split_ids


def read_manifest(path: Path) -> dict[str, list[str]]:
    """Read a manifest: JSON ``{"train": [...], ...}``, CSV ``material_id,split``, or a folder of ``{split}.txt``.

    Raises:
        DataError: It is none of these, or an id stands in two splits.
    """
    try:
        if path.is_dir():
            splits = {
                split: (path / f"{split}.txt").read_text(encoding="utf-8").split("\n")
                for split in SPLITS
                if (path / f"{split}.txt").exists()
            }
        elif path.suffix == ".json":
            splits = _from_json(path)
        elif path.suffix == ".csv":
            splits = _from_csv(path)
        else:
            raise DataError(f"{path}: a manifest is a .json, a .csv or a folder of train.txt, validation.txt, test.txt")
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not readable as a manifest of ids: {error}") from error
    cleaned = {split: [one.strip() for one in ids if one.strip()] for split, ids in splits.items()}
    if not any(cleaned.values()):
        raise DataError(f"{path}: no ids in it; a manifest lists the ids of train, validation and test")
    _refuse_overlap(path, cleaned)
    return cleaned


def seeded_manifest(ids: Iterable[str | None], seed: int) -> dict[str, list[str]]:
    """Split distinct ids by the published protocol with a seed."""
    split = split_ids(sorted({one for one in ids if one}), seed)
    return {name: list(getattr(split, name)) for name in SPLITS}


def write_assignment(manifest: Mapping[str, Iterable[str]], path: Path) -> None:
    """Write a manifest as sorted 64-bit hashes and split codes, which every worker can load at once."""
    hashes, codes = [], []
    for code, split in enumerate(SPLITS):
        found = hash_texts(pa.array(list(manifest.get(split, ())), pa.string()))
        hashes.append(found)
        codes.append(np.full(len(found), code, np.uint8))
    every = np.concatenate(hashes)
    order = np.argsort(every, kind="stable")
    with replace_file(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, hashes=every[order], codes=np.concatenate(codes)[order])


def _from_json(path: Path) -> dict[str, list[str]]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict) or not all(isinstance(values.get(split, []), list) for split in SPLITS):
        raise DataError(f'{path}: expected {{"train": [ids], "validation": [ids], "test": [ids]}}')
    return {split: [str(one) for one in values.get(split, [])] for split in SPLITS}


def _from_csv(path: Path) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if not {"material_id", "split"} <= set(reader.fieldnames or ()):
            raise DataError(f"{path}: a manifest as CSV has the columns material_id and split")
        for number, row in enumerate(reader, start=1):
            if row["split"] not in splits:
                raise DataError(f"{path}: row {number}: split '{row['split']}' is none of {', '.join(SPLITS)}")
            splits[row["split"]].append(row["material_id"])
    return splits


def _refuse_overlap(path: Path, splits: Mapping[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    for split, ids in splits.items():
        for one in ids:
            other = seen.setdefault(one, split)
            if other != split:
                raise DataError(f"{path}: id '{one}' is in both {other} and {split}")
