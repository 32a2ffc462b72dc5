"""Faults that only show when all rows are seen together: repeats within a split, and the same crystal on two sides."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cleaning.cells import Mask
from ..cleaning.keys import Keys
from ..cleaning.policy import RULE_NAMES, RULES

Bits = NDArray[np.uint32]
HELD_OUT = {"train": ("validation", "test"), "validation": ("test",), "test": ()}


class SplitKeys(NamedTuple):
    """Hashes of all rows of one split in their order, and the rules that marked them so far, as bits."""

    keys: dict[str, Keys]
    bits: Bits


def bit(rule: str) -> np.uint32:
    """The bit that stands for a rule."""
    return np.uint32(1 << RULE_NAMES.index(rule))


def mark_crossings(splits: dict[str, SplitKeys]) -> dict[str, Bits]:
    """Find repeats and rows that also occur in a held-out split.

    Args:
        splits: Keys of each split.

    Returns:
        Bits of each split, those it came with included.
    """
    found = {}
    for name, (keys, bits) in splits.items():
        out = bits.copy()
        repeated_row = _seen_before(keys["row"])
        out[repeated_row] |= bit("repeated_row")
        out[_seen_before(keys["material_id"]) & ~repeated_row] |= bit("repeated_id")
        held_out = [splits[other].keys for other in HELD_OUT[name] if other in splits]
        if held_out:
            other_id = np.isin(keys["material_id"], _pool(held_out, "material_id"))
            out[other_id] |= bit("id_in_other_split")
            same_text = np.zeros(len(out), np.bool_)
            for text in ("cif", "description"):
                pool = _pool(held_out, text)
                same_text |= np.isin(keys[text], pool[pool != 0])
            out[same_text] |= bit("same_text_in_held_out")
        found[name] = out
    return found


def count_bits(bits: Bits) -> dict[str, int]:
    """Rows that each rule marked, rules without any left out."""
    counts = {rule: int(np.count_nonzero(bits & bit(rule))) for rule in RULE_NAMES}
    return {rule: count for rule, count in counts.items() if count}


def strict_drop(bits: Bits) -> Mask:
    """Rows that ``--strict`` leaves out."""
    dropping = np.uint32(sum(int(bit(rule.name)) for rule in RULES if rule.strict == "drop"))
    return np.asarray((bits & dropping) != 0)


def first_rule(bits: Bits) -> dict[str, Mask]:
    """Assign every dropped row to one rule, the first of the policy, so that the counts sum to the rows."""
    left = bits.copy()
    assigned = {}
    for rule in RULES:
        if rule.strict == "drop":
            mask = (left & bit(rule.name)) != 0
            if mask.any():
                assigned[rule.name] = np.asarray(mask)
                left[mask] = 0
    return assigned


def _seen_before(keys: Keys) -> Mask:
    """Mask of the entries that equal an earlier one."""
    later = np.ones(len(keys), np.bool_)
    later[np.unique(keys, return_index=True)[1]] = False
    return later


def _pool(splits: list[dict[str, Keys]], name: str) -> Keys:
    return np.unique(np.concatenate([keys[name] for keys in splits]))
