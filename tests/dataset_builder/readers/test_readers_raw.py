"""Raw dumps: small files of the same form as the real ones, whole and damaged."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from llm4mat_bench.dataset_builder.catalogue import Source, get_source, load_source_file
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.dataset_builder.readers import materials_project
from llm4mat_bench.dataset_builder.readers.cif_files import read_cif
from llm4mat_bench.dataset_builder.readers.jarvis import Jarvis, stream_records
from llm4mat_bench.dataset_builder.readers.omdb_official import read_xyz
from llm4mat_bench.dataset_builder.readers.records import raw_names
from llm4mat_bench.dataset_builder.readers.registry import choose_reader
from llm4mat_bench.dataset_builder.splits import split_sizes
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.progress import silent

PARTIAL = BuildOptions(allow_partial=True)


def _atoms(number: int, elements: tuple[str, str] = ("Na", "Cl")) -> dict[str, Any]:
    a = 4 + 0.01 * number
    return {
        "lattice_mat": [[a, 0, 0], [0, a, 0], [0, 0, a]],
        "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
        "elements": list(elements),
        "abc": [a, a, a],
        "angles": [90, 90, 90],
        "cartesian": False,
        "props": ["", ""],
    }


def _record(source: Source, number: int) -> dict[str, Any]:
    names = raw_names(source)
    values: dict[str, Any] = {source.download.id_column: f"X-{number}", "atoms": _atoms(number), "extra": [1, 2]}
    for prop in source.properties:
        values[names[prop.name]] = prop.classes.positive if prop.classes else ("na" if number == 1 else number / 8)
    return values


def _write_zip(path: Path, member: str, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, json.dumps(records))
    return path


def _all_rows(folder: Path, source: Source) -> dict[str, dict[str, Any]]:
    rows = [
        row
        for path in sorted((folder / "data" / source.id).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    return {row["material_id"]: row for row in rows}


JARVIS_SOURCES = ["oqmd", "jarvis_qetb", "hmof", "jarvis_dft", "qmof", "omdb", "snumat"]


@pytest.mark.parametrize("name", JARVIS_SOURCES)
@pytest.mark.parametrize("packed", [True, False])
def test_the_seven_figshare_dumps(name: str, packed: bool, tmp_path: Path) -> None:
    source = get_source(name)
    records = [_record(source, number) for number in range(20)]
    assert source.download.member
    if packed:
        _write_zip(tmp_path / "in" / "download.zip", source.download.member, records)
    else:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / source.download.member).write_text(json.dumps(records))
    assert choose_reader(source, tmp_path / "in") == "jarvis"
    report = build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="jarvis")
    assert report.splits_from == "seeded"
    assert [report.splits[split].written for split in ("train", "validation", "test")] == list(split_sizes(20))
    rows = _all_rows(tmp_path / "out", source)
    assert len(rows) == 20
    for number in (0, 1, 7):
        row = rows[f"X-{number}"]
        assert row["composition"] == "NaCl"
        assert Structure.from_str(row["cif"], fmt="cif").lattice.a == pytest.approx(4 + 0.01 * number)
        for prop in source.properties:
            assert row[prop.name] == (1 if prop.classes else None if number == 1 else number / 8)
    assert f"the dump has 20 records, {source.download.records:,} are expected" in report.notes
    assert "not the published split" in (tmp_path / "out" / "README.md").read_text()


def test_oqmd_blanks_two_elements_on_a_site_and_deuterium(tmp_path: Path) -> None:
    source = get_source("oqmd")
    records = [_record(source, number) for number in range(6)]
    records[0]["atoms"] = _atoms(0, ("Np ", "O "))
    records[1]["atoms"] = _atoms(1, ("(Cs,Os) ", "O "))
    records[2]["atoms"] = _atoms(2, ("Li", "D"))
    records[3]["atoms"] = _atoms(3, ("Qq", "O"))
    records[4]["atoms"] = None
    records[5]["atoms"] = {**_atoms(5), "cartesian": True, "coords": [[0, 0, 0], [2.025, 2.025, 2.025]]}
    _write_zip(tmp_path / "in" / "a.zip", "all_oqmd.json", records)
    report = build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="jarvis")
    rows = _all_rows(tmp_path / "out", source)
    assert rows["X-0"]["composition"] == "NpO"
    assert "Np0+" not in rows["X-0"]["cif"] and "  Np  Np0  1" in rows["X-0"]["cif"]
    assert Structure.from_str(rows["X-1"]["cif"], fmt="cif").composition.as_dict() == {"Cs": 0.5, "Os": 0.5, "O": 1.0}
    assert rows["X-2"]["composition"] == "LiH"  # pymatgen writes deuterium as hydrogen
    assert rows["X-3"]["cif"] is None and rows["X-4"]["cif"] is None
    assert "0.50000000  0.50000000  0.50000000" in rows["X-5"]["cif"]
    assert sum(split.marked.get("unreadable_structure", 0) for split in report.splits.values()) == 2
    assert sum(split.marked.get("formula_mismatch", 0) for split in report.splits.values()) == 0
    assert report.unassigned is not None
    assert report.unassigned.repaired == {"surrounding_blanks": 2}


def test_a_dump_is_unpacked_once_and_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.dataset_builder.readers import records as records_module

    monkeypatch.setattr(records_module, "FILE_BYTES", 2000)
    source = get_source("snumat")
    path = _write_zip(tmp_path / "in" / "a.zip", "snumat.json", [_record(source, number) for number in range(50)])
    with pytest.raises(DataError, match="the dump has 50 records, 10,481 are expected"):
        build_source(source, path, tmp_path / "out", reader_name="jarvis")
    monkeypatch.setattr(Jarvis, "records", lambda *_: pytest.fail("unpacked again"))
    build_source(source, path, tmp_path / "out", PARTIAL, reader_name="jarvis")
    monkeypatch.undo()
    build_source(source, path, tmp_path / "two", BuildOptions(allow_partial=True, workers=2), reader_name="jarvis")
    one = [p.read_bytes() for p in sorted((tmp_path / "out" / "data").rglob("*.parquet"))]
    assert one == [p.read_bytes() for p in sorted((tmp_path / "two" / "data").rglob("*.parquet"))]


def test_manifest_and_seed_decide_the_split_of_a_dump(tmp_path: Path) -> None:
    source = get_source("snumat")
    path = _write_zip(tmp_path / "in" / "a.zip", "snumat.json", [_record(source, number) for number in range(30)])
    ids = {}
    for seed in (1, 1, 2):
        out = tmp_path / f"out-{seed}"
        report = build_source(source, path, out, BuildOptions(allow_partial=True, seed=seed), reader_name="jarvis")
        ids.setdefault(seed, set()).add(report.splits["test"].ids_sha256)
    assert len(ids[1]) == 1 and ids[1] != ids[2]
    folder = tmp_path / "manifest"
    folder.mkdir()
    for split, numbers in (("train", range(10)), ("validation", range(10, 12)), ("test", range(12, 15))):
        (folder / f"{split}.txt").write_text("".join(f"X-{number}\n" for number in numbers))
    options = BuildOptions(manifest=folder, allow_partial=True)
    report = build_source(source, path, tmp_path / "out", options, reader_name="jarvis")
    assert [report.splits[split].written for split in report.splits] == [10, 2, 3]
    assert report.unassigned is not None and report.unassigned.dropped == {"in_no_split": 15}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"jid": 1}, {"jid": 2', "ends early, after 1 records"),
        (b'[{"jid": 1}, {"jid": 2}', "ends early, after 2 records"),
        (b"[", "ends early"),
        (b"", "ends early|no list"),
        (b'{"jid": 1}', "no list of records"),
        (b'[{"jid": 1}, 7]', "record 2 is no JSON object"),
        (b'[{"jid": nope}]', "damaged JSON|ends early"),
        (b"<html></html>", "damaged JSON|ends early"),
    ],
)
def test_damaged_json(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(stream_records(Path("dump.json"), io.BytesIO(data), len(data), silent))


def test_json_is_streamed(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        """A list without end; reading it whole would not return."""

        def __init__(self) -> None:
            self.first = True

        def read(self, size: int = -1) -> bytes:
            if size == 0:
                return b""
            self.first, first = False, self.first
            return b'[{"jid": 0.1}' if first else b', {"jid": 0.1}' * 100

    records = stream_records(Path("x"), Endless(), 0, silent)
    assert [next(records) for _ in range(1000)] == [{"jid": 0.1}] * 1000


def test_another_sources_dump_is_recognised(tmp_path: Path) -> None:
    path = _write_zip(tmp_path / "a.zip", "x.json", [_record(get_source("hmof"), number) for number in range(3)])
    with pytest.raises(DataError, match=r"no record has jid, .*Is this the dump of 'jarvis_dft'"):
        build_source(get_source("jarvis_dft"), path, tmp_path / "out", reader_name="jarvis")


def test_zip_with_a_path_that_leads_outside(tmp_path: Path) -> None:
    path = _write_zip(tmp_path / "a.zip", "../../evil.json", [])
    with pytest.raises(DataError, match="leads outside"):
        build_source(get_source("snumat"), path, tmp_path / "out", reader_name="jarvis")


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("snumat.json", "w", force_zip64=True) as member,
    ):
        for _ in range(200):
            member.write(b" " * (1 << 20))
    assert path.stat().st_size < 300_000
    with pytest.raises(DataError, match="bomb"):
        build_source(get_source("snumat"), path, tmp_path / "out", reader_name="jarvis")


def test_zip_whose_list_of_members_lies(tmp_path: Path) -> None:
    from llm4mat_bench.dataset_builder.readers.unpack import BoundedStream

    stream = BoundedStream(Path("a.zip"), io.BytesIO(b" " * (80 << 20)), 1000)
    with pytest.raises(DataError, match="bomb"):
        while stream.read(1 << 20):
            pass


@pytest.mark.parametrize("cut", [30, 200, -30])
def test_zip_cut_short(tmp_path: Path, cut: int) -> None:
    path = _write_zip(tmp_path / "a.zip", "snumat.json", [_record(get_source("snumat"), n) for n in range(30)])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="cut short"):
        build_source(get_source("snumat"), path, tmp_path / "out", reader_name="jarvis")


def _structure(number: int) -> Structure:
    return Structure(Lattice.cubic(4 + 0.01 * number), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _gnome(folder: Path, *, packed: bool) -> None:
    folder.mkdir()
    head = ["", "Composition", "MaterialId", "Reduced Formula", "NSites", "Volume", "Density", "Corrected Energy",
            "Formation Energy Per Atom", "Decomposition Energy Per Atom", "Bandgap"]  # fmt: skip
    with (folder / "stable_materials_summary.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(head)
        for n in range(12):
            writer.writerow(
                [n, "Na1Cl1", f"id{n:03d}", "NaCl", 2, 64.5, 2.1, -7.5, -1.25, -0.5, "inf" if n == 3 else 0.25]
            )
    texts = {f"id{n:03d}.CIF": str(CifWriter(_structure(n))) for n in range(12) if n != 5}
    if packed:
        with zipfile.ZipFile(folder / "by_id.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(f"by_id/{name}", text)
    else:
        (folder / "by_id").mkdir()
        for name, text in texts.items():
            (folder / "by_id" / name).write_text(text)


@pytest.mark.parametrize("packed", [True, False])
def test_gnome(tmp_path: Path, packed: bool) -> None:
    _gnome(tmp_path / "in", packed=packed)
    source = get_source("gnome")
    assert choose_reader(source, tmp_path / "in") == "gnome"
    report = build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="gnome")
    rows = _all_rows(tmp_path / "out", source)
    assert len(rows) == 12
    assert rows["id002"]["Formation_Energy_Per_Atom"] == -1.25
    assert rows["id003"]["Bandgap"] is None
    assert rows["id005"]["cif"] is None and rows["id005"]["Volume"] == 64.5
    assert "_cell_length_a   4.02000000" in rows["id002"]["cif"]
    assert sum(split.marked.get("missing_cif", 0) for split in report.splits.values()) == 1
    assert "CC BY-NC 4.0" in (tmp_path / "out" / "README.md").read_text()
    assert "Non-commercial" in (tmp_path / "out" / "README.md").read_text()


def test_gnome_without_cifs_or_summary(tmp_path: Path) -> None:
    _gnome(tmp_path / "in", packed=True)
    (tmp_path / "in" / "by_id.zip").unlink()
    with pytest.raises(DataError, match=r"no by_id\.zip"):
        build_source(get_source("gnome"), tmp_path / "in", tmp_path / "out", reader_name="gnome")
    (tmp_path / "in" / "stable_materials_summary.csv").unlink()
    with pytest.raises(DataError, match="no summary of 'gnome'"):
        build_source(get_source("gnome"), tmp_path / "in", tmp_path / "out", reader_name="gnome")


def test_cantor_hea(tmp_path: Path) -> None:
    source = get_source("cantor_hea")
    head = [
        "fid",
        "reduced_formula",
        "chemical_system",
        "lattice",
        "nelements",
        "NIONS",
        "space_group_number",
        "volume_per_atom",
        "pressure",
        "stress",
        "e_per_atom",
        "Ef_per_atom",
        "e_above_hull",
        "magmom",
        "charge",
        "structure_ini_as_dict",
        "structure_as_dict",
        "kpt",
    ]
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "hea.2023-04-06.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, head, restval="x")
        writer.writeheader()
        for n in range(10):
            text = "__import__('os')" if n == 4 else str(_structure(n).as_dict())
            writer.writerow({"fid": f"f{n}", "reduced_formula": "NaCl", "volume_per_atom": 32.0, "e_per_atom": -3.0 - n,
                             "Ef_per_atom": -1.0, "e_above_hull": 0.0, "structure_as_dict": text})  # fmt: skip
    report = build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="cantor_hea")
    rows = _all_rows(tmp_path / "out", source)
    assert rows["f7"]["e_per_atom"] == -10.0
    assert "_cell_length_a   4.07000000" in rows["f7"]["cif"]
    assert rows["f4"]["cif"] is None
    assert sum(split.marked.get("unreadable_structure", 0) for split in report.splits.values()) == 1


XYZ = """2
Lattice="4.0 0.0 0.0 0.0 4.0 0.0 0.0 0.0 {c}" Properties=species:S:1:pos:R:3 pbc="T T T"
C 0.0 0.0 0.0
O 1.0 1.0 1.0
"""


def _omdb(folder: Path, count: int = 6) -> None:
    folder.mkdir()
    (folder / "structures.xyz").write_text("".join(XYZ.format(c=4 + n) for n in range(count)))
    (folder / "bandgaps.csv").write_text("".join(f"{0.5 * n}\n" for n in range(count)))
    (folder / "CODids.csv").write_text("".join(f"{2000000 + n}\n" for n in range(count)))


def test_omdb_official(tmp_path: Path) -> None:
    _omdb(tmp_path / "in")
    source = get_source("omdb")
    build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="omdb_official")
    rows = _all_rows(tmp_path / "out", source)
    assert rows["2000003"]["bandgap"] == 1.5
    assert rows["2000003"]["composition"] == "CO"
    assert "_cell_length_c   7.00000000" in rows["2000003"]["cif"]


def test_omdb_files_that_do_not_fit_together(tmp_path: Path) -> None:
    _omdb(tmp_path / "in")
    source = get_source("omdb")
    (tmp_path / "in" / "CODids.csv").write_text("1\n2\n")
    with pytest.raises(DataError, match=r"6 values, but CODids\.csv has 2 ids"):
        build_source(source, tmp_path / "in", tmp_path / "out", reader_name="omdb_official")
    (tmp_path / "in" / "bandgaps.csv").write_text("1\n2\n")
    with pytest.raises(DataError, match="not the 2 structures"):
        build_source(source, tmp_path / "in", tmp_path / "out", reader_name="omdb_official")
    with pytest.raises(DataError, match="registered academic users"):
        build_source(source, tmp_path / "nowhere", tmp_path / "out", reader_name="omdb_official")
    for text, message in (
        (XYZ[:-20], "cut short"),
        ("2\nno lattice\n", "no Lattice"),
        ("two\n", "number of atoms"),
        ('1\nLattice="1 2"\nC 0 0 0\n', "nine numbers"),
    ):
        (tmp_path / "bad.xyz").write_text(text)
        with pytest.raises(DataError, match=message):
            list(read_xyz(tmp_path / "bad.xyz"))


class _Routes:
    """A double of mp-api's client: the same calls, six materials, and a connection that can fail."""

    def __init__(self, key: str, fail_after: int = 99) -> None:
        assert key == "sekret-key"
        self.calls: list[tuple[str, int]] = []
        self.fail_after = fail_after
        self.materials = SimpleNamespace(summary=self, robocrys=SimpleNamespace(search_docs=self.search_docs))

    def _count(self, what: str, number: int) -> None:
        if len(self.calls) >= self.fail_after:
            raise ConnectionError("lost: GET https://api/?API_KEY=sekret-key")
        self.calls.append((what, number))

    def search(self, **wanted: Any) -> list[dict[str, Any]]:
        ids = wanted.get("material_ids") or [f"mp-{n}" for n in range(6)]
        self._count("summary", len(ids))
        return [
            {"material_id": one}
            if wanted["fields"] == ["material_id"]
            else {
                "material_id": one,
                "formula_pretty": "NaCl",
                "structure": _structure(int(one[3:])),
                "band_gap": 0.5,
                "is_stable": True,
                "is_gap_direct": None,
                **dict.fromkeys(
                    [prop.name for prop in get_source("mp").properties if not prop.classes and prop.name != "band_gap"],
                    1.5,
                ),
            }
            for one in reversed(ids)
        ]

    def search_docs(self, material_ids: list[str], **_: Any) -> list[dict[str, Any]]:
        self._count("robocrys", len(material_ids))
        return [{"material_id": one, "description": f"NaCl {one}"} for one in material_ids if one != "mp-2"]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(materials_project, "PAGE", 2)
    monkeypatch.setenv("MP_API_KEY", "sekret-key")
    yield


