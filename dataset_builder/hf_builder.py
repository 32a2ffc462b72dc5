"""``LLM4MatBuilder``: the same tables as ``llm4mat-bench build``, as a builder of the ``datasets`` library.

For those who want a ``DatasetDict`` straight from the published CSVs or a raw dump, with the library's own cache:

    builder = LLM4MatBuilder(config_name="mp-description", data_dir="published/")
    builder.download_and_prepare(num_proc=2)
    data = builder.as_dataset()

Nothing is published or checked against the published sizes here: that is what ``build`` is for.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.builder import Key
from numpy.typing import NDArray

from ..errors import DataError, UsageError, unknown_name
from ..progress import silent
from .catalogue import MODALITIES, SPLITS, Source, get_source, list_sources, load_source_file
from .cleaning import policy
from .cleaning.rows import KEY_NAMES, CleanBatch, clean_batch
from .crossings.marks import SplitKeys, bit, mark_crossings, strict_drop
from .crystals.cif_fields import stripped_column
from .dataset_folder.features import dataset_features, dataset_schema
from .dataset_folder.layout import STRIPPED
from .export.build import find_splits, make_plan
from .export.fingerprint import code_fingerprint
from .export.options import BuildOptions
from .export.parts import load_assignment, rows_of_split
from .readers.base import Piece, Reader
from .readers.registry import choose_reader, get_reader
from .splits import DEFAULT_SEED

Work = tuple[int, Piece]
_LONGEST_FOLDER = 107 - len("/pymp-XXXXXXXX/listener-XXXXXXXX") - 16  # 16: the limit of macOS is that much lower
_SHORT_FOLDER = "/tmp"  # noqa: S108 - what multiprocess itself falls back on; it makes a private folder inside


@dataclass
class LLM4MatConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """One config: a source, all of it or one modality.

    Attributes:
        reader: Form of the input; found by looking if left out.
        catalogue: YAML declaration of a source of your own.
        strict: Leave faulty rows out instead of keeping them.
        manifest: Ids of the splits, for raw dumps.
        seed: Seed of the split of a raw dump without a manifest.
    """

    reader: str | None = None
    catalogue: str | None = None
    strict: bool = False
    manifest: str | None = None
    seed: int = DEFAULT_SEED


def _split_name(name: str, catalogue: str | None) -> tuple[Source, str | None]:
    """Take a config name apart: ``mp-cif`` is source and modality, ``mp`` a source."""
    source_id, _, modality = name.partition("-")
    own = load_source_file(Path(catalogue)) if catalogue else None
    source = own if own is not None and own.id == source_id else get_source(source_id)
    known = (*MODALITIES, "cif-stripped")
    if modality and modality not in known:
        raise unknown_name("modality", modality, known)
    return source, modality or None


class LLM4MatBuilder(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Builds one config from the published CSVs or a raw dump in ``data_dir``."""

    BUILDER_CONFIG_CLASS = LLM4MatConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the library wants a list
        LLM4MatConfig(name=name, version=datasets.Version(f"{source.revision}.{policy.VERSION}.0"))
        for source in list_sources()
        for name in (*(f"{source.id}-{modality}" for modality in MODALITIES), f"{source.id}-cif-stripped", source.id)
    ]

    def __init__(self, cache_dir: str | None = None, **settings: Any) -> None:  # noqa: ANN401 - as the library has it
        # The cache is named by code and data, or a change of either would be answered with the old tables.
        settings.setdefault("dataset_name", "llm4mat_bench")
        settings["hash"] = _fingerprint(settings.get("data_dir"), settings.get("catalogue"), settings.get("manifest"))
        super().__init__(cache_dir=cache_dir, **settings)

    def download_and_prepare(self, *arguments: Any, num_proc: int | None = None, **settings: Any) -> None:  # noqa: ANN401 - as the library has it
        """Build the tables into the library's cache; everything else is as in ``datasets.DatasetBuilder``.

        Raises:
            DataError: More than one process was asked for and none could be started, or there is no folder whose path
                a socket can have.
        """
        with _room_for_sockets() if num_proc and num_proc > 1 else nullcontext():
            try:
                super().download_and_prepare(*arguments, num_proc=num_proc, **settings)
            except EOFError as error:
                if not num_proc or num_proc < 2:
                    raise
                # The process that serves the queue died as it was forked. Seen on Python 3.13 in a process in which Ray
                # had been started: the child of a fork crashes there (signal 11).
                raise DataError(
                    "the processes of num_proc could not be started; leave num_proc out, or build in a process that "
                    "has not used Ray"
                ) from error

    def _info(self) -> datasets.DatasetInfo:
        source, modality = _split_name(self.config.name, self.config.catalogue)
        return datasets.DatasetInfo(
            description=source.description,
            homepage=source.homepage,
            license=source.licence.name,
            citation=f"https://doi.org/{source.citation.doi}",
            features=_features(source, modality),
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:  # noqa: ANN401, ARG002
        source, _ = _split_name(self.config.name, self.config.catalogue)
        origin, reader = self._input(source)
        work = Path(self._cache_dir_root) / "llm4mat_bench_work" / f"{source.id}-{self.hash}"
        work.mkdir(parents=True, exist_ok=True)
        plan = make_plan(source, origin, work, reader, silent)
        manifest = Path(self.config.manifest) if self.config.manifest else None
        options = BuildOptions(manifest=manifest, seed=self.config.seed)
        splits = find_splits(source, reader, plan, work, options)
        pieces: list[Work] = list(enumerate(plan.pieces))
        assignment = str(splits.assignment) if splits.assignment else None
        by_split = {
            split: [(number, piece) for number, piece in pieces if assignment or piece.split == split]
            for split in SPLITS
        }
        drops = self._drops(source, reader, origin, by_split, assignment) if self.config.strict else {}
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={
                    "pieces": [(number, piece.model_dump_json()) for number, piece in work_of_split],
                    "drops": [drops.get((split, number)) for number, _ in work_of_split],
                    "split": split,
                    "assignment": assignment,
                    "origin": str(origin),
                    "reader_name": reader.name,
                },
            )
            for split, work_of_split in by_split.items()
            if work_of_split
        ]

    def _generate_tables(
        self,
        pieces: list[tuple[int, str]],
        drops: list[NDArray[np.bool_] | None],
        split: str,
        assignment: str | None,
        origin: str,
        reader_name: str,
    ) -> Iterator[tuple[Key, pa.Table]]:
        source, modality = _split_name(self.config.name, self.config.catalogue)
        features = _features(source, modality)
        reader = get_reader(reader_name)
        for (number, text), drop in zip(pieces, drops, strict=True):
            piece = Piece.model_validate_json(text)
            place = 0
            for index, (batch, mask) in enumerate(_batches(source, reader, piece, Path(origin), assignment, split)):
                table = batch.table.filter(pa.array(mask))
                if drop is not None:
                    part = drop[place : place + table.num_rows]
                    place += table.num_rows
                    table = table.filter(pa.array(~part))
                if STRIPPED in features:
                    table = table.append_column(STRIPPED, stripped_column(table["cif"]))
                yield Key(number, index), table.select(list(features)).cast(features.arrow_schema)

    def _input(self, source: Source) -> tuple[Path, Reader]:
        if not self.config.data_dir:
            raise UsageError("LLM4MatBuilder needs data_dir=: the folder of the published CSVs or of a raw dump")
        origin = Path(self.config.data_dir)
        own = "cif_folder" if self.config.catalogue else None
        return origin, get_reader(self.config.reader or own or choose_reader(source, origin))

    def _drops(
        self,
        source: Source,
        reader: Reader,
        origin: Path,
        by_split: dict[str, list[Work]],
        assignment: str | None,
    ) -> dict[tuple[str, int], NDArray[np.bool_]]:
        """Read everything once to know which rows the strict policy drops; repeats show in no other way."""
        keys: dict[str, SplitKeys] = {}
        sizes: dict[tuple[str, int], int] = {}
        for split, pieces in by_split.items():
            found: list[SplitKeys] = []
            for number, piece in pieces:
                sizes[split, number] = 0
                for batch, mask in _batches(source, reader, piece, origin, assignment, split):
                    bits = np.zeros(len(batch.rows), np.uint32)
                    for rule, marked in batch.marks.items():
                        bits[marked] |= bit(rule)
                    found.append(SplitKeys({name: batch.keys[name][mask] for name in KEY_NAMES}, bits[mask]))
                    sizes[split, number] += int(mask.sum())
            keys[split] = SplitKeys(
                {
                    name: np.concatenate([one.keys[name] for one in found] or [np.zeros(0, np.uint64)])
                    for name in KEY_NAMES
                },
                np.concatenate([one.bits for one in found] or [np.zeros(0, np.uint32)]),
            )
        drops = {}
        for split, bits in mark_crossings(keys).items():
            drop, start = strict_drop(bits), 0
            for number, _ in by_split[split]:
                drops[split, number] = drop[start : start + sizes[split, number]]
                start += sizes[split, number]
        return drops


