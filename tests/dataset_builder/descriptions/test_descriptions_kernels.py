"""The whole corpus under several kernels of OpenBLAS, with and without AVX-512 in NumPy: the same bytes."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("robocrys")

import pyarrow.parquet as pq
import reference_processor

from llm4mat_bench.dataset_builder.descriptions.style import settle

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "data" / "description_corpus.parquet"
SCRIPT = ROOT / "scripts" / "describe_under_kernels.py"
KERNELS = ("Nehalem", "Haswell", "SkylakeX" if reference_processor.has_avx512() else "Sandybridge")


def corpus() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in pq.read_table(CORPUS).to_pylist()}


def describe_all(kernel: str, log: Path) -> dict[str, dict[str, Any]]:
    environment = reference_processor.environment()  # as if the processor had no AVX-512
    if kernel == "SkylakeX":
        del environment["NPY_DISABLE_CPU_FEATURES"]
    command = [sys.executable, str(SCRIPT), "corpus", "--kernels", kernel, "--log", str(log)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {tuple(record["running"]) for record in records} == {(kernel,)}, "OpenBLAS did not take the kernel"
    return {record["name"]: record for record in records}


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="the kernels are those of x86-64")
def test_every_kernel_gives_the_same_texts_and_numbers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(KERNELS, pool.map(lambda k: describe_all(k, tmp_path / f"{k}.jsonl"), KERNELS), strict=True))
    reference = found["Nehalem"]
    for name, row in corpus().items():
        mine = reference[name]
        for kernel in KERNELS[1:]:
            for what in ("text", "summary_sha256", "error"):
                assert found[kernel][name].get(what) == mine.get(what), f"{name} under {kernel}: {what}"
        if row["text"] is None:
            assert "error" in mine, name
        else:
            assert mine["text"] == settle(row["text"]), name


def test_the_corpus_says_what_depends_on_the_kernel() -> None:
    metadata = pq.read_schema(CORPUS).metadata
    assert metadata[b"reference_kernel"] == b"Nehalem"
    rows = corpus()
    for name, row in rows.items():
        assert row["depends_on_kernel"] == bool(row["variants"]), name
        if row["variants"]:
            # ours is upstream's under the reference kernel, so it is one of upstream's
            ours = [variant for variant in row["variants"] if "Nehalem" in variant["kernels"]]
            assert [variant["text"] for variant in ours] == [row["text"]], name
            assert sorted(kernel for variant in row["variants"] for kernel in variant["kernels"]) == sorted(
                row["kernels"]
            )
            assert len({(variant["text"], variant["error"]) for variant in row["variants"]}) == len(row["variants"]) > 1
    boride = rows["aflow:AB_tI16_141_e_e:delta Molybdenum Boride"]
    assert len(boride["variants"]) == 3
    tied = [row for row in rows.values() if row["category"] == "tied"]
    assert len(tied) == 30
    assert all(row["depends_on_kernel"] and {"Nehalem", "SkylakeX"} <= set(row["kernels"]) for row in tied)
    assert sum("Nehalem" in row["kernels"] for row in rows.values()) >= 500