@pytest.mark.usefixtures("pages")
def test_materials_project_resumes_and_never_shows_the_key(tmp_path: Path) -> None:
    source = get_source("mp")
    failing = _Routes("sekret-key", fail_after=4)
    with pytest.raises(DataError, match="did not answer: ConnectionError") as caught:
        materials_project.fetch(source, tmp_path / "in", client=lambda _: failing)
    assert "sekret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(DataError, match=r"2 of 3 pages are not there yet; --download goes on with page-00001"):
        build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="materials_project")
    rest = _Routes("sekret-key")
    materials_project.fetch(source, tmp_path / "in", client=lambda _: rest)
    assert rest.calls == [("summary", 2), ("robocrys", 2)] * 2, "the first page and the list of ids were there"
    build_source(source, tmp_path / "in", tmp_path / "out", PARTIAL, reader_name="materials_project")
    rows = _all_rows(tmp_path / "out", source)
    assert rows["mp-4"]["description"] == "NaCl mp-4"
    assert rows["mp-2"]["description"] is None
    assert (rows["mp-4"]["is_stable"], rows["mp-4"]["is_gap_direct"], rows["mp-4"]["band_gap"]) == (1, None, 0.5)
    assert "_cell_length_a   4.04000000" in rows["mp-4"]["cif"]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sekret" not in written


