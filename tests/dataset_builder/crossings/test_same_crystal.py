"""The same crystal in train and in a held-out split, written another way."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from published import Row, with_sizes, write_published
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from llm4mat_bench.dataset_builder.export import same_crystal
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.options import BuildOptions

SIZES = (8, 2, 3)


def _spoil(splits: dict[str, list[Row]]) -> None:
    """Row 3 of train is the third of test in a doubled cell; row 4 has its formula but another structure."""
    crystal = Structure(Lattice.cubic(4.1), ["Cs", "I"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    doubled = crystal.copy()
    doubled.make_supercell([2, 1, 1])
    other = Structure(Lattice.orthorhombic(2.9, 3.9, 6.1), ["Cs", "I"], [[0, 0, 0], [0.5, 0.1, 0.4]])
    broken = "data_x\n_cell_length_a nonsense\n"
    for row, text in (
        (splits["test"][2], str(CifWriter(crystal))),
        (splits["train"][3], str(CifWriter(doubled))),
        (splits["train"][4], str(CifWriter(other))),
        (splits["train"][5], broken),
    ):
        row["formula_pretty"], row["cif_structure"], row["description"] = "CsI", text, f"CsI {id(row)}"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bucket_rows", [1, 40_000])
def test_a_doubled_cell_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, bucket_rows: int
) -> None:
    monkeypatch.setattr(same_crystal, "_BUCKET_ROWS", bucket_rows)
    source = with_sizes(write_published(tmp_path / "in", change=_spoil), SIZES)
    plain = build_source(source, tmp_path / "in", tmp_path / "plain")
    assert "same_crystal_in_held_out" not in plain.splits["train"].marked
    options = BuildOptions(match_structures=True, workers=workers)
    report = build_source(source, tmp_path / "in", tmp_path / "out", options)
    faults = pq.read_table(tmp_path / "out" / "faults" / "mp" / "train.parquet").to_pylist()
    matched = {one["material_id"] for one in faults if one["rule"] == "same_crystal_in_held_out"}
    assert "id-3" in matched
    assert not matched & {"id-4", "id-5"}
    assert report.splits["train"].marked["same_crystal_in_held_out"] == len(matched)
    build_source(source, tmp_path / "in", tmp_path / "strict", options.model_copy(update={"strict": True}))
    kept = {row["material_id"] for row in pq.read_table(tmp_path / "strict" / "data" / "mp").to_pylist()}
    assert "id-3" not in kept and "id-4" in kept and "id-10" in kept


def test_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = with_sizes(write_published(tmp_path / "in", change=_spoil), (9, 2, 3))
    options = BuildOptions(match_structures=True)
    with pytest.raises(ValueError, match="train has 8 rows"):
        build_source(source, tmp_path / "in", tmp_path / "out", options)
    monkeypatch.setattr(same_crystal, "match_group", lambda _: pytest.fail("compared again"))
    build_source(source, tmp_path / "in", tmp_path / "out", options.model_copy(update={"allow_partial": True}))
