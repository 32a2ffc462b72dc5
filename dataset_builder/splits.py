"""Train, validation and test, as the benchmark holds rows out.

The published protocol is two nested splits: hold out a fifth of the rows, then halve what was held out. Rounding goes
as in scikit-learn's ``train_test_split`` (a held-out share is rounded up), which gives the published sizes of nine of
the ten sources exactly; Materials Project's sizes are an exception that no rule gives. The published *seed* is unknown,
so the ids in the published files remain the authority: the functions here serve data that comes without them, and give
a split of the published form, not the published split.

Everything is decided by the ids and the seed alone: neither the order of the rows nor the platform nor any library but
NumPy's ``PCG64`` bit generator (whose stream is stable by NumPy's compatibility policy) has a say.
"""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

DEFAULT_SEED = 42

GroupT = TypeVar("GroupT", bound=Hashable)


class SplitSizes(NamedTuple):
    """Rows on each side of a split."""

    train: int
    validation: int
    test: int


class Split(NamedTuple):
    """Sorted material ids on each side of a split."""

    train: list[str]
    validation: list[str]
    test: list[str]


def split_sizes(n: int) -> SplitSizes:
    """Sizes of the two nested splits of ``n`` rows: a fifth held out, then halved, both rounded up.

    Under six rows a side can be empty (two rows leave none for validation), which scikit-learn refuses; here the
    caller sees it from the sizes.

    Args:
        n: Number of rows, 0 or more.

    Returns:
        ``(train, validation, test)``, which sum to ``n``.

    Raises:
        ValueError: If ``n`` is negative.
    """
    if n < 0:
        raise ValueError(f"a split needs a number of rows of 0 or more, not {n}")
    held_out = -(-n // 5)  # in integers: 0.2 * n in floating point could fall on the wrong side of a whole number
    test = -(-held_out // 2)
    return SplitSizes(n - held_out, held_out - test, test)


def split_ids(ids: Iterable[str], seed: int = DEFAULT_SEED) -> Split:
    """Split distinct material ids by the published protocol with a seed of our own.

    The sorted ids are shuffled once; the first fifth is held out, and the first half of that is the test set.

    Args:
        ids: Distinct material ids, in any order.
        seed: Seed of the shuffle.

    Returns:
        Sorted ids of each side, with the sizes of `split_sizes`.

    Raises:
        ValueError: If an id occurs twice.
    """
    ordered = sorted(ids)
    _refuse_repeats(ordered)
    sizes = split_sizes(len(ordered))
    shuffled = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    test, validation, train = (
        shuffled[: sizes.test],
        shuffled[sizes.test : sizes.test + sizes.validation],
        shuffled[sizes.test + sizes.validation :],
    )
    return Split(sorted(train), sorted(validation), sorted(test))


def split_groups(ids: Sequence[str], groups: Sequence[GroupT], seed: int = DEFAULT_SEED) -> Split:
    """Split material ids so that no group has members on two sides.

    The same two nested splits as `split_ids`, with whole groups in place of rows: the groups, in the shuffled order of
    their smallest ids, go to the test set while they still fit, then to validation, the rest to train. Groups that are
    too big for what is left of a side are passed over, so both sides reach their exact size whenever enough small
    groups (a single row is one) remain; otherwise they end short of it by less than the smallest group left.

    Args:
        ids: Distinct material ids, in any order.
        groups: The group of each id (e.g. formula and space group); equal values stay together.
        seed: Seed of the shuffle.

    Returns:
        Sorted ids of each side, sizes as near those of `split_sizes` as this fill comes, never above for validation
        and test.

    Raises:
        ValueError: If an id occurs twice or the two sequences differ in length.
    """
    if len(ids) != len(groups):
        raise ValueError(f"{len(ids)} ids but {len(groups)} groups: each id needs one")
    _refuse_repeats(sorted(ids))
    members: dict[GroupT, list[str]] = {}
    for material_id, group in sorted(zip(ids, groups, strict=True), key=lambda pair: pair[0]):
        members.setdefault(group, []).append(material_id)
    blocks = list(members.values())  # ordered by smallest id, whatever the group values are
    order = [blocks[i] for i in np.random.default_rng(seed).permutation(len(blocks))]
    sizes = split_sizes(len(ids))
    test, order = _fill(order, sizes.test)
    validation, order = _fill(order, sizes.validation)
    return Split(sorted(m for block in order for m in block), sorted(validation), sorted(test))


def ids_sha256(ids: Iterable[str]) -> str:
    r"""SHA-256 (hex) that names a set of ids, whatever their order: of the sorted ids, UTF-8, joined by ``\n``.

    ``printf 'mp-1\nmp-2' | sha256sum`` gives that of ``["mp-2", "mp-1"]``: no newline follows the last id.
    """
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def _fill(blocks: list[list[str]], room: int) -> tuple[list[str], list[list[str]]]:
    """Take blocks in order while they fit into ``room``; return the ids taken and the blocks left."""
    taken: list[str] = []
    left = []
    for block in blocks:
        if len(taken) + len(block) <= room:
            taken += block
        else:
            left.append(block)
    return taken, left


def _refuse_repeats(ordered: Sequence[str]) -> None:
    repeats = sorted({a for a, b in pairwise(ordered) if a == b})
    if repeats:
        raise ValueError(
            f"{len(repeats)} ids occur more than once, e.g. {repeats[0]!r}: drop the repeats before splitting"
        )
