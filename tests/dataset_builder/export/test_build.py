"""Builds from published CSVs: every fault is counted, nothing is lost, kills are survived, bytes repeat."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from published import Row, with_sizes, write_published

from llm4mat_bench.dataset_builder.catalogue import Source, get_source, list_sources
from llm4mat_bench.dataset_builder.export import build as build_module
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.export.parts import PartJob, build_part
from llm4mat_bench.dataset_builder.readers import csv_scan
from llm4mat_bench.dataset_builder.splits import ids_sha256
from llm4mat_bench.errors import DataError
from llm4mat_bench.progress import silent

SIZES = (8, 2, 3)


def _tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _rows(folder: Path, source: Source, split: str) -> list[dict[str, Any]]:
    files = sorted((folder / "data" / source.id).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_faultless_source_comes_out_as_it_went_in(tmp_path: Path) -> None:
    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    report = build_source(source, tmp_path / "in", tmp_path / "out")
    assert not report.partial
    for split, size in zip(("train", "validation", "test"), SIZES, strict=True):
        counts = report.splits[split]
        assert (counts.read, counts.written, counts.expected, counts.distinct_ids) == (size, size, size, size)
        assert not counts.dropped and not counts.repaired and not counts.marked and not counts.missing
    first = _rows(tmp_path / "out", source, "train")[1]
    assert first["material_id"] == "id-1"
    assert first["composition"] == "NaN"
    assert first["is_stable"] == 1
    assert first["band_gap"] == 2 / 32 + 1
    assert first["cif"].startswith("# generated using pymatgen\ndata_NaN\n")
    assert first["description"].endswith('Å, "as computed".')
    assert not (tmp_path / "out" / ".build").exists()
    assert report.splits["test"].ids_sha256 == ids_sha256(["id-10", "id-11", "id-12"])


@pytest.mark.parametrize("name", [source.id for source in list_sources()])
def test_all_ten_sources_and_their_forty_configs(name: str, tmp_path: Path) -> None:
    from datasets import load_dataset

    source = with_sizes(write_published(tmp_path / "in", name), SIZES)
    build_source(source, tmp_path / "in", tmp_path / "out")
    for config in (f"{name}-composition", f"{name}-cif", f"{name}-description", name):
        data = load_dataset(str(tmp_path / "out"), config, cache_dir=str(tmp_path / "cache"))
        assert {split: rows.num_rows for split, rows in data.items()} == {"train": 8, "validation": 2, "test": 3}
        assert list(data["train"].features)[-1] == source.properties[-1].name
    stream = load_dataset(str(tmp_path / "out"), f"{name}-cif", split="test", streaming=True)
    assert [row["material_id"] for row in stream] == ["id-10", "id-11", "id-12"]


def _spoil(splits: dict[str, list[Row]]) -> None:
    train, validation, test = splits["train"], splits["validation"], splits["test"]
    train.append(dict(train[0]))  # repeated_row
    train.append({**train[1], "band_gap": "9.5"})  # repeated_id, and its texts again
    train.append({**test[0], "material_id": "other"})  # same_text_in_held_out
    train.append(dict(test[1]))  # id_in_other_split
    train.append(dict.fromkeys(train[0], ""))  # empty_row
    train.append({**train[2], "material_id": ""})  # missing_id
    train[3]["band_gap"] = "inf"
    train[4]["band_gap"] = "abc"
    train[5]["description"] = ""
    train[6]["cif_structure"], train[6]["structure"] = "", ""
    train[7]["formula_pretty"] += " "
    test[2]["cif_structure"] = validation[0]["cif_structure"]  # shifted: another crystal's


def test_every_fault_is_counted_and_by_default_kept(tmp_path: Path) -> None:
    source = with_sizes(write_published(tmp_path / "in", change=_spoil), (12, 2, 3))
    with pytest.raises(DataError, match=r"train has 12 rows and 2 unusable ones|train has"):
        build_source(with_sizes(source, (14, 2, 3)), tmp_path / "in", tmp_path / "other")
    report = build_source(source, tmp_path / "in", tmp_path / "out")
    train = report.splits["train"]
    assert (train.read, train.written) == (14, 12)
    assert train.dropped == {"empty_row": 1, "missing_id": 1}
    assert train.repaired == {"surrounding_blanks": 1, "non_finite_label": 1, "unreadable_label": 1}
    assert train.marked == {
        "missing_cif": 1,
        "missing_description": 1,
        "repeated_row": 1,
        "repeated_id": 1,
        "id_in_other_split": 1,
        "same_text_in_held_out": 2,
    }
    assert report.splits["test"].marked == {"formula_mismatch": 1}
    assert train.missing == {"band_gap": 2, "cif": 1, "description": 1}
    assert train.examples["unreadable_label"] == ["row 5, band_gap: 'abc'"]
    faults = pq.read_table(tmp_path / "out" / "faults" / "mp" / "train.parquet").to_pylist()
    assert {(one["row"], one["rule"], one["action"]) for one in faults} >= {
        (9, "repeated_row", "marked"),
        (10, "repeated_id", "marked"),
        (13, "empty_row", "dropped"),
        (6, "missing_description", "marked"),
    }
    card = (tmp_path / "out" / "README.md").read_text()
    assert "repeated_id: 1" in card and "formula_mismatch: 1" in card
    assert json.loads((tmp_path / "out" / "splits.json").read_text())["mp"]["train"]["rows"] == 12


def test_strict_drops_them_and_the_counts_add_up(tmp_path: Path) -> None:
    source = with_sizes(write_published(tmp_path / "in", change=_spoil), (12, 2, 3))
    report = build_source(source, tmp_path / "in", tmp_path / "out", BuildOptions(strict=True))
    for split in report.splits.values():
        assert split.read == split.written + sum(split.dropped.values())
    train = report.splits["train"]
    assert train.written == 7
    assert train.marked == {"missing_description": 1}
    kept = [row["material_id"] for row in _rows(tmp_path / "out", source, "train")]
    assert kept == [f"id-{number}" for number in range(8) if number != 6]
    assert report.splits["test"].dropped == {"formula_mismatch": 1}
    assert train.ids_sha256 == ids_sha256(kept)


def test_the_known_fault_of_the_mp_test_file(tmp_path: Path) -> None:
    """Ids repeated eight times, structure columns that slip behind them, empty cells at the end."""
    moving = ("structure", "description", "cif_structure")

    def shift(splits: dict[str, list[Row]]) -> None:
        test = splits["test"]
        texts = [[row[name] for name in moving] for row in test]
        repeated = [*test[:5], *([test[5]] * 7), *test[5:]]  # a join of properties that repeated an id
        splits["test"] = [
            {**row, **dict(zip(moving, texts[place] if place < len(texts) else [""] * 3, strict=True))}
            for place, row in enumerate(repeated)
        ]

    source = with_sizes(write_published(tmp_path / "in", sizes=(8, 2, 20), change=shift), (8, 2, 27))
    report = build_source(source, tmp_path / "in", tmp_path / "out")
    test = report.splits["test"]
    assert (test.read, test.written, test.distinct_ids) == (27, 27, 20)
    assert test.marked["repeated_id"] == 7
    assert test.marked["missing_cif"] == 7
    assert test.marked["formula_mismatch"] >= 10
    strict = build_source(source, tmp_path / "in", tmp_path / "strict", BuildOptions(strict=True))
    ids = [row["material_id"] for row in _rows(tmp_path / "strict", source, "test")]
    assert len(ids) == len(set(ids)) == strict.splits["test"].written


def test_shortfall_is_an_error_with_both_numbers(tmp_path: Path) -> None:
    source = write_published(tmp_path / "in")
    with pytest.raises(DataError, match=r"train has 8 rows, 125,825 are expected.*--allow-partial"):
        build_source(source, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "data").exists(), "nothing half-right is published"
    report = build_source(source, tmp_path / "in", tmp_path / "out", BuildOptions(allow_partial=True))
    assert report.partial
    assert "incomplete or with surplus rows" in (tmp_path / "out" / "README.md").read_text()


def test_broken_rows_are_dropped_counted_and_named(tmp_path: Path) -> None:
    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    path = tmp_path / "in" / "mp" / "train.csv"
    lines = path.read_text()
    path.write_text(lines + "id-99,NaCl\n")
    report = build_source(source, tmp_path / "in", tmp_path / "out")
    assert report.splits["train"].dropped == {"broken_row": 1}
    assert report.splits["train"].examples["broken_row"] == ["row 9: 2 fields where the header has 15"]


def test_shifted_columns_are_refused(tmp_path: Path) -> None:
    source = write_published(tmp_path / "in")
    path = tmp_path / "in" / "mp" / "train.csv"
    head, rest = path.read_text().split("\n", 1)
    names = head.split(",")
    labels = [name for name in names if name in {prop.name for prop in source.properties}]
    turned = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    path.write_text(",".join(turned.get(name, name) for name in names) + "\n" + rest)
    with pytest.raises(DataError, match=r"train: column .* holds no label in 8 of 8 rows: the columns .* are shifted"):
        build_source(source, tmp_path / "in", tmp_path / "out", BuildOptions(allow_partial=True))


def test_cif_from_the_structure_column(tmp_path: Path) -> None:
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])

    def spoil(splits: dict[str, list[Row]]) -> None:
        for number, text in enumerate((str(structure.as_dict()), json.dumps(structure.as_dict()), "{'lattice': os}")):
            splits["train"][number] |= {"cif_structure": "", "structure": text, "formula_pretty": "NaCl"}
            splits["train"][number]["description"] = "NaCl is a crystal."

    source = with_sizes(write_published(tmp_path / "in", change=spoil), SIZES)
    report = build_source(source, tmp_path / "in", tmp_path / "out")
    assert report.splits["train"].repaired == {"cif_from_structure": 2}
    assert report.splits["train"].marked == {"missing_cif": 1, "unreadable_structure": 1}
    first = _rows(tmp_path / "out", source, "train")[0]
    assert "_chemical_formula_sum   'Na1 Cl1'" in first["cif"]


def test_strip_derived_is_a_further_config(tmp_path: Path) -> None:
    from datasets import load_dataset

    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    build_source(source, tmp_path / "in", tmp_path / "out", BuildOptions(cif_policy="strip-derived"))
    data = load_dataset(str(tmp_path / "out"), "mp-cif-stripped", split="test", cache_dir=str(tmp_path / "cache"))
    assert data.column_names[:3] == ["material_id", "cif_stripped", "formation_energy_per_atom"]
    assert all("_cell_volume" not in text and "_cell_length_a" in text for text in data["cif_stripped"])
    plain = load_dataset(str(tmp_path / "out"), "mp-cif", split="test", cache_dir=str(tmp_path / "cache"))
    assert all("_cell_volume" in text for text in plain["cif"])


def test_a_manifest_overrides_the_files(tmp_path: Path) -> None:
    source = write_published(tmp_path / "in")
    manifest = {"train": ["id-12", "id-0"], "validation": ["id-3"], "test": ["id-5", "id-99"]}
    (tmp_path / "ids.json").write_text(json.dumps(manifest))
    options = BuildOptions(manifest=tmp_path / "ids.json", allow_partial=True)
    report = build_source(source, tmp_path / "in", tmp_path / "out", options)
    assert report.splits_from == "manifest"
    assert [row["material_id"] for row in _rows(tmp_path / "out", source, "train")] == ["id-0", "id-12"]
    assert report.notes[-1] == "test has 1 rows, 2 are expected"
    assert report.unassigned is not None
    assert report.unassigned.dropped == {"in_no_split": 9}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.json", "{", "not readable as a manifest"),
        ("m.json", "[1]", "expected"),
        ("m.json", '{"train": ["a"], "test": ["a"]}', "'a' is in both train and test"),
        ("m.csv", "id,split\n", "columns material_id and split"),
        ("m.csv", "material_id,split\na,dev\n", "row 1: split 'dev'"),
        ("m.txt", "a", "a manifest is"),
        ("m.json", "{}", "no ids"),
    ],
)
def test_bad_manifests(tmp_path: Path, name: str, text: str, message: str) -> None:
    from llm4mat_bench.dataset_builder.export.manifest import read_manifest

    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / name)


def test_sources_are_added_to_a_folder_and_rebuilt_in_place(tmp_path: Path) -> None:
    for name in ("mp", "snumat"):
        source = with_sizes(write_published(tmp_path / "in", name), SIZES)
        build_source(source, tmp_path / "in", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert list(report["sources"]) == ["mp", "snumat"]
    before = _tree(tmp_path / "out")
    build_source(source, tmp_path / "in", tmp_path / "out")
    assert _tree(tmp_path / "out") == before


def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small files into many pieces."""
    scan = csv_scan.scan_csv
    monkeypatch.setattr(
        "llm4mat_bench.dataset_builder.readers.published_csv.scan_csv",
        lambda path, split, progress=silent: scan(path, split, progress, piece_bytes=20_000, batch_bytes=6_000),
    )


