"""Are two CIFs the same crystal? Pymatgen's ``StructureMatcher`` at its defaults decides.

It reduces both cells and scales them to the same volume, so that another cell, another order of the sites or another
formula unit makes no difference. It takes milliseconds a pair: ask it only for pairs of equal reduced formula.
"""

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from ..crystals.errors import StructureError
from ..crystals.reading import read_structure

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

_STRUCTURES_KEPT = 256  # pairs come formula by formula, so that a few are enough


class StructureComparer:
    """Compares CIFs; the last structures that were read are kept for the next pairs."""

    def __init__(self) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        self._matcher = StructureMatcher()
        self._kept: OrderedDict[str, Structure | None] = OrderedDict()
        self._unreadable: set[int] = set()

    def same(self, one: str | None, other: str | None) -> bool:
        """Whether two CIFs hold the same crystal; the same text does, and what cannot be read is like nothing else."""
        if not one or not other:
            return False
        if one == other:
            return True
        first, second = self._read(one), self._read(other)
        if first is None or second is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # noble gases have no electronegativity, which matters to nobody here
            return bool(self._matcher.fit(first, second))

    def failed(self, text: str) -> bool:
        """Whether a CIF was compared and could not be read."""
        return xxh3_64_intdigest(text.encode()) in self._unreadable

    def _read(self, text: str) -> "Structure | None":
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        structure = None
        try:
            structure = read_structure(text)
        except StructureError:
            self._unreadable.add(xxh3_64_intdigest(text.encode()))
        self._kept[text] = structure
        if len(self._kept) > _STRUCTURES_KEPT:
            self._kept.popitem(last=False)
        return structure