def test_materials_project_without_key_or_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(UsageError, match="set MP_API_KEY"):
        materials_project.fetch(get_source("mp"), tmp_path)
    with pytest.raises(DataError, match="Get a free key"):
        build_source(get_source("mp"), tmp_path, tmp_path / "out", reader_name="materials_project")


OWN = """
id: mine
title: My crystals
description: "Three crystals of mine."
revision: 1
benchmark: false
homepage: https://example.org
licence: {name: "CC BY 4.0", status: verified, commercial_use: true}
citation: {authors: "Me, A.", title: "Mine", journal: "J. 1", year: 2025, doi: 10.1000/1}
download: {reader: cif_folder, url: "https://example.org", id_column: name}
published:
  cifs: 12
  rows: 12
  splits: {train: 9, validation: 1, test: 2}
  protocol: nested
  folder: mine
  id_column: name
  formula_column: formula
properties:
  - {name: hardness, title: hardness, unit: GPa, kind: regression, samples: 12, published_column: hardness}
"""


@pytest.mark.parametrize("place", ["folder", "zip", "beside", "column"])
def test_a_source_of_your_own(tmp_path: Path, place: str) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    source = load_source_file(tmp_path / "mine.yaml")
    folder = tmp_path / "in"
    (folder / "cifs").mkdir(parents=True)
    texts = {f"c{n}": str(CifWriter(_structure(n))) for n in range(12)}
    with (folder / "props.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["name", "hardness", *(["cif"] if place == "column" else [])])
        for n, (name, text) in enumerate(texts.items()):
            writer.writerow([name, n, *([text] if place == "column" else [])])
    if place == "zip":
        with zipfile.ZipFile(folder / "cifs.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(f"any/{name}.cif", text)
    elif place != "column":
        for name, text in texts.items():
            (folder / ("cifs" if place == "folder" else ".") / f"{name}.cif").write_text(text)
    if place != "folder":
        (folder / "cifs").rmdir()
    report = build_source(source, folder, tmp_path / "out", reader_name="cif_folder")
    rows = _all_rows(tmp_path / "out", source)
    assert len(rows) == 12
    assert rows["c7"]["composition"] == "NaCl"
    assert rows["c7"]["hardness"] == 7.0
    assert rows["c7"]["cif"] == texts["c7"]
    assert report.declaration.title == "My crystals"
    assert "My crystals" in (tmp_path / "out" / "README.md").read_text()


def test_a_source_of_your_own_without_cifs(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "props.csv").write_text("name,hardness\na,1\n")
    with pytest.raises(DataError, match="no CIFs"):
        build_source(
            load_source_file(tmp_path / "mine.yaml"), tmp_path / "in", tmp_path / "out", reader_name="cif_folder"
        )


def _cif_of(symbol: str, a: float = 4.0) -> str:
    return str(CifWriter(Structure(Lattice.cubic(a), [symbol], [[0, 0, 0]])))


@pytest.mark.parametrize("packed", [False, True])
def test_the_cif_of_a_row_is_never_another_materials(tmp_path: Path, packed: bool) -> None:
    """Names that differ in capitals or in their folder alone."""
    held = {"Co": "Co", "CO": "C", "Hf": "Hf", "HF": "F", "set1/Si": "Si", "set2/Si": "Ge", "x/y/Na": "Na", "Mg": "Mg"}
    place = tmp_path / ("cifs.zip" if packed else "cifs")
    if packed:
        with zipfile.ZipFile(place, "w") as archive:
            for name, symbol in held.items():
                archive.writestr(f"{name}.cif", _cif_of(symbol))
            archive.writestr("__MACOSX/._Mg.cif", "nothing")
    else:
        for name, symbol in held.items():
            path = place / f"{name}.cif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_cif_of(symbol))
    for name, symbol in {**held, "Na": "Na", "y/Na": "Na", "mg": "Mg", "Mg.cif": "Mg", "SET1/si": "Si"}.items():
        assert read_cif(place, name) == _cif_of(symbol), name
    for absent in ("Xe", "set3/Si", "set1/Co", "../cifs/Mg", "/etc/passwd", "", "x/Na/y"):
        assert read_cif(place, absent) is None
    for open_one in ("Si", "cO", "si"):
        with pytest.raises(DataError, match="2 come near"):
            read_cif(place, open_one)


def test_packed_cifs_beside_a_table(tmp_path: Path) -> None:
    (tmp_path / "Si.cif.gz").write_bytes(gzip.compress(_cif_of("Si").encode()))
    (tmp_path / "Fe.mcif").write_text(_cif_of("Fe"))
    (tmp_path / "Ge.cif.gz").write_bytes(b"nothing")
    assert read_cif(tmp_path, "Si") == read_cif(tmp_path, "Si.cif.gz") == _cif_of("Si")
    assert read_cif(tmp_path, "Fe") == _cif_of("Fe")
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_cif(tmp_path, "Ge")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/Si.cif.gz", gzip.compress(_cif_of("Si").encode()))
    assert read_cif(tmp_path / "a.zip", "Si") == _cif_of("Si")


def test_a_zip_that_holds_a_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("Si.cif", _cif_of("Si"))
        archive.writestr("Si.cif", _cif_of("Ge"))
    with pytest.raises(DataError, match="twice"):
        read_cif(tmp_path / "a.zip", "Si")


def test_a_source_of_your_own_reads_cifs_as_describe_does(tmp_path: Path) -> None:
    """Settings are honoured; what is refused, or is not the row's formula, is marked."""
    cell = "".join(f"_cell_length_{axis} 8.08\n" for axis in "abc")
    cell += "".join(f"_cell_angle_{axis} 90\n" for axis in ("alpha", "beta", "gamma"))
    atoms = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    spinel = f"{cell}{atoms}Mg1 .125 .125 .125\nAl1 .5 .5 .5\nO1 .2624 .2624 .2624\n"
    texts = {
        "hall": f"data_a\n_space_group_name_Hall '-F 4vw 2vw 3'\n{spinel}",
        "open": f"data_a\n_symmetry_space_group_name_H-M 'F d -3 m'\n{cell}{atoms}Si1 .125 .125 .125\n",
        "other": _cif_of("Ge"),
        **{f"c{n}": _cif_of("Na", 4 + 0.1 * n) for n in range(9)},
    }
    (tmp_path / "mine.yaml").write_text(OWN)
    (tmp_path / "in" / "cifs").mkdir(parents=True)
    with (tmp_path / "in" / "props.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["name", "hardness", "formula"])
        for name, text in texts.items():
            (tmp_path / "in" / "cifs" / f"{name}.cif").write_text(text)
            writer.writerow([name, 1, "Si" if name == "other" else ""])
    source = load_source_file(tmp_path / "mine.yaml")
    report = build_source(source, tmp_path / "in", tmp_path / "out", reader_name="cif_folder")
    rows = _all_rows(tmp_path / "out", source)
    assert rows["hall"]["composition"] == "MgAl2O4"
    assert rows["open"]["composition"] is None
    for rule in ("unreadable_structure", "formula_mismatch"):
        assert sum(split.marked.get(rule, 0) for split in report.splits.values()) == 1