def test_pieces_workers_and_reruns_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small_pieces(monkeypatch)
    monkeypatch.setattr(build_module, "_WORTH_A_PROCESS", 0)
    sizes = (60, 7, 8)
    source = with_sizes(write_published(tmp_path / "in", sizes=sizes), sizes)
    trees = []
    for name, workers in (("one", 1), ("two", 2), ("again", 1)):
        build_source(source, tmp_path / "in", tmp_path / name, BuildOptions(workers=workers))
        trees.append(_tree(tmp_path / name))
    assert trees[0] == trees[1] == trees[2]
    assert [row["material_id"] for row in _rows(tmp_path / "one", source, "train")] == [f"id-{n}" for n in range(60)]


def test_a_changed_file_or_option_is_noticed_on_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    built: list[int] = []

    def counting(job: PartJob) -> Any:
        built.append(job.number)
        return build_part(job)

    monkeypatch.setattr(build_module, "build_part", counting)
    with pytest.raises(DataError):
        build_source(with_sizes(source, (9, 2, 3)), tmp_path / "in", tmp_path / "out")
    assert built == [0, 1, 2]
    with pytest.raises(DataError):
        build_source(with_sizes(source, (9, 2, 3)), tmp_path / "in", tmp_path / "out")
    assert built == [0, 1, 2], "finished parts are taken as they are"
    path = tmp_path / "in" / "mp" / "train.csv"
    path.write_text(path.read_text().replace("id-0,", "id-zero,"))
    os.utime(path, ns=(1, 1))
    build_source(with_sizes(source, (9, 2, 3)), tmp_path / "in", tmp_path / "out", BuildOptions(allow_partial=True))
    assert len(built) > 3
    assert _rows(tmp_path / "out", source, "train")[0]["material_id"] == "id-zero"