def _batches(
    source: Source, reader: Reader, piece: Piece, origin: Path, assignment: str | None, split: str
) -> Iterator[tuple[CleanBatch, NDArray[np.bool_]]]:
    schema = dataset_schema(source)
    lookup = load_assignment(Path(assignment)) if assignment else None
    for raw in reader.read(source, piece, origin):
        batch = clean_batch(raw, source, schema)
        yield batch, rows_of_split(batch, lookup, split)


@contextmanager
def _room_for_sockets() -> Iterator[None]:
    """Give the processes of ``datasets`` a temporary folder with a short path.

    They talk through a socket in it, and the path of a socket has at most 107 characters (fewer on macOS). Where TMPDIR
    is longer, ``multiprocess`` dies with a bare EOFError: on Python 3.11 and 3.12 for want of a check, from 3.13 on in
    the check (its fallback calls a function of a later Python with an argument that this one does not take).
    """
    before = tempfile.tempdir
    if len(tempfile.gettempdir()) <= _LONGEST_FOLDER:
        yield
        return
    if not os.access(_SHORT_FOLDER, os.W_OK):
        raise DataError(
            f"{tempfile.gettempdir()}: too long a path for the sockets of several processes, and {_SHORT_FOLDER} "
            f"cannot be written; set TMPDIR to a folder of at most {_LONGEST_FOLDER} characters, or leave num_proc out"
        )
    tempfile.tempdir = _SHORT_FOLDER
    try:
        yield
    finally:
        tempfile.tempdir = before


def _features(source: Source, modality: str | None) -> datasets.Features:
    every = dataset_features(source, (STRIPPED,) if modality == "cif-stripped" else ())
    texts = MODALITIES if modality is None else (STRIPPED if modality == "cif-stripped" else modality,)
    names = ["material_id", *texts, *(prop.name for prop in source.properties)]
    return datasets.Features({name: every[name] for name in names})


def _fingerprint(*places: str | None) -> str:
    """Hash of the code and of name, size and time of every file that a build could read."""
    digest = hashlib.sha256(code_fingerprint().encode())
    for place in places:
        if not place:
            continue
        path = Path(place)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                status = file.stat()
                digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:32]
