"""Outside the tested versions the plain upstream code is used, with a warning; and nothing ever goes online."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("robocrys")

import pyarrow.parquet as pq
from pymatgen.core import Structure
from reference_processor import differences

from llm4mat_bench.dataset_builder.descriptions import describe, describe_and_condense
from llm4mat_bench.dataset_builder.descriptions.fast import compatibility
from llm4mat_bench.dataset_builder.descriptions.fast.quick_imports import Deferred

CORPUS = Path(__file__).parents[2] / "data" / "description_corpus.parquet"


@pytest.fixture
def _forget() -> None:
    compatibility.shortcuts.cache_clear()
    yield
    compatibility.shortcuts.cache_clear()


@pytest.fixture
def structures() -> list[Structure]:
    rows = {row["name"]: row for row in pq.read_table(CORPUS).to_pylist()}
    chosen = [rows["methane"], rows["MoS2"]] if {"methane", "MoS2"} <= rows.keys() else list(rows.values())[:2]
    return [Structure.from_dict(json.loads(row["structure"])) for row in chosen]


def rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return round(value, digits) if isinstance(value, float) else value


@pytest.mark.usefixtures("_forget")
def test_the_installed_libraries_are_the_tested_ones() -> None:
    assert compatibility.problems() == []
    assert compatibility.shortcuts()


@pytest.mark.usefixtures("_forget")
def test_another_version_takes_the_plain_way_and_says_so(
    monkeypatch: pytest.MonkeyPatch, structures: list[Structure]
) -> None:
    fast = [describe_and_condense(structure) for structure in structures]
    compatibility.shortcuts.cache_clear()
    monkeypatch.setattr(compatibility, "TESTED", {"robocrys": ">=99"})

    def offline(*_: object) -> None:
        raise AssertionError("a description went online")

    monkeypatch.setattr(socket.socket, "connect", offline)
    with pytest.warns(UserWarning, match=r"robocrys .* is outside the tested range >=99"):
        plain = [describe_and_condense(structure) for structure in structures]
    assert [text for text, _ in plain] == [text for text, _ in fast]
    assert [sorted(summary) for _, summary in plain] == [sorted(summary) for _, summary in fast]
    digits = 17 if not differences() else 9  # upstream's last bits are those of the kernel that runs here
    assert rounded(plain[0][1]["sites"], digits) == rounded(fast[0][1]["sites"], digits)


@pytest.mark.usefixtures("_forget")
def test_a_changed_function_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "pymatgen.core.local_env:CrystalNN.get_nn_data"
    monkeypatch.setitem(compatibility.SOURCES, path, "0" * 16)
    monkeypatch.setitem(compatibility.SOURCES, "robocrys.condense.site:Gone", "0" * 16)
    assert compatibility.problems() == [f"{path} has changed", "robocrys.condense.site:Gone: AttributeError"]
    with pytest.warns(UserWarning, match="has changed"):
        assert not compatibility.shortcuts()


@pytest.mark.usefixtures("_forget")
def test_a_missing_package_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compatibility.TESTED, "no-such-package", ">=1")
    assert compatibility.problems() == ["no-such-package is not installed"]


def test_deferred_loads_once_and_late() -> None:
    calls = []
    items = Deferred(lambda: calls.append(1) or [1, 2, 3])
    assert calls == []
    assert list(items) == [1, 2, 3]
    assert items[-1] == 3
    assert len(items) == 3
    assert calls == [1]


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy_and_the_library_stays_whole() -> None:
    code = """
import sys
from llm4mat_bench.dataset_builder.descriptions import describe, prepare
assert not {"pymatgen", "robocrys", "matminer", "scipy", "numpy"} & set(sys.modules)
prepare()
import pandas as pd
import pymatgen.analysis.prototypes as prototypes
assert len(pd.DataFrame(prototypes.AFLOW_PROTOTYPE_LIBRARY)) == len(prototypes.AFLOW_PROTOTYPE_LIBRARY) > 200
import inflect, typeguard
assert typeguard.typechecked.__module__.startswith("typeguard")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_describe_never_names_molecules(structures: list[Structure]) -> None:
    assert "methane" not in describe(structures[0]).lower()
