"""Where structures are read from, and what is refused."""

import csv
import io
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4mat_bench.dataset_builder.dataset_folder.structures import open_structures
from llm4mat_bench.dataset_builder.descriptions.batch import entries as entries_module
from llm4mat_bench.dataset_builder.descriptions.batch.entries import Entry, Scan
from llm4mat_bench.dataset_builder.descriptions.batch.errors import DescribeInputError, DescribeUsageError
from llm4mat_bench.dataset_builder.descriptions.batch.inputs import open_source
from llm4mat_bench.dataset_builder.descriptions.batch.summary import sum_up
from llm4mat_bench.errors import DataError

SPLITS = ("train", "validation", "test")


def entries(path: Path, **options: str) -> list[Entry]:
    source = open_structures(path, **options)
    first = list(source.entries())
    assert first == list(source.entries())  # read twice, the same
    return first


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.cif").write_text("B")
    (tmp_path / "a.CIF").write_text("A")
    (tmp_path / "sub" / "c.cif").write_bytes(b"\xff\x00")
    (tmp_path / ".hidden.cif").write_text("no")
    (tmp_path / "notes.txt").write_text("no")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.cif").symlink_to(tmp_path / "nowhere")
    assert entries(tmp_path) == [
        Entry("a", "a.CIF", "A"),
        Entry("b", "b.cif", "B"),
        Entry("dangling", "dangling.cif", None, "cannot be read: No such file or directory"),
        Entry("sub/c", "sub/c.cif", "�\0"),
    ]
    assert open_source(tmp_path).ignored == 2


def test_what_holds_no_structures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DescribeInputError, match=r"no \.cif files"):
        open_source(tmp_path)
    with pytest.raises(DescribeInputError, match="does not exist"):
        open_source(tmp_path / "gone")
    (tmp_path / "x.xyz").write_text("1")
    with pytest.raises(DescribeInputError, match=r"give a \.cif"):
        open_source(tmp_path / "x.xyz")
    (tmp_path / "x.cif").write_text("1")
    with pytest.raises(DescribeUsageError, match="no columns"):
        open_source(tmp_path / "x.cif", column="cif")


def make_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return path


def test_a_zip_is_read_without_unpacking(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"d/b.cif": b"B", "a.cif": b"A", "readme": b"no"})
    assert entries(path) == [Entry("a", "a.cif", "A"), Entry("d/b", "d/b.cif", "B")]
    assert open_source(path).ignored == 1
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("name", ["../out.cif", "/etc/out.cif", "a/../../out.cif", "..\\out.cif", "C:\\out.cif"])
def test_a_zip_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "x.zip", {name: b"A", "fine.cif": b"B"})
    with pytest.raises(DescribeInputError, match="points outside"):
        open_source(path)


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries_module, "MAX_TEXT", 2**20)
    path = make_zip(tmp_path / "x.zip", {f"{n}.cif": bytes(2**20) for n in range(4)})
    with pytest.raises(DescribeInputError, match="unpacks to 4 MiB"):
        open_source(path)


def test_a_zip_that_lies_about_sizes_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries_module, "MAX_TEXT", 2**20)
    path = make_zip(tmp_path / "x.zip", {"a.cif": bytes(8 * 2**20), "b.cif": b"B"})
    data = bytearray(path.read_bytes())
    true, lie = struct.pack("<I", 8 * 2**20), struct.pack("<I", 100)
    assert data.count(true) == 2  # local and central header
    path.write_bytes(data.replace(true, lie))
    first, second = entries(path)
    assert first.text is None or len(first.text) <= 2**20
    assert first.text is None
    assert second == Entry("b", "b.cif", "B")


def test_a_damaged_member_is_a_row_and_a_damaged_zip_an_error(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a.cif": b"A" * 1000, "b.cif": b"B"}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"AAAA") + 5] = 0
    path.write_bytes(data)
    first, second = entries(path)
    assert first.text is None
    assert first.problem is not None
    assert "CRC" in first.problem
    assert second.text == "B"
    path.write_bytes(data[:100])
    with pytest.raises(DescribeInputError, match="not a readable zip"):
        open_source(path)


def test_a_csv_streams_with_large_fields(tmp_path: Path) -> None:
    long = "data_x\n" + "# much\n" * 50_000  # beyond the csv module's own limit
    path = tmp_path / "x.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(
            [["material_id", "cif_structure", "y"], ["a", long, "1"], ["b", "", "1"], [], ["", 'x"y', "1"], ["d", "z"]]
        )
    assert entries(path) == [
        Entry("a", None, long),
        Entry("b", None, None, "the cell is empty"),
        Entry("2", None, 'x"y'),
        Entry("d", None, None, "the row has 2 fields, the header 3"),
    ]
    assert [entry.id for entry in entries(path, column="y", id_column="y")] == ["1", "1", "1", "3"]


