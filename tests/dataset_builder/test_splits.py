"""Sizes against the published table and scikit-learn; ids and groups by property."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from llm4mat_bench.dataset_builder.splits import ids_sha256, split_groups, split_ids, split_sizes

# rows: train, validation, test as published (Rubungo et al. 2025, table of data sources)
PUBLISHED = {
    "oqmd": (964_403, (771_522, 96_440, 96_441)),
    "jarvis_qetb": (623_989, (499_191, 62_399, 62_399)),
    "gnome": (376_276, (301_020, 37_628, 37_628)),
    "hmof": (132_743, (106_194, 13_274, 13_275)),
    "cantor_hea": (84_019, (67_215, 8_402, 8_402)),
    "jarvis_dft": (75_965, (60_772, 7_596, 7_597)),
    "qmof": (7_656, (6_124, 766, 766)),
    "omdb": (12_122, (9_697, 1_212, 1_213)),
    "snumat": (10_372, (8_297, 1_037, 1_038)),
}

id_lists = st.lists(st.text(min_size=1), unique=True, max_size=60)


@pytest.mark.parametrize("source", PUBLISHED)
def test_published_sizes(source: str) -> None:
    rows, sizes = PUBLISHED[source]
    assert split_sizes(rows) == sizes
    assert sum(sizes) == rows


def test_materials_project_is_the_exception() -> None:
    assert split_sizes(146_143) != (125_825, 10_000, 10_318)


@given(st.integers(6, 20_000))
@settings(max_examples=60, deadline=None)
def test_sizes_are_scikit_learns(n: int) -> None:
    train, held_out = train_test_split(np.arange(n), test_size=0.2, random_state=0)
    validation, test = train_test_split(held_out, test_size=0.5, random_state=0)
    assert split_sizes(n) == (len(train), len(validation), len(test))


@given(st.integers(0, 10**12))
def test_sizes_sum_and_are_never_negative(n: int) -> None:
    sizes = split_sizes(n)
    assert sum(sizes) == n
    assert min(sizes) >= 0
    assert sizes.test - sizes.validation in (0, 1)


def test_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        split_sizes(-1)


@given(id_lists, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_ids_are_parted_whatever_their_order(ids: list[str], seed: int, random) -> None:
    split = split_ids(ids, seed=seed)
    assert sorted(i for side in split for i in side) == sorted(ids)
    assert tuple(map(len, split)) == split_sizes(len(ids))
    random.shuffle(ids)
    assert split_ids(iter(ids), seed=seed) == split


def test_seed_matters_and_every_id_can_be_held_out() -> None:
    ids = [f"mp-{i}" for i in range(100)]
    splits = [split_ids(ids, seed=s) for s in range(200)]
    assert splits[0] != splits[1]
    times = Counter(i for s in splits for i in s.test)
    # 200 draws of a tenth: 20 expected, standard deviation 4.2; all hundred within five of them
    assert set(times) == set(ids)
    assert all(abs(times[i] - 20) < 22 for i in ids)


def test_stream_of_the_shuffle_is_pinned() -> None:
    """A change of NumPy or of this code that would move every seeded split must not pass unseen."""
    assert np.random.default_rng(42).permutation(20)[:4].tolist() == [15, 9, 14, 7]
    split = split_ids([f"mp-{i:02d}" for i in range(20)], seed=42)
    assert (split.test, split.validation) == (["mp-09", "mp-15"], ["mp-07", "mp-14"])


@pytest.mark.parametrize("function", [split_ids, lambda ids: split_groups(ids, ids)])
def test_repeated_ids_are_refused_by_name(function) -> None:
    with pytest.raises(ValueError, match=r"1 ids occur more than once, e\.g\. 'b'"):
        function(["a", "b", "c", "b"])


@given(st.lists(st.integers(0, 12), max_size=80), st.integers(0, 2**32))
def test_groups_stay_whole_and_sides_do_not_overflow(groups: list[int], seed: int) -> None:
    ids = [f"id-{i}" for i in range(len(groups))]
    split = split_groups(ids, groups, seed=seed)
    assert sorted(i for side in split for i in side) == sorted(ids)
    group_of = dict(zip(ids, groups, strict=True))
    sides = [{group_of[i] for i in side} for side in split]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    sizes = split_sizes(len(ids))
    assert len(split.test) <= sizes.test
    assert len(split.validation) <= sizes.validation
    # a side falls short only where every group left over is bigger than the room that remains
    in_train = Counter(group_of[i] for i in split.train)
    for side, size in ((split.test, sizes.test), (split.validation, sizes.validation)):
        assert all(count > size - len(side) for count in in_train.values())
    order = sorted(range(len(ids)), key=lambda i: groups[i])
    assert split_groups([ids[i] for i in order], [groups[i] for i in order], seed=seed) == split


@given(st.integers(0, 300), st.integers(0, 2**32))
def test_single_rows_as_groups_reach_the_exact_sizes(n: int, seed: int) -> None:
    ids = [str(i) for i in range(n)]
    assert tuple(map(len, split_groups(ids, ids, seed=seed))) == split_sizes(n)


def test_group_names_do_not_matter() -> None:
    ids = [f"id-{i:02d}" for i in range(40)]
    assert split_groups(ids, [i // 2 for i in range(40)]) == split_groups(ids, [f"x{99 - i // 2}" for i in range(40)])


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 ids but 1 groups"):
        split_groups(["a", "b"], ["g"])


def test_hash_of_ids() -> None:
    # printf 'mp-1\nmp-2' | sha256sum
    assert ids_sha256(["mp-2", "mp-1"]) == hashlib.sha256(b"mp-1\nmp-2").hexdigest()
    assert ids_sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert ids_sha256({"a", "b"}) != ids_sha256({"ab"})
