"""Hashes of columns and tasks against a second, plain implementation of docs/task-identity.md."""

import hashlib
import json
import shutil
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.dataset_builder.dataset_folder import task_identity
from llm4mat_bench.dataset_builder.dataset_folder.hashing import number_column_sha256, text_column_sha256
from llm4mat_bench.dataset_builder.export.sample import build_sample
from llm4mat_bench.dataset_builder.sample import read_sample

Texts = Sequence[str | None]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def plain_texts(texts: Texts) -> str:
    lengths = b"".join(struct.pack("<q", -1 if text is None else len(text.encode())) for text in texts)
    return sha(sha(lengths) + sha(b"".join(text.encode() for text in texts if text is not None))).hex()


def plain_numbers(values: Sequence[float]) -> str:
    return sha(b"".join(struct.pack("<d", value) for value in values)).hex()


def plain_identity(splits: dict[str, dict[str, list]], text: str, target: str) -> tuple[str, str, str]:
    labels, texts = "llm4mat-bench labels 1\n", "llm4mat-bench texts 1\n"
    for split, columns in splits.items():
        rows = [(i, t) for i, t in zip(columns["material_id"], columns[target], strict=True) if t is not None]
        ids, targets = [i for i, _ in rows], [float(t) for _, t in rows]
        labels += f"{split} {len(rows)} {plain_texts(ids)} {plain_numbers(targets)}\n"
        both = f"ids {plain_texts(columns['material_id'])}\ntexts {plain_texts(columns[text])}\n"
        texts += f"{split} {len(columns[text])} {sha(both.encode()).hex()}\n"
    found = [sha(labels.encode()).hex(), sha(texts.encode()).hex()]
    return found[0], found[1], sha(f"llm4mat-bench task 1\nlabels {found[0]}\ntexts {found[1]}\n".encode()).hex()


@settings(deadline=None)
@given(
    st.lists(st.none() | st.text(max_size=6), max_size=30),
    st.lists(st.integers(0, 30), max_size=5),
    st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
)
def test_chunks_slices_and_types_make_no_difference(texts: Texts, cuts: list[int], kind: pa.DataType) -> None:
    whole = pa.concat_arrays([pa.array(["before", None], kind), pa.array(texts, kind), pa.array(["behind"], kind)])
    bounds = sorted({0, len(texts), *(min(cut, len(texts)) for cut in cuts)})
    pieces = [whole.slice(2 + low, high - low) for low, high in pairwise(bounds)]
    expected = plain_texts(texts)
    assert text_column_sha256([pa.chunked_array([pa.array(texts, kind)])]) == expected
    assert text_column_sha256(pieces) == expected
    assert text_column_sha256([pa.chunked_array(pieces, kind)]) == expected


def test_what_lies_under_a_null_is_nobodys_text() -> None:
    offsets, data = np.array([0, 1, 4, 6], np.int32), b"ahidbc"
    mask = pa.py_buffer(b"\x05")  # the second of three is null, but three bytes lie under it
    hidden = pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(data), mask)
    assert hidden.to_pylist() == ["a", None, "bc"]
    assert text_column_sha256([hidden]) == plain_texts(["a", None, "bc"])


@pytest.mark.parametrize(
    ("one", "other"),
    [(["ab", "c"], ["a", "bc"]), ([None], [""]), (["", "a"], ["a", ""]), (["a"], ["a", None]), ([], [None])],
)
def test_columns_that_differ_have_other_hashes(one: Texts, other: Texts) -> None:
    assert text_column_sha256([pa.array(one, pa.string())]) != text_column_sha256([pa.array(other, pa.string())])


def test_minus_zero_is_zero() -> None:
    assert number_column_sha256(np.array([-0.0, 1.5])) == plain_numbers([0.0, 1.5])


@pytest.mark.parametrize("modality", ["composition", "cif", "description"])
@pytest.mark.parametrize("target", ["band_gap", "is_stable"])
def test_the_sample_by_the_plain_definition(modality: str, target: str) -> None:
    splits = {split: read_sample(split).to_pydict() for split in ("train", "validation", "test")}
    found = task_identity(f"sample/{target}", modality)
    assert (found.labels_sha256, found.texts_sha256, found.sha256) == plain_identity(splits, modality, target)
    assert found.version == 1


def test_published_values() -> None:
    """Written down once; a change here makes every published result's data unknown: raise the version instead."""
    found = task_identity("sample/band_gap", "composition")
    assert found.sha256 == GOLDEN


GOLDEN = "fa70ed7bc2b0570f20aec04d2eeb69b70fe252e4c30a784103ec1443f29c3ce5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("identity") / "folder"
    build_sample(out)
    return out


def test_the_report_holds_the_hash_of_the_texts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = task_identity("sample/volume", "cif")

    def refuse(*_: object) -> None:
        raise AssertionError("texts were read though the report has their hash")

    monkeypatch.setattr("llm4mat_bench.dataset_builder.dataset_folder.identity.split_texts_sha256", refuse)
    assert task_identity("sample/volume", "cif", folder) == expected


def test_other_shards_without_a_report_give_the_same(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "data" / "sample"
    place.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        table = pq.read_table(folder / "data" / "sample" / f"{split}-00000-of-00001.parquet")
        for index, low in enumerate((0, 31)):
            part = table.slice(low, 31 if index == 0 else None)
            pq.write_table(part, place / f"{split}-{index:05d}-of-00002.parquet", row_group_size=10)
    steps: list[tuple[str, int, int]] = []
    found = task_identity("sample/volume", "cif", tmp_path, progress=lambda *step: steps.append(step))
    assert found == task_identity("sample/volume", "cif", folder)
    assert ("sample: hashing cif of test", 570, 570) in steps


def test_every_text_counts_and_labels_know_none(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    (other / "build_report.json").unlink()
    path = other / "data" / "sample" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    texts = table["cif"].to_pylist()
    texts[17] = texts[17].replace("0", "1", 1)
    pq.write_table(table.set_column(table.column_names.index("cif"), "cif", pa.array(texts)), path)
    one, two = task_identity("sample/volume", "cif", folder), task_identity("sample/volume", "cif", other)
    assert one.labels_sha256 == two.labels_sha256
    assert one.texts_sha256 != two.texts_sha256
    assert one.sha256 != two.sha256
    assert task_identity("sample/volume", "composition", folder) == task_identity("sample/volume", "composition", other)


def test_a_report_of_an_earlier_version_is_read(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "earlier"))
    report = json.loads((other / "build_report.json").read_text())
    report["schema_version"] = 1
    for split in report["sources"]["sample"]["splits"].values():
        del split["texts_sha256"]
    (other / "build_report.json").write_text(json.dumps(report))
    assert task_identity("sample/volume", "cif", other) == task_identity("sample/volume", "cif", folder)
