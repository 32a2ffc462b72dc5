"""Damages of published CSVs, a kind a row: the right rows, or an error or a mark that names the row. Never less."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from published import Row, header, row, with_sizes
from typer.testing import CliRunner

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.dataset_folder import open_dataset_folder
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.statistics.impossible import find_impossible_values
from llm4mat_bench.errors import LLM4MatError

SIZES = (10, 4, 4)
SOURCE = with_sizes(get_source("mp"), SIZES)
COLUMNS = header(SOURCE)


def rows_of(first: int, count: int) -> list[Row]:
    return [row(SOURCE, number) for number in range(first, first + count)]


def to_csv(rows: list[list[str]], **options: str) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=options.pop("end", "\n"), **options).writerows(rows)  # type: ignore[arg-type]
    return buffer.getvalue().encode()


GOOD = [COLUMNS, *([one[name] for name in COLUMNS] for one in rows_of(0, SIZES[0]))]


def cells(change: Callable[[list[list[str]]], object], **options: str) -> bytes:
    """The good train file with some cells changed; row 3 is ``rows[3]``."""
    rows = [list(one) for one in GOOD]
    change(rows)
    return to_csv(rows, **options)


def put(column: str, *values: str, first: int = 3) -> Callable[[list[list[str]]], None]:
    """Write values into a column from a row on; one value a row."""

    def change(rows: list[list[str]]) -> None:
        for number, value in enumerate(values, start=first):
            rows[number][COLUMNS.index(column)] = value

    return change


def every(column: str, value: Callable[[str], str]) -> Callable[[list[list[str]]], None]:
    def change(rows: list[list[str]]) -> None:
        place = COLUMNS.index(column)
        for one in rows[1:]:
            one[place] = value(one[place])

    return change


def swap(one: str, other: str) -> bytes:
    """The header says the one where the other is."""
    first, second = COLUMNS.index(one), COLUMNS.index(other)

    def change(rows: list[list[str]]) -> None:
        rows[0][first], rows[0][second] = rows[0][second], rows[0][first]

    return cells(change)


def raw(old: bytes, new: bytes, count: int = 1, *, data: bytes | None = None) -> bytes:
    found = to_csv(GOOD) if data is None else data
    assert old in found
    return found.replace(old, new, count)


def in_row(number: int, change: Callable[[bytes], bytes]) -> bytes:
    """Change the bytes of one row of the good file."""
    start = len(to_csv(GOOD[:number]))
    end = len(to_csv(GOOD[: number + 1]))
    data = to_csv(GOOD)
    return data[:start] + change(data[start:end]) + data[end:]


ALL = {}
"""Rows come out as they should, nothing is marked."""


def marked(rule: str, *numbers: int) -> dict[str, list[int]]:
    return {rule: list(numbers)}


LABEL = re.escape
ID, FORMULA, STRUCTURE, TEXT, GAP, CIF = (
    "material_id", "formula_pretty", "structure", "description", "band_gap", "cif_structure"
)  # fmt: skip

# name: (bytes of train.csv, the error that names what is wrong, or faults by rule)
DAMAGES: dict[str, tuple[bytes, str | dict[str, list[int]]]] = {
    # line ends, encodings, separators
    "crlf": (cells(lambda rows: None, end="\r\n"), ALL),
    "cr only": (cells(lambda rows: None, end="\r"), ALL),
    "one cr among lf": (in_row(3, lambda line: line[:-1] + b"\r"), ALL),
    "bom": (b"\xef\xbb\xbf" + to_csv(GOOD), ALL),
    "blank lines": (in_row(3, lambda line: b"\n\r\n" + line + b"\r\n\n"), ALL),
    "a line of blanks": (in_row(3, lambda line: b"  \n" + line), marked("broken_row", 3)),
    "no line end at the end": (to_csv(GOOD)[:-1], ALL),
    "ctrl-z at the end": (to_csv(GOOD) + b"\x1a", marked("broken_row", 11)),
    "utf-16": (to_csv(GOOD).decode().encode("utf-16"), r"UTF-16"),
    "utf-16 without bom": (to_csv(GOOD).decode().encode("utf-16-le"), r"binary data"),
    "latin-1": (to_csv(GOOD).decode().replace("–", "-").encode("latin-1"), ALL),
    "semicolons": (cells(lambda rows: None, delimiter=";"), r"separated by semicolons"),
    "tabs": (cells(lambda rows: None, delimiter="\t"), r"separated by tabs"),
    "bars": (cells(lambda rows: None, delimiter="|"), r"separated by vertical bars"),
    "everything quoted": (to_csv(GOOD, quoting=csv.QUOTE_ALL), ALL),  # type: ignore[arg-type]
    # broken rows
    "a field too many": (in_row(3, lambda line: b"x," + line), marked("broken_row", 3)),
    "a field too few": (in_row(3, lambda line: line[line.index(b",") + 1 :]), marked("broken_row", 3)),
    "a broken row that is no utf-8": (in_row(3, lambda line: b"\xff\xfe," + line), marked("broken_row", 3)),
    "two broken rows, one no utf-8": (
        raw(b"id-1,", b"x,id-1,").replace(b"id-4,", b"\xe5,id-4,"),
        marked("broken_row", 2, 5),
    ),
    "a row that is no utf-8": (in_row(3, lambda line: line.replace("Å".encode(), b"\xc5")), ALL),
    "a trailing comma in every row": (
        to_csv([COLUMNS, *([*one, ""] for one in GOOD[1:])]),
        r"train: 10 of 10 rows are broken \(row 1: 16 fields where the header has 15\)",
    ),
    "cut in the middle of a row": (to_csv(GOOD)[:-200], r"row 10: a quotation mark is opened and never closed"),
    "cut behind a field": (
        to_csv(GOOD)[: to_csv(GOOD).rindex(b',"# generated')],
        marked("broken_row", 10),
    ),
    # quotation marks
    "an unclosed quote": (
        in_row(3, lambda line: line.replace(b'computed"".",', b'computed"".,')),
        r"row 3: a quotation",
    ),
    "an unopened quote": (in_row(4, lambda line: line.replace(b',"# gen', b",# gen")), r"row 4: a quotation"),
    "an unopened quote of a text": (
        in_row(5, lambda line: re.sub(rb',"([A-Z][A-Za-z]+ is a crystal)', rb",\1", line)), r"row 5: a quotation"
    ),
    "a quote inside": (in_row(6, lambda line: line.replace(b"is a crystal", b'is a "crystal')), r"row 6: a quotation"),
    "two unclosed quotes": (
        in_row(3, lambda line: line.replace(b'computed"".",', b'computed"".,')).replace(b"id-6,", b'"id-6,', 1),
        r"row 3: a quotation",
    ),
    "a quote in the header": (raw(b"material_id", b'material"_id'), r"the header: a quotation"),
    # headers
    "a column twice": (raw(b"efermi", b"band_gap"), r"band_gap occurs more than once"),
    "a column twice but for case": (
        raw(b"efermi", b"Volume").replace(b",volume", b",VOLUME", 1),
        r"columns Volume, VOLUME could",
    ),
    "two spellings": (
        to_csv(
            [[*COLUMNS[:-1], "x", "Cif structure", "CIF_STRUCTURE"], *([*one, *one[-1:] * 2] for one in GOOD[1:])]
        ),
        r"columns Cif structure, CIF_STRUCTURE could all be cif_structure",
    ),
    "a column less": (raw(b",efermi", b",fermi"), r"no column efermi"),
    "no header": (to_csv(GOOD[1:]), r"more than once in the header \(or the file has none\)"),
    "blanks in the header": (raw(b"band_gap", b" band_gap "), ALL),
    "capitals in the header": (raw(b"band_gap", b"Band_Gap"), ALL),
    "an index column": (to_csv([["", *COLUMNS], *([str(i), *one] for i, one in enumerate(GOOD[1:]))]), ALL),
    "a comment above the header": (b"# made by pandas\n" + to_csv(GOOD), r"no column"),
    "the header once more": (to_csv([*GOOD[:5], COLUMNS, *GOOD[5:]]), marked("broken_row", 5)),
    "columns in another order": (to_csv([list(reversed(one)) for one in GOOD]), ALL),
    # swapped columns
    **{
        f"{one} and {other} swapped": (swap(one, other), message)
        for one, other, message in (
            (TEXT, CIF, r"train: column (cif|description) holds no (CIF|description)"),
            (ID, STRUCTURE, r"train: column material_id holds no name"),
            (ID, TEXT, r"train: column (material_id|description) holds no"),
            (ID, CIF, r"train: column material_id holds no name"),
            (ID, FORMULA, r"train: column composition holds no formula"),
            (FORMULA, TEXT, r"train: column (composition|description) holds no"),
            (FORMULA, CIF, r"train: column (composition|cif) holds no"),
            (FORMULA, STRUCTURE, r"train: column composition holds no formula"),
            (STRUCTURE, CIF, r"train: column cif holds no CIF"),
            (STRUCTURE, TEXT, r"train: column description holds no description"),
            (GAP, TEXT, r"train: column (band_gap|description) holds no"),
            (GAP, CIF, r"train: column band_gap holds no label"),
            (GAP, FORMULA, r"train: column (band_gap|composition) holds no"),
            (GAP, "is_stable", r"train: column (band_gap|is_stable) holds no label"),
            (GAP, "formation_energy_per_atom", ""),
        )
        if message
    },
    # cells
    "decimal commas": (
        cells(every(GAP, lambda cell: cell.replace(".", ","))),
        r"band_gap holds numbers with decimal commas",
    ),
    "a decimal comma": (cells(put(GAP, "1,5")), {"repaired unreadable_label": [3]}),
    "hexadecimal": (cells(put(GAP, "0x10")), {"repaired unreadable_label": [3]}),
    "a unit in the cell": (cells(put(GAP, "1.5 eV")), {"repaired unreadable_label": [3]}),
    "thousands": (cells(put("volume", "1,234.5")), {"repaired unreadable_label": [3]}),
    "infinite": (cells(put(GAP, "inf")), {"repaired non_finite_label": [3]}),
    "beyond float": (cells(put(GAP, "1e999")), {"repaired non_finite_label": [3]}),
    "missing words": (cells(put(GAP, "", "NA", "nan", "null", "None")), ALL),
    "texts for labels": (cells(every(GAP, lambda cell: "n.d.")), r"column band_gap holds no label in 10 of 10 rows"),
    "sparse and unreadable": (
        cells(lambda rows: (every(GAP, lambda cell: "")(rows), put(GAP, "x", "y", "z", "u", first=2)(rows))[0]),
        r"column band_gap holds no label in 4 of 4 rows",
    ),
    "a negative gap": (cells(put(GAP, "-5")), marked("impossible_value", 3)),
    "a negative volume": (cells(put("volume", "-1")), marked("impossible_value", 3)),
    "no density": (cells(put("density", "0")), marked("impossible_value", 3)),
    "an endless gap": (cells(put(GAP, "1e30")), marked("impossible_value", 3)),
    "a negative hull energy": (cells(put("energy_above_hull", "-0.5")), marked("impossible_value", 3)),
    "two impossible labels in a row": (
        cells(lambda rows: (put(GAP, "-5")(rows), put("volume", "-1")(rows))[0]), marked("impossible_value", 3)
    ),
    "gaps in another unit": (
        cells(every(GAP, lambda cell: str(float(cell) * 8065.5))),
        marked("impossible_value", *range(1, 11)),
    ),
    "a cif of prose": (cells(put(CIF, "This is no CIF but a sentence.")), marked("unreadable_cif", 3)),
    "a cif cut short": (cells(put(CIF, "data_NaCl\n_cell_length_a 3.0\n")), marked("unreadable_cif", 3)),
    "a short word for a cif": (cells(put(CIF, "see file")), marked("unreadable_cif", 3)),
    "words for cifs": (cells(every(CIF, lambda cell: "see file")), r"column cif holds no CIF in 10 of 10 rows"),
    "no cif, no structure": (
        cells(lambda rows: (put(CIF, "")(rows), put(STRUCTURE, "")(rows))[0]), marked("missing_cif", 3)
    ),
    "no cif, a broken structure": (cells(put(CIF, "")), {"missing_cif": [3], "unreadable_structure": [3]}),
    "a number for a description": (cells(put(TEXT, "12.5")), marked("unreadable_description", 3)),
    "a cif for a description": (cells(put(TEXT, GOOD[3][COLUMNS.index(CIF)])), marked("unreadable_description", 3)),
    "another crystal's description": (
        cells(put(TEXT, GOOD[5][COLUMNS.index(TEXT)])),
        {"description_mismatch": [3]},
    ),
    "another crystal's cif": (cells(put(CIF, GOOD[5][COLUMNS.index(CIF)])), {"formula_mismatch": [3]}),
    "no formula": (cells(put(FORMULA, "")), marked("missing_composition", 3)),
    "a formula of nothing": (cells(put(FORMULA, "Xx2")), marked("unreadable_formula", 3)),
    "blanks around an id": (cells(put(ID, "  id-2 ")), {"repaired surrounding_blanks": [3]}),
    "no id": (cells(put(ID, "")), marked("missing_id", 3)),
    "prose for an id": (cells(put(ID, "the third row of this table")), marked("unreadable_id", 3)),
    "an empty row": (to_csv([*GOOD[:3], [""] * len(COLUMNS), *GOOD[3:]]), marked("empty_row", 3)),
    "an id twice": (cells(put(ID, "id-1")), marked("repeated_id", 3)),
    "a row twice": (to_csv([*GOOD[:4], GOOD[2], *GOOD[4:]]), marked("repeated_row", 4)),
    "nul bytes in a cell": (
        in_row(3, lambda line: line.replace(b"is a crystal", b"is a\x00 crystal")),
        r"binary data|NUL",
    ),
}  # fmt: skip


def faults_of(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    path = folder / "faults" / "mp" / "train.parquet"
    if path.exists():
        for fault in pq.read_table(path).to_pylist():
            found.setdefault(fault["rule"], []).append(fault["row"])
    return {rule: sorted(rows) for rule, rows in found.items()}


def build(tmp_path: Path, data: bytes, name: str = "train.csv") -> Path:
    folder = tmp_path / "in" / "mp"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    for split, first, count in (("validation", 20, SIZES[1]), ("test", 30, SIZES[2])):
        (folder / f"{split}.csv").write_bytes(
            to_csv([COLUMNS, *([x[c] for c in COLUMNS] for x in rows_of(first, count))])
        )
    # What is asked is what becomes of rows, so a number of rows that is not the published one must not hide it.
    build_source(SOURCE, tmp_path / "in", tmp_path / "out", BuildOptions(allow_partial=True, workers=1))
    return tmp_path / "out"


@pytest.mark.parametrize("name", DAMAGES)
def test_damage(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, expected = DAMAGES[name]
    if isinstance(expected, str):
        with pytest.raises(LLM4MatError, match=expected) as caught:
            build(tmp_path, data)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out" / "data").exists()
        return
    out = build(tmp_path, data)
    report = json.loads((out / "build_report.json").read_text())["sources"]["mp"]["splits"]["train"]
    rules = {rule: rows for rule, rows in expected.items() if not rule.startswith("repaired ")}
    assert faults_of(out) == rules
    for rule, rows in expected.items():
        if rule.startswith("repaired "):
            assert report["repaired"][rule.removeprefix("repaired ")] == len(rows)
            if "label" in rule:
                assert re.search(rf"row {rows[0]}\b", report["examples"][rule.removeprefix("repaired ")][0])
    # Nothing is lost: every row that was not dropped is there, as it was, in its place.
    table = pq.read_table(next((out / "data" / "mp").glob("train-*.parquet"))).to_pylist()
    dropped = sum(report["dropped"].values())
    assert report["read"] == len(table) + dropped
    by_id = {one["material_id"]: one for one in table}
    touched = {number for rows in expected.values() for number in rows}
    for number, good in enumerate(GOOD[1:], start=1):
        if touched or number in touched:
            continue
        assert by_id[good[0]]["cif"] == good[COLUMNS.index(CIF)]
        if name != "latin-1":
            assert by_id[good[0]]["description"] == good[COLUMNS.index(TEXT)]
        if name != "missing words":
            assert by_id[good[0]]["band_gap"] == float(good[COLUMNS.index(GAP)])
    assert capfd.readouterr().err == "", "no traceback of a library"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda packed: packed[:-40], r"train\.csv\.gz: the gzip data is cut short after [1-9][\d,]+ bytes of text"),
        (
            lambda packed: packed[:300] + bytes(90) + packed[390:],
            r"train\.csv\.gz: the gzip data is damaged after [1-9]",
        ),
        (gzip.decompress, r"train\.csv\.gz: no gzip data, in spite of its name"),
        (lambda packed: b"", r"train\.csv\.gz"),
        (lambda packed: packed[:-8] + bytes(8), r"train\.csv\.gz: the gzip data is damaged after [1-9]"),
    ],
)
def test_damaged_gzip(change: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(LLM4MatError, match=message):
        build(tmp_path, change(gzip.compress(to_csv(GOOD))), "train.csv.gz")


def test_check_counts_values_that_cannot_be(tmp_path: Path) -> None:
    out = build(tmp_path, cells(lambda rows: (put(GAP, "-5", "1e30")(rows), put("volume", "-1", first=7)(rows))))
    found = {one.name: one for one in find_impossible_values(open_dataset_folder(out))}
    assert set(found) == {"band_gap", "volume"}
    assert found["band_gap"].counts == {"train": 2, "validation": 0, "test": 0}
    assert found["band_gap"].examples == ("train id-2: -5", "train id-3: 1e+30")
    assert found["band_gap"].possible == "at least 0, at most 30" and found["volume"].possible.startswith("above 0")
    report = json.loads((out / "build_report.json").read_text())["sources"]["mp"]["splits"]["train"]
    assert report["marked"]["impossible_value"] == 3
    assert "row 3, band_gap: '-5'" in report["examples"]["impossible_value"]
    done = CliRunner().invoke(app, ["check", str(out), "--json", "--no-structures"])
    assert done.exit_code == 0, done.output
    assert [one["name"] for one in json.loads(done.stdout)["impossible_values"]] == ["band_gap", "volume"]
    assert "values that cannot be" in CliRunner().invoke(app, ["check", str(out), "--no-structures"]).output