def test_two_builds_of_one_source_do_not_mix(tmp_path: Path) -> None:
    from filelock import FileLock

    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    work = tmp_path / "out" / ".build" / "mp"
    work.mkdir(parents=True)
    with FileLock(work / "lock"), pytest.raises(DataError, match="another build"):
        build_source(source, tmp_path / "in", tmp_path / "out")


_SLOW_BUILD = """
import sys, time
from pathlib import Path
from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.export import parts
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.readers import csv_scan, published_csv
from llm4mat_bench.progress import silent

scan = csv_scan.scan_csv
published_csv.scan_csv = lambda path, split, progress=silent: scan(
    path, split, progress, piece_bytes=20_000, batch_bytes=6_000
)
print("ready", flush=True)
build_source(get_source("mp"), Path(sys.argv[1]), Path(sys.argv[2]), BuildOptions(allow_partial=True, strict=True))
print("done", flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_random_moments_and_resume(tmp_path: Path) -> None:
    write_published(tmp_path / "in", sizes=(400, 20, 20), change=_spoil)
    command = [sys.executable, "-c", _SLOW_BUILD, str(tmp_path / "in")]
    start = time.perf_counter()
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    span = time.perf_counter() - start
    rng = random.Random(4)
    kills = 0
    for _ in range(6):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.random() * span * 0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += process.returncode == -signal.SIGKILL
        report = tmp_path / "killed" / "build_report.json"
        if report.exists():
            json.loads(report.read_text())
    assert kills
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    assert _tree(tmp_path / "killed") == _tree(tmp_path / "whole")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    from datasets import load_dataset

    source = with_sizes(write_published(tmp_path / "in"), SIZES)
    (tmp_path / "in" / "mp" / "test.csv").unlink()
    with pytest.raises(DataError, match=r"test\.csv: no such file.*--allow-partial"):
        build_source(source, tmp_path / "in", tmp_path / "out")
    report = build_source(source, tmp_path / "in", tmp_path / "out", BuildOptions(allow_partial=True))
    assert report.notes[-1] == "test has 0 rows, 3 are expected"
    data = load_dataset(str(tmp_path / "out"), "mp-cif", cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in data.items()} == {"train": 8, "validation": 2}


def test_the_shared_rows(tmp_path: Path) -> None:
    from datasets import load_dataset

    shared = Path(__file__).resolve().parents[4] / "shared" / "data" / "mp_sample"
    if not shared.is_dir():
        pytest.skip("the 20 published rows are not beside this checkout")
    report = build_source(get_source("mp"), shared, tmp_path / "out", BuildOptions(allow_partial=True))
    for split in ("train", "validation"):
        counts = report.splits[split]
        assert (counts.read, counts.written) == (10, 10)
        assert not counts.dropped and not counts.repaired and not counts.marked and not counts.missing
    data = load_dataset(str(tmp_path / "out"), "mp-description", split="train", cache_dir=str(tmp_path / "cache"))
    assert data[0]["material_id"] == "mp-759684"
    assert data[0]["description"].startswith("Na3Bi(P2O7)2 crystallizes in the triclinic P-1 space group.")
    assert data[0]["band_gap"] == 0.0 and data[0]["is_stable"] == 0


def test_two_sources_at_once_into_one_folder(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = ["mp", "snumat", "hmof", "omdb"]
    sources = [with_sizes(write_published(tmp_path / "in", name), SIZES) for name in names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda source: build_source(source, tmp_path / "in", tmp_path / "out"), sources))
    report = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert sorted(report["sources"]) == sorted(names)
    assert not (tmp_path / "out" / ".build").exists()