def test_a_csv_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("")
    with pytest.raises(DescribeInputError, match="empty"):
        open_source(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DescribeUsageError, match="--column which holds the structures: a, b"):
        open_source(path)
    with pytest.raises(DescribeUsageError, match="no column 'c'; it has: a, b"):
        open_source(path, column="c")
    path.write_text('a,cif\n1,"never closed\n')
    with pytest.raises(DescribeInputError, match="line"):
        entries(path)
    path.write_bytes(b"a,cif\n1,2\n1,\xff\n")
    with pytest.raises(DescribeInputError, match="UTF-8"):
        entries(path)


def test_parquet_columns_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "id": pa.array([7, None, 9]),
            "cif": pa.array(["A", None, "C"]).dictionary_encode(),
            "bytes": pa.array([b"A", b"\xff", b""]),
            "struct": pa.array([{"a": 1}, {"a": 2}, None]),
            "number": pa.array([1, 2, 3]),
        }
    )
    pq.write_table(table, path)
    assert entries(path) == [
        Entry("7", None, "A"),
        Entry("1", None, None, "the cell is empty"),
        Entry("9", None, "C"),
    ]
    assert [entry.text for entry in entries(path, column="bytes")] == ["A", "�", None]
    assert [entry.text for entry in entries(path, column="struct")] == ['{"a": 1}', '{"a": 2}', None]
    with pytest.raises(DescribeUsageError, match="int64, not text"):
        entries(path, column="number")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DescribeInputError, match="not a readable Parquet"):
        open_source(path)


def test_a_dataset_folder_goes_by_source_and_split(tmp_path: Path) -> None:
    for source in ("mp", "gnome"):
        folder = tmp_path / "data" / source
        folder.mkdir(parents=True)
        for split in ("test", "train", "validation"):
            names = [f"{source}-{split}-{number}" for number in range(2)]
            table = pa.table({"material_id": names, "cif": names, "band_gap": [0.0, 1.0]})
            pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    found = entries(tmp_path)
    assert [entry.id for entry in found] == [
        f"{source}-{split}-{number}"
        for source in ("gnome", "mp")
        for split in ("train", "validation", "test")
        for number in range(2)
    ]
    assert found[0].origin == "data/gnome/train-00000-of-00001.parquet"


def test_a_dataset_folder_as_build_writes_it(tmp_path: Path) -> None:
    from llm4mat_bench.dataset_builder.export.sample import build_sample

    build_sample(tmp_path / "built")
    embedded = Path(entries_module.__file__).parents[2] / "sample"
    rows = [row for split in SPLITS for row in pq.read_table(embedded / f"{split}.parquet").to_pylist()]
    found = entries(tmp_path / "built")
    assert [entry.id for entry in found] == [row["material_id"] for row in rows]
    assert [entry.text for entry in found] == [row["cif"] for row in rows]
    assert found[0].origin is not None
    assert found[0].origin.startswith("data/sample/train-")


def test_a_dataset_folder_without_a_shard_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mp"
    folder.mkdir(parents=True)
    table = pa.table({"material_id": ["a"], "cif": ["a"], "band_gap": [0.0]})
    for number in (0, 2):
        pq.write_table(table, folder / f"train-{number:05d}-of-00003.parquet")
    with pytest.raises(DataError, match="train lacks 1 of 3 shards, the first is number 1"):
        open_structures(tmp_path)


def test_too_long_a_text_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries_module, "MAX_TEXT", 10)
    (tmp_path / "a.cif").write_text("x" * 11)
    assert entries(tmp_path)[0].text is None
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["cif"], ["x" * 11]])
    (tmp_path / "a.csv").write_text(buffer.getvalue())
    assert entries(tmp_path / "a.csv")[0].text is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"material_id;cif\na;data_a\n", "separated by semicolons, not by commas"),
        (b"material_id\tcif\na\tdata_a\n", "separated by tabs, not by commas"),
        (b"material_id,cif\na,x\n\xe5,data_a\n", r"line 3 is not UTF-8 \(Latin-1 or Windows-1252\?\)"),
        ("material_id,cif\na,data_a\n".encode("utf-16"), "UTF-16 text"),
    ],
)
def test_a_table_of_another_form_is_named_as_such(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DescribeInputError, match=message):
        entries(path)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("material_id,cif,cif\na,data_a,data_b\n")
    with pytest.raises(DescribeUsageError, match="column 'cif' stands 2 times"):
        entries(path)


def test_ids_that_stand_twice_are_counted_and_placed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("material_id,cif\na,\nb,\na,\nb,\na,\n")
    source = open_source(path)
    rows = [{"id": one.id, "origin": None, "status": "bad_cif", "reason": "empty"} for one in source.entries()]
    summary = sum_up(rows, tmp_path / "o", source, Scan(5, 5, "x"), 0, 0.0)
    assert (summary.repeated_ids, summary.first_repeat) == (3, (1, 3))
    once = sum_up(rows[:2], tmp_path / "o", source, Scan(2, 2, "x"), 0, 0.0)
    assert (once.repeated_ids, once.first_repeat) == (0, None)
