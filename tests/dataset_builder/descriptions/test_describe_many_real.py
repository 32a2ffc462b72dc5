"""The whole way with the real describer. One test, as its imports take long: every other test has a stand-in."""

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llm4mat_bench.dataset_builder.descriptions.batch.inputs import open_source
from llm4mat_bench.dataset_builder.descriptions.batch.job import run_job
from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.batch.records import Settings, Status, Task

pytest.importorskip("pymatgen")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked"),
]

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "mp_sample" / "train.csv"

HEAD = "data_x\n_cell_length_a {a}\n_cell_length_b {b}\n_cell_length_c {c}\n_cell_angle_alpha {alpha}\n"
HEAD += "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_type_symbol\n"
HEAD += "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\n"


def cif(*atoms: str, a: object = 4.1, b: object = 4.1, c: object = 4.1, alpha: object = 90) -> str:
    return HEAD.format(a=a, b=b, c=c, alpha=alpha) + "\n".join(atoms) + "\n"


CS, CL = "Cs1 Cs 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1"
FAULTY = {
    "not a number": cif("Cs1 Cs nan 0 0 1", CL),
    "infinite": cif("Cs1 Cs inf 0 0 1", CL),
    "no length": cif(CS, CL, a=0),
    "length not a number": cif(CS, CL, a="nan"),
    "flat angle": cif(CS, CL, alpha=180),
    "tiny": cif(CS, CL, a=1e-5, b=1e-5, c=1e-5),
    "needle": cif(CS, CL, a=1e6),
    "vast": cif(CS, CL, a=1e12),
    "no element": cif("Zz1 Zz 0 0 0 1", CL),
    "overlap": cif(CS, "Cl1 Cl 0.0 0.0 0.001 1"),
    "no atoms": cif(),
    "cut": cif(CS, "Cl1 Cl 0.5"),
}
OTHERS = {
    "same place": cif(CS, "Cl1 Cl 0 0 0 1"),
    "vacant": cif("Cs1 Cs 0 0 0 0.5", CL),
    "ten thousand": cif(
        *(f"C{n} C {n % 22 / 22} {n // 22 % 22 / 22} {n // 484 / 22} 1" for n in range(10_000)), a=70, b=70, c=70
    ),
}


class _Shared:
    """A pool that a job cannot close."""

    def __init__(self, pool: LocalPool) -> None:
        self._pool = pool
        self.exchange = pool.exchange

    @property
    def capacity(self) -> int:
        return self._pool.capacity

    @property
    def in_flight(self) -> int:
        return self._pool.in_flight

    def close(self) -> None:
        pass


def test_the_whole_way(tmp_path: Path) -> None:
    settings = Settings(timeout=20)
    with LocalPool(settings, workers=2) as pool:
        given = {**OTHERS, **FAULTY}
        names = list(given)
        outcomes = pool.exchange([Task(number, given[name]) for number, name in enumerate(names)])
        while pool.in_flight:
            outcomes += pool.exchange([])
        found = {names[outcome.index]: outcome for outcome in outcomes}
        for name, outcome in found.items():
            print(name, outcome.status, outcome.reason, outcome.seconds)  # noqa: T201 - shown when it fails
        assert {name: found[name].status for name in FAULTY} == dict.fromkeys(FAULTY, Status.BAD_CIF)
        assert found["vacant"].status is Status.DISORDERED
        assert found["same place"].status in (Status.BAD_CIF, Status.DISORDERED)
        assert found["ten thousand"].status is not Status.OK
        assert all(outcome.reason for outcome in outcomes)

        if not PUBLISHED.exists():
            pytest.skip(f"{PUBLISHED} is not there")
        source = open_source(PUBLISHED, column="structure")
        summary = run_job(source, tmp_path / "out.parquet", settings, lambda: _Shared(pool))
        assert summary.failed == 0
        table = pq.read_table(tmp_path / "out.parquet")
        with PUBLISHED.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert table["id"].to_pylist() == [row["material_id"] for row in rows]
        texts = table["description"].to_pylist()
        assert sum(text == row["description"] for text, row in zip(texts, rows, strict=True)) >= len(rows) - 1
        for text, condensed in zip(texts, table["condensed"].to_pylist(), strict=True):
            assert text.startswith(json.loads(condensed)["formula"])
