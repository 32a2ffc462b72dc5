"""The fast text against the stored text of an untouched upstream (scripts/make_description_corpus.py)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("robocrys")

import pyarrow.parquet as pq
from pymatgen.core import Structure

from llm4mat_bench.dataset_builder.descriptions import DescriptionError, describe, describe_and_condense
from llm4mat_bench.dataset_builder.descriptions.style import publish, settle

CORPUS = Path(__file__).parents[2] / "data" / "description_corpus.parquet"


@cache
def corpus() -> list[dict[str, Any]]:
    return pq.read_table(CORPUS).to_pylist()


CATEGORIES = sorted(set(pq.read_table(CORPUS, columns=["category"])["category"].to_pylist()))
SLICES = [(category, part) for category in CATEGORIES for part in range(4 if category == "materials project" else 1)]


def structure(row: dict[str, Any]) -> Structure:
    return Structure.from_dict(json.loads(row["structure"]))


@pytest.mark.parametrize(("category", "part"), SLICES)
def test_the_text_is_that_of_upstream(category: str, part: int) -> None:
    rows = [row for row in corpus() if row["category"] == category]
    rows = rows[part :: 4 if category == "materials project" else 1]
    assert rows
    for row in rows:
        if row["error"] is not None:
            with pytest.raises(DescriptionError):
                describe(structure(row))
            continue
        # the only freedom left is the order of words that upstream takes from a set; see `settle`
        assert describe(structure(row), style="upstream") == settle(row["text"]), row["name"]


def test_the_published_style_changes_dashes_order_and_integers_only() -> None:
    rows = [row for row in corpus() if row["text"] is not None]
    rows = [row for row in rows if "np.int64" in row["text"] or "mixture" in row["text"]][:25] + rows[::25]
    for row in rows:
        text, condensed = describe_and_condense(structure(row))
        assert text == settle(publish(row["text"])), row["name"]
        if "np.int64" not in row["text"]:
            assert text.replace("–", "-") == settle(row["text"]), row["name"]
        json.dumps(condensed, allow_nan=False)


def test_the_corpus_is_what_it_says() -> None:
    versions = json.loads(pq.read_schema(CORPUS).metadata[b"versions"])
    assert versions["robocrys"] == "0.2.13"
    assert versions["PYTHONHASHSEED"] == "0"
    assert len(corpus()) >= 300
    assert {row["error"] is None for row in corpus()} == {True, False}
    texts = [row["text"] for row in corpus() if row["text"]]
    for words in ("zero-dimensional", "one-dimensional", "two-dimensional", "mixture of", "-derived", "-like", "tilt"):
        assert any(words in text for text in texts), words
    assert CORPUS.stat().st_size < 3_000_000


SCRIPT = """
import json, random, sys
from pymatgen.core import Structure
from llm4mat_bench.dataset_builder.descriptions import describe
rows = json.load(sys.stdin)
random.Random(int(sys.argv[1])).shuffle(rows)
print(json.dumps({row["name"]: describe(Structure.from_dict(json.loads(row["structure"]))) for row in rows}))
"""


@pytest.mark.slow
def test_hash_seed_and_order_change_nothing() -> None:
    rows = [row for row in corpus() if row["text"] is not None]
    mixed = [
        row for row in rows if "mixture" in row["text"] or "directions" in row["text"] or "oriented" in row["text"]
    ]
    rows = mixed[:15] + random.Random(0).sample(rows, 15)
    sent = json.dumps([{"name": row["name"], "structure": row["structure"]} for row in rows])
    results = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, seed],
                input=sent,
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "PYTHONHASHSEED": seed},
            ).stdout
        )
        for seed in ("1", "42", "3141")
    ]
    expected = {row["name"]: settle(publish(row["text"])) for row in rows}
    assert results == [expected] * 3
