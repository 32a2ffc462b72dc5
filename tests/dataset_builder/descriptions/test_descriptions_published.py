"""Descriptions of published structures, byte for byte, where the shared sample is at hand."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest

pytest.importorskip("robocrys")

from pymatgen.core import Structure

from llm4mat_bench.dataset_builder.descriptions import describe

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "mp_sample"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample of published rows is not here")
def test_published_descriptions_byte_for_byte() -> None:
    csv.field_size_limit(10**9)
    rows = []
    for name in ("train", "validation"):
        with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows.extend(csv.DictReader(file))
    assert len(rows) >= 20
    different = [
        row["material_id"]
        for row in rows
        if describe(Structure.from_dict(ast.literal_eval(row["structure"]))) != row["description"]
    ]
    assert different == []
